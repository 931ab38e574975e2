"""The work of the export, on folders and callables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

import emrys.blocks as mm
from emrys.components.artifacts.triton_repository import TritonRepository
from emrys.components.export_ensemble.comparing import TransformTable
from emrys.components.export_ensemble.handing_out import hand_out
from emrys.components.export_retrieval.backends.retrieve import output_columns
from emrys.components.export_retrieval.config import ExportRetrievalConfig
from emrys.components.export_retrieval.held_out import held_out_queries
from emrys.components.export_retrieval.parity import STEP, RecommendTable, check_parity
from emrys.components.export_retrieval.readme import readme
from emrys.components.export_retrieval.recommender import Recommender
from emrys.components.export_retrieval.repository import write_repository


def export(
    recommender: Recommender,
    workflow: Path,
    held_out: pa.Table,
    config: ExportRetrievalConfig,
    output: Path,
    offline_transform: TransformTable,
    offline_recommend: RecommendTable,
    versions: Mapping[str, str],
    recall_floor: float = 0.0,
) -> TritonRepository:
    """Writes a model repository, holds it against the offline path, and hands it out if they agree.

    Args:
        recommender: What recommends.
        workflow: Folder of the fitted workflow of the query's columns.
        held_out: Raw rows that the model was not trained on.
        config: Settings.
        output: Where the repository shall stand.
        offline_transform: The workflow as it was fitted: raw table to transformed table.
        offline_recommend: The trained model: what is recommended to each row.
        versions: Versions and fingerprints that travel with the models.
        recall_floor: Share of the exact results below which an approximate search fails.

    Returns:
        The repository.

    Raises:
        EmrysError: if an input cannot be used, the server refuses, or results differ; nothing is then at `output`.
    """
    exact = isinstance(recommender.index, mm.BruteForce)
    outputs, k, items = output_columns(recommender.items), recommender.index.k, recommender.items.num_rows
    return hand_out(
        STEP,
        config,
        output,
        write=lambda models: write_repository(models, workflow, recommender, config, versions),
        page=lambda inputs: readme(
            config,
            inputs,
            versions,
            user=recommender.user,
            histories=recommender.histories,
            item_dtype=outputs[0].dtype,
            k=k,
            items=items,
            exact=exact,
        ),
        choose=lambda inputs: held_out_queries(held_out, inputs, config.parity_rows, config.seed, recommender),
        check=lambda models, rows: check_parity(
            models, rows, recommender.items["key"], offline_transform, offline_recommend, config, recall_floor
        ),
        facts={
            "task": "retrieval",
            "versions": dict(versions),
            "outputs": [asdict(column) for column in outputs],
            "k": k,
            "items": items,
            "search": "exact" if exact else "approximate",
        },
    )
