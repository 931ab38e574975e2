"""Writing the model repository of an ensemble: three models, each with its configuration and a version folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf
from tritonclient.grpc.model_config_pb2 import ModelConfig

from emrys.blocks.errors import SchemaError
from emrys.components.contracts.data_schema import Target
from emrys.components.serving.backends import entries
from emrys.components.serving.backends.saved_signature import COLUMNS, SAVED_MODEL, tensor_names
from emrys.components.serving.backends.transform_step import WORKFLOW, TransformStep
from emrys.components.serving.columns import NULL_INT64, Column, write_columns
from emrys.components.serving.config import EnsembleConfig
from emrys.components.serving.model_config import (
    CLASSES,
    UNITS,
    EnsembleNames,
    ensemble_config,
    python_config,
    write_config,
)
from emrys.components.serving.score_outputs import ScoreOutput, score_outputs

#: Representation of null by dtype, for callers: parameters of the configurations.
NULLS = {"null_int64": str(NULL_INT64), "null_float32": "NaN", "null_string": "the empty string", "null_list": "empty"}


def write_ranking_repository(
    models: Path,
    workflow: Path,
    saved_model: Path,
    config: EnsembleConfig,
    versions: Mapping[str, str],
    targets: Sequence[Target] = (),
    negatives: int = 0,
    time_units: Mapping[str, str] | None = None,
) -> tuple[tuple[Column, ...], tuple[ScoreOutput, ...]]:
    """Writes the model repository of a ranking ensemble, which scores raw rows.

    Args:
        models: Folder to fill; it must exist.
        workflow: Folder of the fitted workflow.
        saved_model: Folder of the SavedModel with the serving signature.
        config: Settings of the export.
        versions: Versions and fingerprints, which become parameters of the configurations.
        targets: Targets that the model predicts. Default: one binary target, that of the only output.
        negatives: Negatives that were drawn for each positive row. Default: 0.
        time_units: Unit of each raw column of times. Default: there is none.

    Returns:
        Inputs and outputs of the ensemble.

    Raises:
        SchemaError: if the model requires a column that the workflow does not produce, or has no output for a target.
    """
    signature = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    transform, transform_config = write_transform(models, workflow, config, versions)
    predictions = {name: int(tensor.shape[-1] or 1) for name, tensor in signature.structured_outputs.items()}
    outputs = score_outputs(targets, predictions, [column.name for column in transform.inputs], negatives)
    folder = version_folder(models, EnsembleNames(config.name).model, config)
    inputs = copy_saved_model(saved_model, folder, transform.outputs)
    write_columns(folder / COLUMNS, inputs, outputs=[output.to_json() for output in outputs])
    copy_entry("model", folder)
    columns = [output.column for output in outputs]
    classes = {output.name: output.classes for output in outputs if output.classes}
    parameters = {**versions, CLASSES: json.dumps(classes)} if classes else versions
    model_config = write_model_config(models, inputs, columns, config, parameters)
    parameters = {**parameters, **time_parameter(transform.inputs, time_units)}
    write_ensemble(models, transform_config, model_config, transform.inputs, columns, config, parameters)
    return transform.inputs, outputs


def write_transform(
    models: Path, workflow: Path, config: EnsembleConfig, versions: Mapping[str, str]
) -> tuple[TransformStep, ModelConfig]:
    """Writes the model that transforms raw rows.

    Args:
        models: Folder of the models.
        workflow: Folder of the fitted workflow.
        config: Settings of the export.
        versions: Versions and fingerprints.

    Returns:
        The transform, and its `ModelConfig`.
    """
    name = EnsembleNames(config.name).transform
    folder = version_folder(models, name, config)
    shutil.copytree(workflow, folder / WORKFLOW)
    (folder / WORKFLOW / "manifest.json").unlink(missing_ok=True)  # the repository has its own
    step = TransformStep.load(folder)
    copy_entry("transform", folder)
    message = python_config(name, config, step.inputs, step.outputs, {**versions, **NULLS}, queue_delay=0)
    write_config(models / name / "config.pbtxt", message)
    return step, message


def write_model_config(
    models: Path,
    inputs: Sequence[Column],
    outputs: Sequence[Column],
    config: EnsembleConfig,
    versions: Mapping[str, str],
) -> ModelConfig:
    """Writes and returns the `ModelConfig` of the model that follows the transform."""
    name = EnsembleNames(config.name).model
    message = python_config(
        name,
        config,
        inputs,
        outputs,
        {**versions, "threads": str(config.threads)},
        queue_delay=config.max_queue_delay,
        preferred_batch_sizes=config.preferred_batch_sizes,
    )
    write_config(models / name / "config.pbtxt", message)
    return message


def write_ensemble(
    models: Path,
    transform: ModelConfig,
    model: ModelConfig,
    raw: Sequence[Column],
    outputs: Sequence[Column],
    config: EnsembleConfig,
    versions: Mapping[str, str],
    untransformed: Mapping[str, str] | None = None,
) -> None:
    """Writes the ensemble that chains the two models; see `ensemble_config` for the arguments."""
    folder = version_folder(models, config.name, config)
    # Triton requires a version folder of an ensemble too, and object stores keep no empty folders.
    (folder / ".keep").touch()
    message = ensemble_config(config, transform, model, {**versions, **NULLS}, raw, outputs, untransformed)
    write_config(models / config.name / "config.pbtxt", message)


def time_parameter(inputs: Sequence[Column], units: Mapping[str, str] | None) -> dict[str, str]:
    """Returns the parameter with the units of the inputs that are times; empty if none is."""
    served = {column.name: units[column.name] for column in inputs if units and column.name in units}
    return {UNITS: json.dumps(served)} if served else {}


def version_folder(models: Path, name: str, config: EnsembleConfig) -> Path:
    """Creates the folder of a model's version."""
    folder = models / name / str(config.version)
    folder.mkdir(parents=True)
    return folder


def copy_entry(entry: str, folder: Path) -> None:
    """Copies a module of `backends.entries` as the `model.py` that Triton loads."""
    shutil.copyfile(Path(entries.__path__[0]) / f"{entry}.py", folder / "model.py")


def copy_saved_model(saved_model: Path, folder: Path, available: Sequence[Column]) -> tuple[Column, ...]:
    """Copies a SavedModel into the folder of a model's version.

    Args:
        saved_model: The SavedModel.
        folder: Folder of the version.
        available: Outputs of the transform.

    Returns:
        The columns that the model takes.

    Raises:
        SchemaError: if the model requires a column that is not available.
    """
    shutil.copytree(saved_model, folder / SAVED_MODEL)
    signature = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    required = set(signature.structured_input_signature[1])
    inputs = tuple(column for column in available if required.issuperset(tensor_names(column, required)))
    unknown = required - {name for column in inputs for name in tensor_names(column, required)}
    if unknown:
        raise SchemaError(
            "the model requires a column that the workflow does not produce",
            column=sorted(unknown)[0],
            expected=", ".join(column.name for column in available),
            fix="Fit the workflow and the model on the same schema.",
        )
    return inputs
