"""Artifacts of a made log with columns of its own, and a stand-in for its model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.io import write_json
from emrys.components.contracts.data_schema import DataSchema, TargetKind
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.step import run

_TAGS = {
    TargetKind.BINARY: Tags.BINARY_CLASSIFICATION,
    TargetKind.REGRESSION: Tags.REGRESSION,
    TargetKind.CLASSES: Tags.MULTI_CLASS_CLASSIFICATION,
}


def write(root: Path, schema: DataSchema, tables: Mapping[str, Mapping[str, object]]) -> Path:
    """Writes splits, transformed splits, schema and a model that is never loaded."""
    arrow = {
        split: pa.table({name: pa.array(values) for name, values in columns.items()}).select(schema.arrow.names)
        for split, columns in tables.items()
    }
    arrow = {split: table.cast(schema.arrow) for split, table in arrow.items()}
    Splits.write(root / "splits", arrow, {"dataset": "made"}, schema=schema)
    names = [target.name for target in schema.targets]
    with Transformed.create(root / "data", {}) as work:
        for split, table in arrow.items():
            pq.write_table(table.select(names), work / f"{split}.parquet")
        schema.write(work)
    targets = [ColumnSchema(each.name, tags=[Tags.TARGET, _TAGS[each.kind]]) for each in schema.targets]
    FeatureSchema.write(root / "schema", Schema(targets), {})
    with ModelArtifact.create(root / "model", {}) as work:
        (work / "model.keras").touch()
        (work / "summary.txt").touch()
        write_json(work / "history.json", [])
    return root


def evaluate(
    root: Path,
    outputs: npt.NDArray[np.float64] | Mapping[str, npt.NDArray[np.float64]],
    config: EvaluateConfig = EvaluateConfig(),  # noqa: B008 - frozen
) -> Evaluation:
    """Evaluates the outputs of a model."""
    parts = (root / name for name in ("splits", "data", "model", "schema"))
    return run(*parts, config, root / "out", predict=lambda *_: outputs)
