import json
from dataclasses import asdict, replace

import numpy as np
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, EmrysError
from emrys.blocks.inputs.embedding_table import embedding_tables
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.train.step import TrainConfig, run
from tests.components.train.ratings import FAST, schema, state_of


def train(inputs, config, output):
    return run(inputs / "data", inputs / "schema", inputs / "model", config, output)


@pytest.mark.slow
def test_it_learns(trained):
    first, *_, last = trained.history
    best = trained.history[trained.metadata["best_epoch"]]
    assert last["loss"] < first["loss"] - 0.05
    # The chance of a like is known only through levels that 3000 rows tell: 0.5 would be chance.
    assert best["val_auc"] > 0.75
    assert [entry["epoch"] for entry in trained.history] == list(range(len(trained.history)))


@pytest.mark.slow
def test_it_stops_early_and_keeps_the_best_epoch(trained, inputs):
    losses = [entry["val_loss"] for entry in trained.history]
    best = int(np.argmin(losses))
    assert trained.metadata["best_epoch"] == best
    assert trained.metadata["val_loss"] == losses[best]
    assert trained.metadata["epochs"] == len(losses) == best + 1 + FAST.patience < FAST.epochs
    valid = mm.Loader(
        inputs / "data" / "valid.parquet", 8192, schema=schema().excluding_by_name(["rating"]), shuffle=False
    )
    judged = trained.load().evaluate(valid, return_dict=True, verbose=0)
    assert judged["loss"] == pytest.approx(losses[best], abs=1e-6)
    assert judged["auc"] == pytest.approx(trained.history[best]["val_auc"], abs=1e-6)
    assert judged["loss"] != pytest.approx(losses[-1], abs=1e-6)


@pytest.mark.slow
def test_written_files(trained, inputs):
    untrained = ModelArtifact(inputs / "model")
    assert trained.summary == untrained.summary
    assert trained.metadata["trained"] is True
    assert trained.metadata["parameters"] == untrained.metadata["parameters"]
    assert trained.metadata["config"] == asdict(FAST)
    assert float(trained.load().optimizer.learning_rate) == pytest.approx(0.1)  # the untrained model has 0.01
    assert [path.name for path in trained.path.parent.iterdir()] == ["out"]  # no checkpoints are left


@pytest.mark.slow
def test_ids_that_never_occur_get_the_mean_of_the_others(trained, inputs):
    model = trained.load()
    tables = {table.name: table.embeddings.numpy() for table in embedding_tables([model])}
    train_rows = Transformed(inputs / "data").read("train")
    for column, seen in (("userId", range(3, 40)), ("movieId", range(3, 30)), ("genres", range(3, 8))):
        values = train_rows[column].combine_chunks()
        ids = np.asarray(values.flatten() if column == "genres" else values)
        mean = tables[column][ids].astype("float64").mean(axis=0)  # every occurrence counts once
        unseen = np.delete(tables[column], seen, axis=0)
        assert len(unseen) == {"userId": 5, "movieId": 5, "genres": 3}[column]
        np.testing.assert_allclose(unseen, np.broadcast_to(mean, unseen.shape), atol=1e-5)


@pytest.mark.slow
def test_one_seed_gives_one_model_and_progress_is_reported(trained, inputs, tmp_path, capfd):
    again = train(inputs, FAST, tmp_path / "out")
    assert again.history == trained.history
    assert state_of(again) == state_of(trained)

    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("emrys-event ")]
    events = [json.loads(line.partition(" ")[2]) for line in lines]
    assert [events[0]["event"], events[-1]["event"]] == ["start", "end"]
    epochs = [event for event in events if "metrics" in event]
    # 3000 rows in batches of 256: 12 batches an epoch, and 30 epochs at most
    assert [(event["done"], event["total"]) for event in epochs[:2]] == [(12, 360), (24, 360)]
    assert [event["text"] for event in epochs] == [
        f"epoch {number + 1}: val_loss {entry['val_loss']:.4f}" for number, entry in enumerate(again.history)
    ]


@pytest.mark.slow
def test_another_seed_gives_another_model_and_one_epoch_is_enough(trained, inputs, tmp_path):
    other = train(inputs, replace(FAST, epochs=1, seed=7, monitor="val_auc"), tmp_path / "out")
    assert [entry["epoch"] for entry in other.history] == [0]
    assert other.metadata["epochs"] == 1
    assert other.metadata["best_epoch"] == 0
    assert other.metadata["val_auc"] == other.history[0]["val_auc"]
    assert other.history[0]["loss"] != trained.history[0]["loss"]


@pytest.mark.slow
def test_a_loss_that_diverges(inputs, tmp_path):
    with pytest.raises(EmrysError) as caught:
        train(inputs, replace(FAST, learning_rate=1e6), tmp_path / "out")
    assert str(caught.value) == (
        "train: the loss is not finite; got epoch 1. Lower learning_rate, or check the data for infinite values."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rows", "size"),
    # 100 steps an epoch: 12,800 / 100 = 128, and 25,599 / 100 is below 256; never below 64 or above 1,024
    [(1, 64), (12_799, 64), (12_800, 128), (25_599, 128), (25_600, 256), (102_400, 1024), (10**9, 1024)],
)
def test_the_batch_size_follows_from_the_rows(rows, size):
    assert TrainConfig().batch_size_of(rows) == size
    assert TrainConfig(batch_size=7).batch_size_of(rows) == 7


COUNTS = "train: epochs, batch_size, patience; expected numbers above 0, got "


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"epochs": 0}, COUNTS + "epochs 0"),
        ({"batch_size": -1}, COUNTS + "batch_size -1"),
        ({"patience": 0, "batch_size": 0}, COUNTS + "batch_size 0, patience 0"),
        (
            {"monitor": "loss"},
            "train: monitor; expected a metric of valid, such as val_loss, val_auc, val_ndcg_at_10, val_recall_at_50, "
            "got loss",
        ),
        ({"learning_rate": 0.0}, "train: learning_rate; expected a number above 0, got 0.0"),
        ({"learning_rate": float("nan")}, "train: learning_rate; expected a number above 0, got nan"),
        ({"seed": -1}, "train: seed; expected 0 to below 2**32, got -1"),
        ({"seed": 2**32}, "train: seed; expected 0 to below 2**32, got 4294967296"),
    ],
)
def test_values_that_cannot_be(change, text):
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**change)
    assert str(caught.value) == text
