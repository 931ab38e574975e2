"""Every architecture is built and trained on a log that can be learnt, and beats a constant."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.embedding_table import embedding_tables
from emrys.components.build_model.config import BuildModelConfig
from emrys.components.contracts.data_schema import TargetKind
from emrys.components.contracts.model import ModelArtifact
from emrys.components.recipe.models import MODELS
from emrys.components.retrieval.search import load_retrieval_model, query_columns, vectors
from emrys.components.train.averaging import count_ids
from tests.components.train.shop import FIRST, GOODS, TARGETS, data_schema, feature_schema, fit, write_log

pytestmark = pytest.mark.slow

RANKING = [name for name, kind in MODELS.items() if kind.task == "ranking"]
RETRIEVAL = [name for name, kind in MODELS.items() if kind.task == "retrieval"]
UNSEEN = 2


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    write_log(root)
    return root


def predictions(artifact: ModelArtifact, file: Path) -> dict[str, np.ndarray]:
    """The predictions by target."""
    model = artifact.load()
    schema = feature_schema().excluding_by_name([target.name for target in TARGETS])
    loader = mm.Loader(file, 256, schema=schema, label_names=[], shuffle=False)
    found = model.predict(loader.to_tf_dataset(), verbose=0)
    if not isinstance(found, dict):
        ((name, _),) = artifact.targets.items()
        return {name: found}
    return {name.partition("/")[0]: value for name, value in found.items()}


def log_loss(chance: np.ndarray | float, label: np.ndarray) -> float:
    chance = np.clip(chance, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(label > 0, np.log(chance), np.log(1 - chance))))


def assert_unseen_ids_are_average(model: keras.Model, inputs: Path) -> None:
    """The embedding of a value that is not in train is the mean of all rows of train."""
    tables = [table for table in embedding_tables([model]) if table.trainable]
    counts = count_ids(inputs / "data" / "train.parquet", tables)
    for table in tables:
        seen = np.sum([counts[name] for name in table.schema.column_names], axis=0)
        values = table.embeddings.numpy()
        np.testing.assert_allclose(values[UNSEEN], np.average(values, axis=0, weights=seen), atol=1e-5)


@pytest.mark.parametrize("name", RANKING)
def test_ranking_models_beat_a_constant(inputs: Path, tmp_path: Path, name: str) -> None:
    several = MODELS[name].fewest_targets > 1
    tasks = {"click": 1.0, "buy": 1.0} if several else {"click": 1.0}
    artifact = fit(inputs, tmp_path, BuildModelConfig(architecture=name, tasks=tasks, learning_rate=0.01))
    assert artifact.targets == dict.fromkeys(tasks, TargetKind.BINARY)
    file = inputs / "data" / "valid.parquet"
    found, valid = predictions(artifact, file), pq.read_table(file)
    train = pq.read_table(inputs / "data" / "train.parquet")
    for target in tasks:
        label = valid[target].to_numpy()
        constant = log_loss(train[target].to_numpy().mean(), label)
        assert log_loss(found[target][:, 0], label) < constant - 0.03, target
    model = artifact.load()
    assert isinstance(model.optimizer, mm.LazyAdam)
    assert_unseen_ids_are_average(model, inputs)


@pytest.mark.parametrize("name", RETRIEVAL)
def test_retrieval_models_beat_a_constant(inputs: Path, tmp_path: Path, name: str) -> None:
    options = {"embedding_dim": 16} | (
        {"tower_layers": [16]} if "tower_layers" in MODELS[name].options.model_fields else {}
    )
    config = BuildModelConfig(architecture=name, options=options, learning_rate=0.01)
    artifact = fit(inputs, tmp_path, config, epochs=6, patience=6, batch_size=64)
    assert artifact.targets == {"click": TargetKind.BINARY}
    model = load_retrieval_model(artifact)
    valid = pq.read_table(inputs / "data" / "valid.parquet")
    train = pq.read_table(inputs / "data" / "train.parquet")
    first = np.unique(train["sku"].to_numpy(), return_index=True)[1]
    items = train.take(pa.array(first)).select(
        [each for each in train.column_names if each not in ("visitor", "recent")]
    )
    assert items.num_rows == GOODS
    queries, candidates = vectors(model, valid.select(query_columns(model)), items, "sku", 128)
    top = np.argsort(-(queries @ candidates.T), axis=1)[:, :5] + FIRST
    recall = np.mean([each in row for each, row in zip(valid["sku"].to_numpy(), top, strict=True)])
    counts = np.bincount(train["sku"].to_numpy())
    popular = np.isin(valid["sku"].to_numpy(), np.argsort(-counts)[:5]).mean()
    assert recall > popular + 0.15


def test_four_kinds_of_targets_at_once(inputs: Path, tmp_path: Path) -> None:
    tasks = {"click": 1.0, "buy": 2.0, "spend": 0.5, "grade": 1.0}
    config = BuildModelConfig(architecture="mlp", tasks=tasks, options={"task_layers": [8]}, learning_rate=0.01)
    artifact = fit(inputs, tmp_path, config, epochs=2)
    file = inputs / "data" / "valid.parquet"
    found, valid = predictions(artifact, file), pq.read_table(file)
    assert {name: value.shape for name, value in found.items()} == {
        "click": (600, 1), "buy": (600, 1), "spend": (600, 1), "grade": (600, 3),
    }  # fmt: skip
    spend, grade = valid["spend"].to_numpy(), valid["grade"].to_numpy()
    assert np.sqrt(np.mean((found["spend"][:, 0] - spend) ** 2)) < 0.8 * spend.std()
    np.testing.assert_allclose(found["grade"].sum(axis=1), 1, rtol=1e-5)
    assert np.mean(found["grade"].argmax(axis=1) == grade) > np.bincount(grade).max() / len(grade) + 0.1
    last = artifact.history[-1]
    # The loss is the weighted sum of the losses of the targets.
    names = ("click/binary_output", "buy/binary_output", "spend/regression_output", "grade/categorical_output")
    weighted = sum(tasks[name.partition("/")[0]] * last[f"val_{name}_loss"] for name in names)
    assert last["val_loss"] == pytest.approx(weighted, rel=1e-3)


def test_rows_outside_of_a_sample_space_do_not_count(inputs: Path, tmp_path: Path) -> None:
    def other_buys(table: pa.Table, split: str) -> pa.Table:
        buys = np.where(table["click"].to_numpy() > 0, table["buy"].to_numpy(), 1).astype("int8")
        return table.set_column(table.column_names.index("buy"), "buy", pa.array(buys))

    write_log(tmp_path / "changed", change=other_buys)
    config = BuildModelConfig(architecture="mmoe", tasks={"click": 1.0, "buy": 1.0}, sample_space={"buy": "click"})
    one = fit(inputs, tmp_path / "one", config)
    other = fit(tmp_path / "changed", tmp_path / "other", config)
    assert one.history == other.history
    assert "val_buy/binary_output/weighted_auc" in one.history[0]
    assert one.metadata["sample_space"] == {"buy": "click"}


def test_rows_of_weight_zero_do_not_count(tmp_path: Path) -> None:
    def weigh(flip: bool):
        def change(table: pa.Table, split: str) -> pa.Table:
            trust = (np.arange(table.num_rows) % 3 > 0).astype("float32")
            click = table["click"].to_numpy().copy()
            click[trust == 0] = 1 - click[trust == 0] if flip else click[trust == 0]
            table = table.set_column(table.column_names.index("click"), "click", pa.array(click))
            return table.set_column(table.column_names.index("trust"), "trust", pa.array(trust))

        return change

    found = []
    for flip in (False, True):
        write_log(tmp_path / f"log{flip}", data=data_schema(TARGETS[:1], weight=True), change=weigh(flip))
        found.append(fit(tmp_path / f"log{flip}", tmp_path / f"model{flip}", BuildModelConfig()))
    assert found[0].history == found[1].history
    assert "val_weighted_auc" in found[0].history[0]


def test_every_row_of_implicit_feedback_is_positive(tmp_path: Path) -> None:
    names = [target.name for target in TARGETS]
    schema = feature_schema().excluding_by_name(names)
    write_log(tmp_path, schema, data_schema(()), lambda table, split: table.drop_columns(names))
    config = BuildModelConfig(architecture="matrix-factorization", learning_rate=0.01)
    artifact = fit(tmp_path, tmp_path, config, monitor="val_recall_at_50")
    assert artifact.targets == {}
    # 20 goods are fewer than 50: every relevant one is found.
    assert artifact.history[0]["val_recall_at_50"] == 1.0


def test_event_files_hold_the_history(inputs: Path, tmp_path: Path) -> None:
    artifact = fit(inputs, tmp_path, BuildModelConfig(architecture="mlp", tasks={"click": 1.0}), epochs=2)
    runs = {}
    for run in ("train", "valid"):
        (file,) = (artifact.path / "tensorboard" / run).iterdir()
        assert f"tensorboard/{run}/{file.name}" in artifact.files
        runs[run] = read_events(file)
    for epoch, entry in enumerate(artifact.history):
        assert runs["train"]["loss"][epoch] == pytest.approx(entry["loss"])
        assert runs["valid"]["auc"][epoch] == pytest.approx(entry["val_auc"])


def read_events(file: Path) -> dict[str, dict[int, float]]:
    values: dict[str, dict[int, float]] = {}
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        event = tf.compat.v1.Event.FromString(record)
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            values.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    return values


@pytest.mark.parametrize("name", ["deepfm", "wide-and-deep"])
def test_linear_parts_have_no_weight_for_unseen_ids(inputs: Path, tmp_path: Path, name: str) -> None:
    artifact = fit(inputs, tmp_path, BuildModelConfig(architecture=name, tasks={"click": 1.0}, learning_rate=0.01))
    (linear,) = (layer for layer in layers_inside([artifact.load()]) if isinstance(layer, mm.WideLogit))
    columns = linear.schema.column_names
    assert {"visitor", "sku", "shelf", "labels", "recent"} <= set(columns)

    def logit(value: int) -> float:
        ids = {name: tf.constant([[value]], tf.int64) for name in columns if name != "price"}
        return float(linear({**ids, **({"price": tf.zeros((1, 1))} if "price" in columns else {})})[0, 0])

    assert logit(UNSEEN) == float(linear.bias.numpy()[0])
    assert logit(FIRST + 2) != logit(UNSEEN)


@pytest.mark.parametrize("name", ["gpt2", "bert4rec", "last-item"])
def test_an_empty_history_is_answered_by_what_is_frequent(inputs: Path, tmp_path: Path, name: str) -> None:
    artifact = fit(inputs, tmp_path, BuildModelConfig(architecture=name, options={"embedding_dim": 16}), epochs=2)
    model = load_retrieval_model(artifact)
    empty = tf.RaggedTensor.from_row_lengths(tf.constant([], tf.int64), [0, 0])
    scores = model({"recent": empty}).numpy()
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores[0], scores[1])
    assert scores[0].std() > 0


def test_a_target_that_an_architecture_cannot_predict(inputs: Path, tmp_path: Path) -> None:
    for name, tasks, text in (
        ("deepfm", {"grade": 1.0}, "column 'grade': deepfm cannot predict a target of the kind classes. Take one"),
        ("deepfm", {"click": 1.0, "buy": 1.0}, "deepfm predicts a single target; expected one, got click, buy"),
        ("mmoe", {"click": 1.0}, "mmoe needs more targets; expected at least 2, got click"),
        ("two-tower", {"spend": 1.0}, "two-tower cannot predict a target of the kind regression"),
        ("mlp", {"clicks": 1.0}, "column 'clicks': the schema has no such target; expected one of click, buy, grade, "
         "spend. Did you mean 'click'?"),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as caught:
            fit(inputs, tmp_path, BuildModelConfig(architecture=name, tasks=tasks))
        assert text in str(caught.value)
