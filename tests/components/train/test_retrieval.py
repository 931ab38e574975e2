"""Training of retrieval models: what they learn from, what they are judged by, and that a run goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import ConfigError, DataError
from emrys.components.build_model.step import BuildModelConfig
from emrys.components.build_model.step import run as build_model
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.train.catalogue_validation import CatalogueValidation
from emrys.components.train.epochs import Epochs
from emrys.components.train.positives import write_positives
from emrys.components.train.step import TrainConfig, run
from tests.components.train.ratings import state_of, write_data, write_schema

pytestmark = pytest.mark.slow

CONFIG = TrainConfig(epochs=3, batch_size=256, monitor="val_recall_at_50", patience=5)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("inputs")
    write_data(root / "data")
    write_schema(root / "schema")
    config = BuildModelConfig(
        architecture="two-tower", embedding_dim=4, tower_layers=(4,), learning_rate=0.01, ema_momentum=0.9
    )
    build_model(root / "schema", config, root / "model")
    return root


def fit(inputs: Path, output: Path, config: TrainConfig = CONFIG) -> ModelArtifact:
    return run(inputs / "data", inputs / "schema", inputs / "model", config, output)


@pytest.fixture(scope="module")
def trained(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    return fit(inputs, tmp_path_factory.mktemp("trained") / "out")


def test_the_metric_is_that_of_the_model_that_is_kept(inputs: Path, trained: ModelArtifact) -> None:
    best = trained.history[trained.metadata["best_epoch"]]
    assert best["val_recall_at_50"] == trained.metadata["val_recall_at_50"] == max(
        epoch["val_recall_at_50"] for epoch in trained.history
    )  # fmt: skip
    schema = FeatureSchema(inputs / "schema").schema
    again = CatalogueValidation(Transformed(inputs / "data"), schema, "rating_binary", trained.load())()
    assert again["val_recall_at_50"] == pytest.approx(best["val_recall_at_50"], abs=1e-6)
    assert again["val_ndcg_at_10"] == pytest.approx(best["val_ndcg_at_10"], abs=1e-6)


def test_people_who_only_come_back_are_judged_where_seen_items_are_answers(
    inputs: Path, trained: ModelArtifact, tmp_path: Path
) -> None:
    # The valid split is that of train: everything in it has been had.
    with Transformed.create(tmp_path / "data", {}) as work:
        for split in ("train", "valid", "test"):
            pq.write_table(Transformed(inputs / "data").read("train"), work / f"{split}.parquet")
    data, schema, model = Transformed(tmp_path / "data"), FeatureSchema(inputs / "schema").schema, trained.load()
    assert CatalogueValidation(data, schema, "rating_binary", model)() == {}
    recall = CatalogueValidation(data, schema, "rating_binary", model, exclude_seen=False)()["val_recall_at_50"]
    assert 0 < recall <= 1
    again = {"data": {"path": "x"}, "model": {"name": "two-tower"}, "evaluate": {"exclude_seen": False}}
    assert not TrainConfig.of(again).exclude_seen


def test_only_what_users_like_is_learnt_from(inputs: Path, trained: ModelArtifact, tmp_path: Path) -> None:
    # Other ratings of the rows that are not liked change nothing but what has been had, which only judging looks at.
    data = Transformed(inputs / "data")
    with Transformed.create(tmp_path / "data", {}) as work:
        for split in ("train", "valid", "test"):
            table = data.read(split)
            years = table["release_year"].to_numpy().copy()
            years[table["rating_binary"].to_numpy() == 0] = 99
            place = table.column_names.index("release_year")
            pq.write_table(table.set_column(place, "release_year", pa.array(years)), work / f"{split}.parquet")
    other = run(tmp_path / "data", inputs / "schema", inputs / "model", replace(CONFIG, epochs=1), tmp_path / "out")
    assert other.history[0]["loss"] == trained.history[0]["loss"]
    assert other.history[0]["val_loss"] == trained.history[0]["val_loss"]


def test_a_run_that_was_cut_off_ends_the_same(
    inputs: Path, trained: ModelArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(self: Epochs, batch: int, logs: object = None) -> None:
        if len(self.history) == 1 and batch == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Epochs, "on_train_batch_end", cut)
        with pytest.raises(KeyboardInterrupt):
            fit(inputs, tmp_path / "out")
    again = fit(inputs, tmp_path / "out")
    assert again.history == trained.history
    assert state_of(again) == state_of(trained)


def test_a_metric_that_a_model_does_not_have(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        fit(inputs, tmp_path / "out", replace(CONFIG, monitor="val_auc", epochs=1))
    known = "val_loss, val_ndcg_at_10, val_recall_at_50"
    assert "train: monitor; expected one of " in str(caught.value)
    assert all(name in str(caught.value) for name in known.split(", "))
    assert not (tmp_path / "out").exists()


def test_write_positives_keep_their_order_and_columns(tmp_path: Path) -> None:
    table = pa.table({"a": np.arange(6), "liked": pa.array([1, 0, 1, 1, 0, 1], pa.int8()), "l": [[1], [], [2, 3]] * 2})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=2)
    found = pq.read_table(write_positives(tmp_path / "in.parquet", "liked", tmp_path / "out.parquet"))
    assert found.to_pydict() == {"a": [0, 2, 3, 5], "liked": [1] * 4, "l": [[1], [2, 3], [1], [2, 3]]}
    pq.write_table(table.filter(pa.array([False, True, False, False, True, False])), tmp_path / "none.parquet")
    with pytest.raises(DataError, match="column 'liked': no label is positive"):
        write_positives(tmp_path / "none.parquet", "liked", tmp_path / "x.parquet")
