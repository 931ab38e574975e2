"""Exports a ranking model and its workflow as a Triton ensemble that scores raw rows like the offline path."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from merlin.schema import Schema

from emrys.blocks.errors import SchemaError
from emrys.blocks.loader import Loader
from emrys.blocks.models.export import save_serving
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.events import emit, step_events
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.preprocess.offline import transform as transform_offline
from emrys.components.serving.backends.model_step import SCORE, ModelStep
from emrys.components.serving.parity import (
    ParityResult,
    TransformTable,
    check_close,
    comparison_rows,
    run_both_paths,
)
from emrys.components.serving.publishing import publish
from emrys.components.serving.readme import ranking_readme
from emrys.components.serving.repository import write_ranking_repository

STEP = "export_ensemble"

#: Transformed rows in, one score per row out.
ScoreTable = Callable[[pa.Table], npt.NDArray[Any]]


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
        keras_model = network.load()
        with tempfile.TemporaryDirectory(prefix="emrys-export-") as temporary:
            save_serving(keras_model, Path(temporary) / "saved_model")
            return export(
                saved_model=Path(temporary) / "saved_model",
                workflow=fitted.path,
                held_out=raw.read("test"),
                config=config,
                output=output,
                offline_transform=lambda table: transform_offline(fitted.path, table),
                offline_score=lambda table: _score(keras_model, table, features.schema),
                versions={
                    "emrys": metadata.version("emrys"),
                    "model": network.fingerprint,
                    "workflow": fitted.fingerprint,
                    "schema": features.fingerprint,
                },
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
) -> TritonRepository:
    """Writes a model repository, compares it with the offline path, and publishes it if both agree.

    Args:
        saved_model: SavedModel with the serving signature.
        workflow: Folder of the fitted workflow.
        held_out: Raw rows that the model was not trained on.
        config: Settings.
        output: Destination of the repository.
        offline_transform: The workflow as it was fitted: raw table to transformed table.
        offline_score: The trained model: transformed table to one score per row.
        versions: Versions and fingerprints of the inputs, recorded with the models.

    Returns:
        The repository.

    Raises:
        EmrysError: if an input cannot be used, the server refuses, or scores differ; `output` is then unchanged.
    """
    with publish(STEP, config, output) as draft:
        inputs = write_ranking_repository(draft.models, workflow, saved_model, config, versions)
        draft.write_readme(ranking_readme(config, inputs, versions))
        rows = comparison_rows(held_out, inputs, config.parity_rows, config.seed)
        draft.report_comparison(rows.num_rows)
        parity = check_parity(draft.models, rows, offline_transform, offline_score, config)
        draft.accept(inputs, parity, versions=dict(versions))
    return TritonRepository(output)


def check_parity(
    models: str | os.PathLike[str],
    rows: pa.Table,
    offline_transform: TransformTable,
    offline_score: ScoreTable,
    config: ExportConfig,
) -> ParityResult:
    """Checks that an exported ensemble scores raw rows like the offline path.

    The transformed columns are compared before the scores, so that a difference is reported where it arises.

    Args:
        models: The model repository.
        rows: Raw rows; see `comparison_rows`.
        offline_transform: The workflow as it was fitted: raw table to transformed table, same rows.
        offline_score: The trained model: transformed table to one score per row.
        config: Settings of the export.

    Returns:
        Summary of the check.

    Raises:
        ParityError: naming the first column that differs, or "score", with the row and both values.
        DependencyError: if there is no server and `config.require_server` requires one.
        ServingError: if the server does not start or refuses a row.
    """
    outputs = run_both_paths(models, rows, offline_transform, config, STEP, ModelStep)
    expected = np.asarray(offline_score(outputs.offline), dtype=np.float64).reshape(-1)
    served = outputs.served[SCORE].reshape(-1).astype(np.float64)
    difference = check_close(SCORE, expected, served, config.tolerance)
    return ParityResult(rows=rows.num_rows, max_abs_difference=difference, through=outputs.through)


def _score(model: Any, table: pa.Table, schema: Schema) -> npt.NDArray[Any]:
    """Scores a transformed table, which has no targets, with the Keras model: (B,)."""
    features = schema.select_by_name(table.column_names)
    outputs = model.predict(Loader(table, batch_size=1024, schema=features, label_names=[], shuffle=False), verbose=0)
    if isinstance(outputs, Mapping):
        if len(outputs) != 1:
            raise SchemaError(
                "the model must have exactly one output", expected="one score", got=", ".join(outputs) or "none"
            )
        outputs = next(iter(outputs.values()))
    return np.asarray(outputs).reshape(-1)
