"""Training a model until it stops getting better on the valid split."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import tensorflow as tf

import blocks as mm
from blocks.errors import ConfigError, EmrysError
from blocks.io import write_json
from blocks.models.layers_inside import embedding_tables
from components.artifacts.feature_schema import FeatureSchema
from components.artifacts.model import ModelArtifact
from components.artifacts.transformed import Transformed
from components.running import emit, running
from components.train.averaging import averaged, count_ids
from components.train.checkpoints import Checkpoints
from components.train.epochs import Epochs
from components.train.reseeding import reseeding

STEP = "train"

#: Rows of a batch of the valid split: no gradients are kept there, so that more fit.
VALID_BATCH = 8192


@dataclass(frozen=True)
class TrainConfig:
    """How long and on what batches the model is trained.

    Attributes:
        epochs: At most so many.
        batch_size: Rows of a batch.
        learning_rate: Replaces the rate that the model was built with. Default: that one.
        monitor: Metric on the valid split that decides which epoch is best: `val_loss` (lower) or `val_auc` (higher).
        patience: Epochs without a better one after which training stops.
        seed: Of the order of the rows and of dropout.
        checkpoint_dir: Where the state after each epoch is kept, to go on after an interruption. Default: beside the
            output; on a cluster, a folder that outlives the pod.
    """

    epochs: int = 20
    batch_size: int = 1024
    learning_rate: float | None = None
    monitor: str = "val_loss"
    patience: int = 2
    seed: int = 42
    checkpoint_dir: str = ""

    def __post_init__(self) -> None:
        """Checks the values."""
        if min(self.epochs, self.batch_size, self.patience) < 1:
            got = f"{self.epochs}, {self.batch_size}, {self.patience}"
            raise ConfigError("epochs, batch_size, patience", step=STEP, expected="numbers above 0", got=got)
        if not 0 <= self.seed < 2**32:
            raise ConfigError("seed", step=STEP, expected="0 to below 2**32", got=str(self.seed))
        if self.monitor not in ("val_auc", "val_loss"):
            raise ConfigError("monitor", step=STEP, expected="val_auc or val_loss", got=self.monitor)
        if self.learning_rate is not None and not self.learning_rate > 0:  # so that NaN is refused too
            raise ConfigError("learning_rate", step=STEP, expected="a number above 0", got=str(self.learning_rate))


def run(data: Path, schema: Path, model: Path, config: TrainConfig, output: Path) -> ModelArtifact:
    """Trains a model and writes it as it was after its best epoch.

    After every epoch the whole state is kept in the checkpoint folder; started again on the same output with the same
    inputs, the step goes on where it stopped and ends with the model that an uninterrupted run gives.

    Args:
        data: Artifact with the transformed splits.
        schema: Artifact with their schema.
        model: Artifact with the untrained model.
        config: How to train.
        output: Where the model artifact shall stand.

    Returns:
        The artifact.

    Raises:
        EmrysError: if the loss stops being a number.
    """
    with running(STEP):
        # Before any model is loaded: layers that draw random numbers take their seeds as they are made.
        keras.utils.set_random_seed(config.seed)
        # Sums over threads in varying order would make two runs with one seed differ.
        tf.config.experimental.enable_op_determinism()
        transformed, columns, untrained = Transformed(data), FeatureSchema(schema), ModelArtifact(model)
        model_to_train = untrained.load()
        inputs = {
            "data": transformed.fingerprint,
            "schema": columns.fingerprint,
            "model": _digest(model_to_train, untrained),
            "config": {**asdict(config), "checkpoint_dir": ""},
        }
        folder = (
            Path(config.checkpoint_dir) if config.checkpoint_dir else output.with_name(f".{output.name}.checkpoints")
        )
        checkpoints = Checkpoints(folder, inputs)
        resumed = checkpoints.latest()
        trained = mm.Model.load(resumed.model) if resumed else model_to_train
        if config.learning_rate is not None and resumed is None:
            trained.optimizer.learning_rate = config.learning_rate
        tables = embedding_tables([trained])
        judged = functools.partial(averaged, trained, tables, count_ids(transformed, tables))
        epochs = Epochs(config.monitor, config.patience, config.epochs, checkpoints, resumed, judged)
        if not epochs.finished:
            _fit(trained, transformed, columns, config, epochs)
        artifact = _write(trained, epochs, untrained, config, output)
        checkpoints.forget()
        return artifact


def _digest(model: mm.Model, artifact: ModelArtifact) -> str:
    # Not the file's own digest: Keras writes the time of saving into it.
    digest = hashlib.sha256(json.dumps(artifact.metadata, sort_keys=True).encode())
    for weight in model.weights:
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def _fit(model: mm.Model, data: Transformed, columns: FeatureSchema, config: TrainConfig, epochs: Epochs) -> None:
    target = str(model.model_outputs[0].target)
    others = set(mm.select_targets(columns.schema).column_names) - {target}
    used = columns.schema.excluding_by_name(sorted(others))
    train = mm.Loader(data.file("train"), config.batch_size, schema=used, seed_fn=lambda: config.seed)
    valid = mm.Loader(data.file("valid"), VALID_BATCH, schema=used, shuffle=False)
    if epochs.next_epoch:
        emit(STEP, "message", text=f"going on after epoch {epochs.next_epoch}")
    epochs.batches = len(train)
    model.fit(
        train,
        validation_data=valid,
        initial_epoch=epochs.next_epoch,
        epochs=config.epochs,
        callbacks=[train.epoch_callback(), reseeding(model, config.seed), epochs],
        verbose=0,
    )


def _write(
    model: mm.Model, epochs: Epochs, untrained: ModelArtifact, config: TrainConfig, output: Path
) -> ModelArtifact:
    if epochs.diverged:
        raise EmrysError(
            "the loss is not a number any more",
            step=STEP,
            got=f"epoch {epochs.next_epoch + 1}",
            fix="Lower learning_rate, or look for infinite values in the data.",
        )
    model.load_weights(epochs.best_weights)
    metadata = {
        "config": asdict(config),
        "parameters": int(model.count_params()),
        "trained": True,
        "epochs": len(epochs.history),
        "best_epoch": epochs.best_epoch,
        config.monitor: epochs.best,
    }
    with ModelArtifact.create(output, metadata) as work:
        model.save(work / "model.keras")
        (work / "summary.txt").write_text(untrained.summary, encoding="utf-8")
        write_json(work / "history.json", epochs.history)
    return ModelArtifact(output)
