"""Recommendations of the model that is in production, from the same raw rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.workflow import FittedWorkflow
from components.artifacts.feature_schema import FeatureSchema
from components.artifacts.model import ModelArtifact
from components.evaluate_retrieval.config import STEP, EvaluateRetrievalConfig
from components.registry.registry import Registry
from components.retrieval.queries import Queries
from components.retrieval.search import recommend
from components.running import emit


def production_places(
    config: EvaluateRetrievalConfig, queries: Queries, users: pa.Table, items: pa.Table, item: str, layer: Any
) -> npt.NDArray[np.int64] | None:
    """What the model in production recommends, with the workflow that it was promoted with.

    It knows the items that it was trained with; of those that came later it recommends none.

    Args:
        config: Names the registry; without one there is nothing in production.
        queries: Who is recommended to.
        users: A raw row for each query.
        items: A raw row for each item of the catalogue.
        item: Column of the item's id.
        layer: A top-k layer.

    Returns:
        Places (Q, K) in the catalogue; None where nothing is in production.

    Raises:
        ArtifactError: if the version is damaged.
        StorageError: if the registry cannot be read.
    """
    if not config.registry:
        return None
    known = Registry(config.registry, config.model_name)
    version = known.current()
    if version is None:
        emit(STEP, "message", text=f"nothing is in production in {known.store.uri}")
        return None
    emit(STEP, "message", text=f"comparing with {version.name}, which is in production")
    with tempfile.TemporaryDirectory(prefix="emrys-production-") as folder:
        parts = {part: known.fetch(version, Path(folder) / part, part) for part in ("workflow", "schema", "model")}
        workflow = FittedWorkflow.load(parts["workflow"])
        return recommend(
            ModelArtifact(parts["model"]).load(),
            FeatureSchema(parts["schema"]).schema,
            workflow.transform_table(users),
            workflow.transform_table(items),
            item,
            queries.seen,
            layer,
            config.batch_size,
        ).places
