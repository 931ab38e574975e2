"""The work of the export, on folders and callables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from emrys.components.artifacts.triton_repository import TritonRepository
from emrys.components.export_ensemble.comparing import TransformTable
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.export_ensemble.handing_out import hand_out
from emrys.components.export_ensemble.held_out import held_out_rows
from emrys.components.export_ensemble.parity import STEP, ScoreTable, check_parity
from emrys.components.export_ensemble.readme import readme
from emrys.components.export_ensemble.repository import write_repository


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
    return hand_out(
        STEP,
        config,
        output,
        write=lambda models: write_repository(models, workflow, saved_model, config, versions),
        page=lambda inputs: readme(config, inputs, versions),
        choose=lambda inputs: held_out_rows(held_out, inputs, config.parity_rows, config.seed),
        check=lambda models, rows: check_parity(models, rows, offline_transform, offline_score, config),
        facts={"versions": dict(versions)},
    )
