import numpy as np
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.datasets import synthetic
from emrys.blocks.errors import ConfigError


def _schema():
    return Schema(
        [
            mm.create_categorical_column("item", 9, tags=[Tags.ITEM_ID]),
            mm.create_categorical_column("genres", 5, tags=[Tags.SEQUENCE], min_value_count=1, max_value_count=4),
            ColumnSchema("genres_weight", dtype="float32", is_list=True, is_ragged=True),
            mm.create_categorical_column("last", 9, min_value_count=3, max_value_count=3),
            mm.create_continuous_column("age", min_value=18, max_value=80),
            mm.create_continuous_column("price"),
            ColumnSchema("name", dtype="string"),
            ColumnSchema("click", dtype="int32", tags=[Tags.TARGET, Tags.BINARY_CLASSIFICATION]),
            ColumnSchema("rating", dtype="float32", tags=[Tags.TARGET, Tags.REGRESSION]),
        ]
    )


@pytest.mark.slow
def test_rows_fit_the_schema():
    data = synthetic(_schema(), 2_000, seed=5)
    rows = data.to_ddf().compute()
    assert sorted(rows["item"].unique()) == list(range(10))
    assert sorted(rows["genres"].map(len).unique()) == [1, 2, 3, 4]
    assert sorted(set(np.concatenate(rows["genres"].tolist()))) == list(range(6))
    assert (rows["genres"].map(len) == rows["genres_weight"].map(len)).all()
    assert set(rows["last"].map(len)) == {3}
    assert rows["age"].between(18, 80).all()
    assert rows["age"].max() > 75
    # The mean and deviation of 2,000 normal numbers are within 0.1 of 0 and 1 but for one in 10,000 draws.
    assert abs(rows["price"].mean()) < 0.1
    assert abs(rows["price"].std() - 1) < 0.1
    assert set(rows["click"]) == {0, 1}
    assert data.schema == _schema()


def test_seeds():
    rows = [synthetic(_schema(), 50, seed=seed).to_ddf().compute() for seed in (1, 1, 2)]
    assert rows[0].astype(str).equals(rows[1].astype(str))
    assert not rows[0]["item"].equals(rows[2]["item"])


@pytest.mark.slow
def test_a_model_trains_on_it():
    schema = _schema().excluding_by_name(["name", "rating", "genres_weight"])
    model = mm.DCNModel(schema, depth=1, deep_block=mm.MLPBlock([4]))
    model.compile()
    history = model.fit(synthetic(schema, 64), batch_size=32, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_errors():
    with pytest.raises(ConfigError, match="synthetic: rows; expected a whole number above 0, got 0"):
        synthetic(_schema(), 0)
    with pytest.raises(ConfigError, match="synthetic: schema; expected a schema with columns, got an empty schema"):
        synthetic(Schema([]), 5)
    with pytest.raises(
        ConfigError, match="column 'when': synthetic does not support columns of this type; got datetime64"
    ):
        synthetic(Schema([ColumnSchema("when", dtype="datetime64[ns]")]), 5)
