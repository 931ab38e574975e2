"""Trains a model until the valid split stops improving."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import EmrysError, SchemaError
from emrys.blocks.inputs.embedding_table import embedding_tables
from emrys.blocks.io import write_json
from emrys.blocks.utils.huge_pages import prefer_huge_pages_for_training
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.events import emit, step_events
from emrys.components.train.averaging import averaged_weights, count_ids
from emrys.components.train.catalogue_validation import CatalogueValidation
from emrys.components.train.checkpoints import Checkpoints
from emrys.components.train.config import STEP, TrainConfig
from emrys.components.train.epochs import Epochs
from emrys.components.train.positives import write_positives

__all__ = ["TrainConfig", "run"]

#: Rows of a batch of the valid split, which needs no memory for gradients.
VALID_BATCH = 8192


def run(data: Path, schema: Path, model: Path, config: TrainConfig, output: Path) -> ModelArtifact:
    """Trains a model and writes it with the weights of its best epoch.

    A checkpoint keeps the whole state after every epoch. With the same inputs and checkpoint folder, an interrupted
    step resumes and ends with the same model as an uninterrupted run.

    A retrieval model is trained on the rows with a positive label only.

    Args:
        data: Artifact with the transformed splits.
        schema: Artifact with their schema.
        model: Artifact with the untrained model.
        config: Settings.
        output: Folder of the model artifact.

    Returns:
        The artifact.

    Raises:
        EmrysError: if the loss becomes NaN or infinite.
    """
    with step_events(STEP):
        # Before a model is loaded: layers with random numbers take their seeds when they are created.
        keras.utils.set_random_seed(config.seed)
        # Otherwise parallel sums in varying order make two runs with the same seed differ.
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
            evaluation_weights = functools.partial(averaged_weights, trained, tables, count_ids(rows["train"], tables))
            validation = None
            if isinstance(trained, mm.RetrievalModelV2):
                validation = CatalogueValidation(transformed, columns.schema, _label(columns), trained)
            epochs = Epochs(config, checkpoints, resumed, evaluation_weights, validation)
            if not epochs.finished:
                _fit(trained, rows, columns, config, epochs)
        artifact = _write(trained, epochs, untrained, config, output)
        checkpoints.delete()
        return artifact


def _digest(model: mm.Model, artifact: ModelArtifact) -> str:
    # Not the digest of the file, which contains the time of saving.
    digest = hashlib.sha256(json.dumps(artifact.metadata, sort_keys=True).encode())
    for weight in model.weights:
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def _is_retrieval(model: mm.Model) -> bool:
    return isinstance(model, mm.RetrievalModelV2)


def _label(columns: FeatureSchema) -> str:
    """Name of the binary label."""
    names = columns.schema.select_by_tag(Tags.BINARY_CLASSIFICATION).column_names
    if len(names) != 1:
        raise SchemaError("a retrieval model needs exactly one binary target", expected="one column", got=str(names))
    return str(names[0])


def _rows(model: mm.Model, data: Transformed, columns: FeatureSchema, folder: Path) -> dict[str, Path]:
    """Files of the rows for training and for the loss on valid."""
    if not _is_retrieval(model):
        return {split: data.file(split) for split in ("train", "valid")}
    label = _label(columns)
    return {
        split: write_positives(data.file(split), label, folder / f"{split}.parquet") for split in ("train", "valid")
    }


def _columns(model: mm.Model, columns: FeatureSchema) -> dict[str, Any]:
    """Columns that the loaders read: features, and the target unless the model is a two-tower model."""
    target = model.model_outputs[0].target
    if not _is_retrieval(model):
        others = set(mm.select_targets(columns.schema).column_names) - {str(target)}
        return {"schema": columns.schema.excluding_by_name(sorted(others))}
    input_schema: Schema = model.input_schema
    features, targets = input_schema.column_names, [] if target is None else [str(target)]
    used = columns.schema.select_by_name([*features, *targets])
    return {"schema": used, "label_names": targets, "feature_columns": list(features)}


def _fit(model: mm.Model, rows: dict[str, Path], columns: FeatureSchema, config: TrainConfig, epochs: Epochs) -> None:
    read = _columns(model, columns)
    train = mm.Loader(rows["train"], config.batch_size, seed_fn=lambda: config.seed, **read)
    valid = mm.Loader(rows["valid"], VALID_BATCH, shuffle=False, **read)
    if epochs.next_epoch:
        emit(STEP, "message", text=f"resuming after epoch {epochs.next_epoch}")
    epochs.batches = len(train)
    prefer_huge_pages_for_training(model)
    model.fit(
        train,
        validation_data=valid,
        initial_epoch=epochs.next_epoch,
        epochs=config.epochs,
        callbacks=[train.epoch_callback(), _reseeding(model, config.seed), epochs],
        verbose=0,
    )


def _reseeding(model: keras.Model, seed: int) -> keras.callbacks.Callback:
    """Callback that seeds the random generators of a model by the number of the epoch.

    A `.keras` file does not hold the states of the generators. Without this callback, a resumed run would draw other
    numbers for dropout than an uninterrupted one.
    """
    others = {id(variable) for variable in (*model.weights, *model.metrics_variables)}
    states = [variable for variable in model.variables if id(variable) not in others]

    def reseed(epoch: int, logs: object = None) -> None:
        for index, state in enumerate(states):
            state.assign(np.random.SeedSequence([seed, epoch, index]).generate_state(state.shape[0]))

    return keras.callbacks.LambdaCallback(on_epoch_begin=reseed)


def _write(
    model: mm.Model, epochs: Epochs, untrained: ModelArtifact, config: TrainConfig, output: Path
) -> ModelArtifact:
    if epochs.diverged:
        raise EmrysError(
            "the loss is not finite",
            step=STEP,
            got=f"epoch {epochs.next_epoch + 1}",
            fix="Lower learning_rate, or check the data for infinite values.",
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
