"""Scores of the model that is in production, on the same raw rows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from emrys.blocks.workflow import FittedWorkflow
from emrys.components.artifacts.feature_schema import FeatureSchema
from emrys.components.artifacts.model import ModelArtifact
from emrys.components.evaluate.predict import predict_scores
from emrys.components.registry.production import Production


def production_scores(live: Production, raw: Path, target: str, batch_size: int) -> npt.NDArray[np.float64]:
    """What the model in production says of raw rows, with the workflow that it was promoted with.

    Args:
        live: The version in production.
        raw: Raw test split.
        target: The label, whose column the scores are read with.
        batch_size: Rows that the model scores at once.

    Returns:
        (N,) probabilities.

    Raises:
        ArtifactError: if the version is damaged.
    """
    table = pq.read_table(raw, partitioning=None)
    transformed = FittedWorkflow.load(live.workflow).transform_table(table)
    schema = FeatureSchema(live.schema).schema
    for name in schema.column_names:  # the workflow leaves labels as they are
        if name not in transformed.column_names and name in table.column_names:
            transformed = transformed.append_column(name, table[name])
    with tempfile.TemporaryDirectory(prefix="emrys-production-") as folder:
        rows = Path(folder) / "rows.parquet"
        pq.write_table(transformed, rows)
        scores = predict_scores(ModelArtifact(live.model).path, rows, schema, target, batch_size)
    return np.asarray(scores, np.float64).reshape(-1)
