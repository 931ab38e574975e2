"""Writes the model repository: three models, each with its configuration and a version folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import tensorflow as tf

from emrys.blocks.errors import ArtifactError, SchemaError
from emrys.components.export_ensemble.backends import entries
from emrys.components.export_ensemble.backends.model import COLUMNS, SAVED_MODEL, SCORE, tensor_names
from emrys.components.export_ensemble.backends.transform import WORKFLOW, TransformStep
from emrys.components.export_ensemble.columns import NULL_INT64, Column, write_columns
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.export_ensemble.model_config import ensemble_config, python_config, write_config

#: How a caller says that a value is null; the repository carries it as parameters.
NULLS = {"null_int64": str(NULL_INT64), "null_float32": "NaN", "null_string": "the empty string", "null_list": "empty"}


@dataclass(frozen=True)
class RepositoryNames:
    """Names of the models of an ensemble.

    Args:
        ensemble: The ensemble.
    """

    ensemble: str

    @property
    def transform(self) -> str:
        """The model that transforms raw rows."""
        return f"{self.ensemble}_transform"

    @property
    def model(self) -> str:
        """The model that scores transformed rows."""
        return f"{self.ensemble}_model"


def write_repository(
    models: Path, workflow: Path, saved_model: Path, config: ExportConfig, versions: Mapping[str, str]
) -> tuple[Column, ...]:
    """Writes the folder that a Triton server takes as its model repository.

    Args:
        models: The folder to fill; it exists.
        workflow: Folder of the fitted workflow.
        saved_model: Folder of the SavedModel with the serving signature.
        config: Settings of the export.
        versions: Versions and fingerprints that the configurations carry as parameters.

    Returns:
        What the ensemble takes.

    Raises:
        SchemaError: if the model wants a column that the workflow does not give.
    """
    transform, transform_config = write_transform(models, workflow, config, versions)
    folder = version_folder(models, RepositoryNames(config.name).model, config)
    inputs, output = copy_saved_model(saved_model, folder, transform.outputs)
    write_columns(folder / COLUMNS, inputs, output=output)
    copy_entry(entries, "model", folder)
    score = [Column(SCORE, "float32")]
    model_config = write_model_config(models, inputs, score, config, versions)
    write_ensemble(models, transform_config, model_config, transform.inputs, score, config, versions)
    return transform.inputs


def write_transform(
    models: Path, workflow: Path, config: ExportConfig, versions: Mapping[str, str]
) -> tuple[TransformStep, Any]:
    """Writes the model that transforms raw rows.

    Args:
        models: Folder of the models.
        workflow: Folder of the fitted workflow.
        config: Settings of the export.
        versions: Versions and fingerprints.

    Returns:
        The step, and its `ModelConfig`.
    """
    name = RepositoryNames(config.name).transform
    folder = version_folder(models, name, config)
    shutil.copytree(workflow, folder / WORKFLOW)
    (folder / WORKFLOW / "manifest.json").unlink(missing_ok=True)  # the repository has its own
    step = TransformStep.load(folder)
    copy_entry(entries, "transform", folder)
    message = python_config(name, config, step.inputs, step.outputs, {**versions, **NULLS}, queue_delay=0)
    write_config(models / name / "config.pbtxt", message)
    return step, message


def write_model_config(
    models: Path,
    inputs: Sequence[Column],
    outputs: Sequence[Column],
    config: ExportConfig,
    versions: Mapping[str, str],
) -> Any:
    """Writes the `ModelConfig` of the model behind the transform, and gives it back."""
    name = RepositoryNames(config.name).model
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
    transform: Any,
    model: Any,
    raw: Sequence[Column],
    outputs: Sequence[Column],
    config: ExportConfig,
    versions: Mapping[str, str],
    untransformed: Mapping[str, str] | None = None,
) -> None:
    """Writes the ensemble that chains the two models; see `ensemble_config` for the arguments."""
    folder = version_folder(models, config.name, config)
    # Triton wants a version folder of an ensemble too, and object stores keep no empty ones.
    (folder / ".keep").touch()
    message = ensemble_config(config, transform, model, {**versions, **NULLS}, raw, outputs, untransformed)
    write_config(models / config.name / "config.pbtxt", message)


def version_folder(models: Path, name: str, config: ExportConfig) -> Path:
    """Makes the folder of a model's version."""
    folder = models / name / str(config.version)
    folder.mkdir(parents=True)
    return folder


def copy_entry(package: ModuleType, entry: str, folder: Path) -> None:
    """Copies the file that Triton loads from a package of them."""
    shutil.copyfile(Path(package.__path__[0]) / f"{entry}.py", folder / "model.py")


def copy_saved_model(saved_model: Path, folder: Path, available: Sequence[Column]) -> tuple[tuple[Column, ...], str]:
    """Copies a SavedModel into the folder of a model's version.

    Args:
        saved_model: The SavedModel.
        folder: Folder of the version.
        available: What the transform gives.

    Returns:
        Which of the columns it takes, and the name of its output.

    Raises:
        ArtifactError: if it has not one output.
        SchemaError: if it wants a column that is not there.
    """
    shutil.copytree(saved_model, folder / SAVED_MODEL)
    signature = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    wanted = set(signature.structured_input_signature[1])
    outputs = sorted(signature.structured_outputs)
    if len(outputs) != 1:
        raise ArtifactError(
            "the model has not one output", path=saved_model, expected="one score", got=", ".join(outputs) or "none"
        )
    inputs = tuple(column for column in available if wanted.issuperset(tensor_names(column)))
    unknown = wanted - {name for column in inputs for name in tensor_names(column)}
    if unknown:
        raise SchemaError(
            "the model wants a column that the workflow does not give",
            column=sorted(unknown)[0],
            expected=", ".join(column.name for column in available),
            fix="Fit the workflow and the model on the same schema.",
        )
    return inputs, outputs[0]
