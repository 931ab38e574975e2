"""Trains a model until the valid split stops improving."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.errors import EmrysError
from emrys.blocks.inputs.embedding_table import embedding_tables
from emrys.blocks.io import write_json
from emrys.blocks.models.sample_inputs import sample_inputs
from emrys.blocks.utils.huge_pages import prefer_huge_pages_for_training
from emrys.components.build_model.layers import MarkedHistory
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.events import emit, step_events
from emrys.components.train.averaging import averaged_weights, count_ids
from emrys.components.train.catalogue_validation import CatalogueValidation
from emrys.components.train.checkpoints import Checkpoints
from emrys.components.train.config import STEP, TrainConfig
from emrys.components.train.epochs import Epochs
from emrys.components.train.rows import RowColumns
from emrys.components.train.tracking import tracked, write_event_files

__all__ = ["TrainConfig", "run"]

#: Metadata of the untrained model that describe the trained one too.
_KEPT = ("targets", "sample_space", "modules")
#: Rows of a batch of the valid split, which needs no memory for gradients.
VALID_BATCH = 8192


def run(data: Path, schema: Path, model: Path, config: TrainConfig, output: Path) -> ModelArtifact:
    """Trains a model and writes it with the weights of its best epoch.

    A checkpoint keeps the whole state after every epoch. With the same inputs and checkpoint folder, an interrupted
    step resumes and ends with the same model as an uninterrupted run.

    A retrieval model is trained on the rows with a positive label only; on all rows, if the log has no label.

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
        trained = untrained.load_file(resumed.model) if resumed else model_to_train
        if config.learning_rate is not None and resumed is None:
            trained.optimizer.learning_rate = config.learning_rate
        rows = RowColumns.of(trained, untrained, columns)
        settings = {**asdict(config), **untrained.metadata.get("config", {})}
        with (
            tempfile.TemporaryDirectory(prefix="emrys-train-") as folder_of_rows,
            tracked(config.tracking, settings) as report,
        ):
            files = rows.files(transformed, Path(folder_of_rows))
            layers = layers_inside([trained])
            tables = embedding_tables([trained])
            marked = [layer.column for layer in layers if isinstance(layer, MarkedHistory)]
            counts = count_ids(files["train"], tables, marked)
            evaluation_weights = functools.partial(averaged_weights, trained, tables, counts)
            validation = CatalogueValidation.of(
                transformed, columns.schema, rows.positives, trained, config.exclude_seen
            )
            epochs = Epochs(config, checkpoints, resumed, evaluation_weights, validation, report)
            if not epochs.finished:
                _fit(trained, files, rows, columns, config, epochs)
        artifact = _write(trained, epochs, untrained, config, output)
        checkpoints.delete()
        return artifact


def _digest(model: keras.Model, artifact: ModelArtifact) -> str:
    # Not the digest of the file, which contains the time of saving.
    digest = hashlib.sha256(json.dumps(artifact.metadata, sort_keys=True).encode())
    for weight in model.weights:
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def _fit(
    model: keras.Model,
    files: dict[str, Path],
    rows: RowColumns,
    columns: FeatureSchema,
    config: TrainConfig,
    epochs: Epochs,
) -> None:
    plain = not isinstance(model, mm.Model)
    single = plain and not isinstance(model(sample_inputs(rows.features, batch_size=1)), Mapping)
    batch_size = config.batch_size_of(pq.read_metadata(files["train"]).num_rows)
    train = rows.loader(files["train"], batch_size, columns.schema, single, seed_fn=lambda: config.seed)
    valid = rows.loader(files["valid"], VALID_BATCH, columns.schema, single, shuffle=False)
    if epochs.next_epoch:
        emit(STEP, "message", text=f"resuming after epoch {epochs.next_epoch}")
    epochs.batches = len(train)
    prefer_huge_pages_for_training(model)
    with train.reading_errors(), valid.reading_errors():
        model.fit(
            train.to_tf_dataset() if plain else train,
            validation_data=valid.to_tf_dataset() if plain else valid,
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
    model: keras.Model, epochs: Epochs, untrained: ModelArtifact, config: TrainConfig, output: Path
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
        **{name: untrained.metadata[name] for name in _KEPT if name in untrained.metadata},
        "epochs": len(epochs.history),
        "best_epoch": epochs.best_epoch,
        config.monitor: epochs.best,
    }
    with ModelArtifact.create(output, metadata) as work:
        model.save(work / "model.keras")
        (work / "summary.txt").write_text(untrained.summary, encoding="utf-8")
        write_json(work / "history.json", epochs.history)
        write_event_files(work / "tensorboard", epochs.history)
    return ModelArtifact(output)
