"""Exports a ranking model and its workflow as a Triton ensemble that scores raw rows like the offline path."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import SchemaError
from emrys.blocks.loader import Loader
from emrys.blocks.models.export import save_serving
from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.data_schema import DataSchema, Target
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.evaluation.weighted_metrics import calibrate_back
from emrys.components.events import emit, step_events
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.preprocess.offline import transform as transform_offline
from emrys.components.serving.backends.model_step import ModelStep
from emrys.components.serving.parity import (
    ParityResult,
    TransformTable,
    amounts_of,
    check_close,
    comparison_rows,
    run_both_paths,
)
from emrys.components.serving.publishing import publish
from emrys.components.serving.readme import ranking_readme
from emrys.components.serving.repository import write_ranking_repository
from emrys.components.serving.score_outputs import ScoreOutput

STEP = "export_ensemble"

#: Transformed rows in, the model's predictions out: one array, (B, ...), or one by name of the prediction.
ScoreTable = Callable[[pa.Table], npt.NDArray[Any] | Mapping[str, npt.NDArray[Any]]]


def run(
    model: Path, workflow: Path, schema: Path, splits: Path, config: ExportConfig, output: Path
) -> TritonRepository:
    """Runs the step on the folders of artifacts.

    Args:
        model: Trained model.
        workflow: Fitted workflow.
        schema: Schema of the transformed data.
        splits: Raw splits; the parity check samples rows of the test split.
        config: Settings.
        output: Destination of the repository.

    Returns:
        The repository.

    Raises:
        EmrysError: if an input cannot be used, or served scores differ from offline scores; nothing is then written.
    """
    with step_events(STEP):
        network, fitted = ModelArtifact(model), FittedWorkflowArtifact(workflow)
        features, raw = FeatureSchema(schema), Splits(splits)
        emit(STEP, "progress", done=0, total=3, text="saving the model for serving")
        keras_model, columns = network.load(), features.schema
        data = raw.data_schema
        with tempfile.TemporaryDirectory(prefix="emrys-export-") as temporary:
            _save(keras_model, Path(temporary) / "saved_model", columns)
            return export(
                saved_model=Path(temporary) / "saved_model",
                workflow=fitted.path,
                held_out=raw.read("test"),
                config=config,
                output=output,
                offline_transform=lambda table: transform_offline(fitted.path, table),
                offline_score=lambda table: _score(keras_model, table, columns),
                versions={
                    "emrys": metadata.version("emrys"),
                    "model": network.fingerprint,
                    "workflow": fitted.fingerprint,
                    "schema": features.fingerprint,
                },
                targets=_targets(network, data),
                negatives=data.negatives,
                time_units=data.time_units,
            )


def export(
    saved_model: Path,
    workflow: Path,
    held_out: pa.Table,
    config: ExportConfig,
    output: Path,
    offline_transform: TransformTable,
    offline_score: ScoreTable,
    versions: Mapping[str, str],
    targets: Sequence[Target] = (),
    negatives: int = 0,
    time_units: Mapping[str, str] | None = None,
) -> TritonRepository:
    """Writes a model repository, compares it with the offline path, and publishes it if both agree.

    Args:
        saved_model: SavedModel with the serving signature.
        workflow: Folder of the fitted workflow.
        held_out: Raw rows that the model was not trained on.
        config: Settings.
        output: Destination of the repository.
        offline_transform: The workflow as it was fitted: raw table to transformed table.
        offline_score: The trained model: transformed table to its predictions.
        versions: Versions and fingerprints of the inputs, recorded with the models.
        targets: Targets that the model predicts. Default: one binary target, that of the only output.
        negatives: Negatives that were drawn for each positive row. Default: 0.
        time_units: Unit of each raw column of times. Default: there is none.

    Returns:
        The repository.

    Raises:
        EmrysError: if an input cannot be used, the server refuses, or scores differ; `output` is then unchanged.
    """
    with publish(STEP, config, output) as draft:
        inputs, outputs = write_ranking_repository(
            draft.models, workflow, saved_model, config, versions, targets, negatives, time_units
        )
        draft.write_readme(ranking_readme(config, inputs, outputs, versions))
        rows = comparison_rows(
            held_out, inputs, config.parity_rows, config.seed, amounts_of(FittedWorkflow.load(workflow))
        )
        draft.report_comparison(rows.num_rows)
        parity = check_parity(draft.models, rows, outputs, offline_transform, offline_score, config)
        described = [output.to_json() for output in outputs]
        draft.accept(inputs, parity, task="ranking", versions=dict(versions), outputs=described)
    return TritonRepository(output)


def check_parity(
    models: str | os.PathLike[str],
    rows: pa.Table,
    outputs: Sequence[ScoreOutput],
    offline_transform: TransformTable,
    offline_score: ScoreTable,
    config: ExportConfig,
) -> ParityResult:
    """Checks that an exported ensemble scores raw rows like the offline path.

    The transformed columns are compared before the scores, so that a difference is reported where it arises.

    Args:
        models: The model repository.
        rows: Raw rows; see `comparison_rows`.
        outputs: Outputs of the ensemble.
        offline_transform: The workflow as it was fitted: raw table to transformed table, same rows.
        offline_score: The trained model: transformed table to its predictions.
        config: Settings of the export.

    Returns:
        Summary of the check.

    Raises:
        ParityError: naming the first column or output that differs, with the row and both values.
        DependencyError: if there is no server and `config.require_server` requires one.
        ServingError: if the server does not start or refuses a row.
    """
    paths = run_both_paths(models, rows, offline_transform, config, STEP, ModelStep)
    predicted = offline_score(paths.offline)
    differences = []
    for output in outputs:
        served = paths.served[output.name].astype(np.float64)
        expected = _expected(output, predicted)
        if not output.classes:
            expected, served = expected.reshape(-1), served.reshape(-1)
        differences.append(check_close(output.name, expected, served, config.tolerance))
    return ParityResult(rows=rows.num_rows, max_abs_difference=max(differences), through=paths.through)


def _expected(
    output: ScoreOutput, predicted: npt.NDArray[Any] | Mapping[str, npt.NDArray[Any]]
) -> npt.NDArray[np.float64]:
    """Values of an output by the offline path: (B, 1), or (B, C) for C classes."""
    predictions = predicted[output.tensor] if isinstance(predicted, Mapping) else predicted
    values = np.asarray(predictions, dtype=np.float64).reshape(len(predictions), -1)
    return calibrate_back(values, output.negatives)


def _targets(model: ModelArtifact, data: DataSchema) -> tuple[Target, ...]:
    """Targets that the model predicts, with their classes, in the order of the data schema."""
    predicted = model.targets
    known = [target for target in data.targets if target.name in predicted]
    names = [target.name for target in known]
    return (*known, *(Target(name, kind) for name, kind in predicted.items() if name not in names))


def _save(model: keras.Model, path: Path, schema: Schema) -> None:
    """Saves the model for serving; for a Keras model of the user's own, its columns are those of the schema."""
    if isinstance(model, mm.Model):
        save_serving(model, path)
        return
    features = schema.excluding_by_name(mm.select_targets(schema).column_names)
    try:
        save_serving(model, path, features)
    except SchemaError:
        raise
    except Exception as error:  # the user's code may raise anything
        first_line = (str(error).strip().splitlines() or [""])[0]
        raise SchemaError(
            "the model cannot be saved as a graph of TensorFlow",
            expected="a model whose call uses operations of TensorFlow or keras.ops on its inputs",
            got=f"{type(error).__name__}: {first_line}",
            fix="Replace NumPy and Python on values of a batch by such operations.",
        ) from error


def _score(model: keras.Model, table: pa.Table, schema: Schema) -> npt.NDArray[Any] | dict[str, npt.NDArray[Any]]:
    """Predictions of the Keras model for a transformed table, which has no targets."""
    features = schema.select_by_name(table.column_names)
    loader = Loader(table, batch_size=1024, schema=features, label_names=[], shuffle=False)
    outputs = model.predict(loader if isinstance(model, mm.Model) else loader.to_tf_dataset(), verbose=0)
    if isinstance(outputs, Mapping):
        return {name: np.asarray(values) for name, values in outputs.items()}
    return np.asarray(outputs)
