"""Writes the model repository: three models, each with its configuration and a version folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from blocks.errors import ArtifactError, SchemaError
from components.export_ensemble.backends import entries
from components.export_ensemble.backends.model import COLUMNS, SAVED_MODEL, SCORE, tensor_names
from components.export_ensemble.backends.transform import WORKFLOW, TransformStep
from components.export_ensemble.columns import NULL_INT64, Column, write_columns
from components.export_ensemble.config import ExportConfig
from components.export_ensemble.model_config import ensemble_config, python_config, write_config

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
) -> None:
    """Writes the folder that a Triton server takes as its model repository.

    Args:
        models: The folder to fill; it exists.
        workflow: Folder of the fitted workflow.
        saved_model: Folder of the SavedModel with the serving signature.
        config: Settings of the export.
        versions: Versions and fingerprints that the configurations carry as parameters.

    Raises:
        SchemaError: if the model wants a column that the workflow does not give.
    """
    names = RepositoryNames(config.name)

    transform_folder = _version_folder(models, names.transform, config)
    shutil.copytree(workflow, transform_folder / WORKFLOW)
    (transform_folder / WORKFLOW / "manifest.json").unlink(missing_ok=True)  # the repository has its own
    transform = TransformStep.load(transform_folder)
    _copy_entry("transform", transform_folder)
    transform_config = python_config(
        names.transform, config, transform.inputs, transform.outputs, {**versions, **NULLS}, queue_delay=0
    )
    write_config(models / names.transform / "config.pbtxt", transform_config)

    model_folder = _version_folder(models, names.model, config)
    shutil.copytree(saved_model, model_folder / SAVED_MODEL)
    inputs, output = _signature(saved_model, transform.outputs)
    write_columns(model_folder / COLUMNS, inputs, output=output)
    _copy_entry("model", model_folder)
    score = Column(SCORE, "float32")
    model_config = python_config(
        names.model,
        config,
        inputs,
        [score],
        {**versions, "threads": str(config.threads)},
        queue_delay=config.max_queue_delay,
        preferred_batch_sizes=config.preferred_batch_sizes,
    )
    write_config(models / names.model / "config.pbtxt", model_config)

    ensemble_folder = _version_folder(models, names.ensemble, config)
    # Triton wants a version folder of an ensemble too, and object stores keep no empty ones.
    (ensemble_folder / ".keep").touch()
    ensemble = ensemble_config(
        config, transform_config, model_config, {**versions, **NULLS}, raw=transform.inputs, score=score
    )
    write_config(models / names.ensemble / "config.pbtxt", ensemble)


def _version_folder(models: Path, name: str, config: ExportConfig) -> Path:
    folder = models / name / str(config.version)
    folder.mkdir(parents=True)
    return folder


def _copy_entry(entry: str, folder: Path) -> None:
    shutil.copyfile(Path(entries.__path__[0]) / f"{entry}.py", folder / "model.py")


def _signature(saved_model: Path, available: tuple[Column, ...]) -> tuple[tuple[Column, ...], str]:
    """Which of the available columns a SavedModel takes, and the name of its output."""
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
