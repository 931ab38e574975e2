"""Scores of the model that is in production, on the same raw rows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from blocks.workflow import FittedWorkflow
from components.artifacts.feature_schema import FeatureSchema
from components.artifacts.model import ModelArtifact
from components.evaluate.predict import predict_scores
from components.registry.registry import Registry
from components.running import emit


def production_scores(
    registry: str, name: str, raw: Path, target: str, batch_size: int, step: str = "evaluate"
) -> npt.NDArray[np.float64] | None:
    """What the model in production says of raw rows, with the workflow that it was promoted with.

    Args:
        registry: Folder or bucket of the registry; empty for none.
        name: Name of the model there.
        raw: Raw test split.
        target: The label, whose column the scores are read with.
        batch_size: Rows that the model scores at once.
        step: Step that tells which version it is.

    Returns:
        (N,) probabilities; None where nothing is in production.

    Raises:
        ArtifactError: if the version is damaged.
        StorageError: if the registry cannot be read.
    """
    if not registry:
        return None
    known = Registry(registry, name)
    version = known.current()
    if version is None:
        emit(step, "message", text=f"nothing is in production in {known.store.uri}")
        return None
    emit(step, "message", text=f"comparing with {version.name}, which is in production")
    with tempfile.TemporaryDirectory(prefix="emrys-production-") as folder:
        parts = {part: known.fetch(version, Path(folder) / part, part) for part in ("workflow", "schema", "model")}
        table = pq.read_table(raw, partitioning=None)
        transformed = FittedWorkflow.load(parts["workflow"]).transform_table(table)
        if target not in transformed.column_names:
            transformed = transformed.append_column(target, table[target])
        rows = Path(folder) / "rows.parquet"
        pq.write_table(transformed, rows)
        schema = FeatureSchema(parts["schema"]).schema
        scores = predict_scores(ModelArtifact(parts["model"]).path, rows, schema, target, batch_size)
    return np.asarray(scores, np.float64).reshape(-1)
