"""The work of the export, on folders and callables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from components.artifacts.triton_repository import TritonRepository
from components.export_ensemble.backends.transform import TransformStep
from components.export_ensemble.config import ExportConfig
from components.export_ensemble.held_out import held_out_rows
from components.export_ensemble.parity import ScoreTable, TransformTable, check_parity
from components.export_ensemble.readme import readme
from components.export_ensemble.repository import RepositoryNames, write_repository
from components.running import emit

_STEP = "export_ensemble"


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
    """Writes a model repository, holds it against the offline path, and hands it out if they agree.

    Args:
        saved_model: SavedModel with the serving signature.
        workflow: Folder of the fitted workflow.
        held_out: Raw rows that the model was not trained on.
        config: Settings.
        output: Where the repository shall stand.
        offline_transform: The workflow as it was fitted: raw table to transformed table.
        offline_score: The trained model: transformed table to one score per row.
        versions: Versions and fingerprints that travel with the models.

    Returns:
        The repository.

    Raises:
        EmrysError: if an input cannot be used, the server refuses, or scores differ; nothing is then at `output`.
    """
    described: dict[str, Any] = {"name": config.name, "version": config.version, "config": asdict(config)}
    with TritonRepository.create(output, described) as work:
        models = work / "models"
        models.mkdir()
        emit(_STEP, "progress", done=1, total=3, text="writing the model repository")
        write_repository(models, workflow, saved_model, config, versions)
        names = RepositoryNames(config.name)
        inputs = TransformStep.load(models / names.transform / str(config.version)).inputs
        (work / "README.md").write_text(readme(config, inputs, versions), encoding="utf-8")
        rows = held_out_rows(held_out, inputs, config.parity_rows, config.seed)
        emit(_STEP, "progress", done=2, total=3, text=f"comparing {rows.num_rows:,} rows with the offline path")
        result = check_parity(models, rows, offline_transform, offline_score, config)
        described.update(versions=dict(versions), inputs=[asdict(column) for column in inputs], parity=asdict(result))
        text = f"{result.rows:,} rows agree within {result.max_abs_difference:.1e} ({result.through})"
        emit(_STEP, "progress", done=3, total=3, text=text)
    return TritonRepository(output)
