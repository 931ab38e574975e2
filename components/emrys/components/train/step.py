"""Training a model until it stops getting better on the valid split."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from merlin.schema import Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, EmrysError, SchemaError
from emrys.blocks.inputs.embedding_table import embedding_tables
from emrys.blocks.io import write_json
from emrys.blocks.utils.huge_pages import prefer_huge_pages_for_training
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.events import emit, step_events
from emrys.components.train.averaging import averaged, count_ids
from emrys.components.train.catalogue_validation import MEASURED, HeldBack
from emrys.components.train.checkpoints import Checkpoints
from emrys.components.train.epochs import Epochs
from emrys.components.train.positives import liked_rows
from emrys.components.train.reseeding import reseeding

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
        monitor: Metric on the valid split that decides which epoch is best: `val_loss` (lower), of a ranking model
            `val_auc`, of a retrieval model `val_ndcg_at_10` or `val_recall_at_50` over the whole catalogue (higher).
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
        known = ("val_auc", "val_loss", *MEASURED)
        if self.monitor not in known:
            raise ConfigError("monitor", step=STEP, expected=" or ".join(known), got=self.monitor)
        if self.learning_rate is not None and not self.learning_rate > 0:  # so that NaN is refused too
            raise ConfigError("learning_rate", step=STEP, expected="a number above 0", got=str(self.learning_rate))


def run(data: Path, schema: Path, model: Path, config: TrainConfig, output: Path) -> ModelArtifact:
    """Trains a model and writes it as it was after its best epoch.

    After every epoch the whole state is kept in the checkpoint folder; started again on the same output with the same
    inputs, the step goes on where it stopped and ends with the model that an uninterrupted run gives.

    A retrieval model learns from the rows with a positive label alone.

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
    with step_events(STEP):
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
        with tempfile.TemporaryDirectory(prefix="emrys-train-") as folder_of_rows:
            rows = _rows(trained, transformed, columns, Path(folder_of_rows))
            tables = embedding_tables([trained])
            judged = functools.partial(averaged, trained, tables, count_ids(rows["train"], tables))
            measure = (
                HeldBack(transformed, columns.schema, _label(columns), trained) if _is_retrieval(trained) else None
            )
            epochs = Epochs(config.monitor, config.patience, config.epochs, checkpoints, resumed, judged, measure)
            if not epochs.finished:
                _fit(trained, rows, columns, config, epochs)
        artifact = _write(trained, epochs, untrained, config, output)
        checkpoints.forget()
        return artifact


def _digest(model: mm.Model, artifact: ModelArtifact) -> str:
    # Not the file's own digest: Keras writes the time of saving into it.
    digest = hashlib.sha256(json.dumps(artifact.metadata, sort_keys=True).encode())
    for weight in model.weights:
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def _is_retrieval(model: mm.Model) -> bool:
    return isinstance(model, mm.RetrievalModelV2)


def _label(columns: FeatureSchema) -> str:
    """The column that says what the user liked."""
    found = columns.schema.select_by_tag(Tags.BINARY_CLASSIFICATION).column_names
    if len(found) != 1:
        raise SchemaError("a retrieval model needs to know what is liked", expected="one binary target", got=str(found))
    return str(found[0])


def _rows(model: mm.Model, data: Transformed, columns: FeatureSchema, folder: Path) -> dict[str, Path]:
    """Files of the rows that are trained on, and that the loss on valid is of."""
    if not _is_retrieval(model):
        return {split: data.file(split) for split in ("train", "valid")}
    label = _label(columns)
    return {split: liked_rows(data.file(split), label, folder / f"{split}.parquet") for split in ("train", "valid")}


def _columns(model: mm.Model, columns: FeatureSchema) -> dict[str, Any]:
    """What is read of the rows: features and, but for a model of two towers, the target."""
    target = model.model_outputs[0].target
    if not _is_retrieval(model):
        others = set(mm.select_targets(columns.schema).column_names) - {str(target)}
        return {"schema": columns.schema.excluding_by_name(sorted(others))}
    read: Any = model.input_schema
    features, targets = read.column_names, [] if target is None else [str(target)]
    used = columns.schema.select_by_name([*features, *targets])
    return {"schema": used, "label_names": targets, "feature_columns": list(features)}


def _fit(model: mm.Model, rows: dict[str, Path], columns: FeatureSchema, config: TrainConfig, epochs: Epochs) -> None:
    read = _columns(model, columns)
    train = mm.Loader(rows["train"], config.batch_size, seed_fn=lambda: config.seed, **read)
    valid = mm.Loader(rows["valid"], VALID_BATCH, shuffle=False, **read)
    if epochs.next_epoch:
        emit(STEP, "message", text=f"going on after epoch {epochs.next_epoch}")
    epochs.batches = len(train)
    prefer_huge_pages_for_training(model)
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
        "built": untrained.metadata.get("config"),
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
