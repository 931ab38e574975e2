from __future__ import annotations

import keras
import pytest
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from tests.blocks.checks import small_batch, small_schema

FEATURES = small_schema().excluding_by_name(["click", "rating"])


def _dlrm(**kwargs):
    return mm.DLRMModel(
        FEATURES, bottom_block=mm.MLPBlock([4]), top_block=mm.MLPBlock([3]),
        prediction_tasks=mm.BinaryOutput("click"), **kwargs
    )  # fmt: skip


def test_embeddings_follow_the_options():
    options = mm.EmbeddingOptions(embeddings_initializers=keras.initializers.Constant(2.0), embeddings_l2_reg=0.1)
    model = _dlrm(embedding_options=options)
    features, _ = small_batch()
    model(features)
    tables = [weight for weight in model.weights if weight.name == "embeddings"]
    # 64 is the options' own default; the continuous features come with 4
    assert [tuple(table.shape) for table in tables] == [(10, 4), (5, 4), (20, 4), (6, 4)]
    # 6 rows of 4 values with the square 4, four times; one of the genres' means is that of an empty list
    assert [float(loss) for loss in model.losses] == [pytest.approx(0.1 * 4 * 4 * (6 + 6 + 6 + 5))]


@pytest.mark.parametrize("initializers", [None, {"country": keras.initializers.Constant(2.0)}])
def test_tables_start_as_those_of_embeddings(initializers):
    model = _dlrm(embedding_options=mm.EmbeddingOptions(embeddings_initializers=initializers))
    features, _ = small_batch()
    model(features)
    tables = {weight.path.split("/")[-2]: weight.numpy() for weight in model.weights if weight.name == "embeddings"}
    assert len(tables) == 4
    if initializers is not None:
        assert (tables.pop("country") == 2.0).all()
    # uniform in [-0.05, 0.05]; of a normal distribution with a deviation of 0.05, a third of the values is beyond
    assert all(0.02 < abs(values).max() <= 0.05 for values in tables.values())


def test_dimensions_that_do_not_fit():
    with pytest.raises(
        ConfigError, match=r"column 'country': .* must have one size; expected dimension 4, got emb.* 5"
    ):
        _dlrm(embedding_options=mm.EmbeddingOptions(embedding_dims={"country": 5}))
    with pytest.raises(ConfigError, match="DLRM: embedding_options; expected None beside embeddings"):
        _dlrm(embedding_options=mm.EmbeddingOptions(), embeddings=mm.Embeddings(FEATURES, dim=4))


def test_columns_without_a_domain():
    schema = Schema([mm.create_categorical_column("a", None)])
    with pytest.raises(SchemaError, match="column 'a': EmbeddingFeatures does not know how many ids there are"):
        mm.DLRMBlock(schema, embedding_dim=4, embedding_options=mm.EmbeddingOptions())
