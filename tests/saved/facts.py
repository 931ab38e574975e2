"""Artifacts by kind, and what reading one back gives, as JSON values."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from emrys.components.contracts import (
    Artifact,
    Evaluation,
    FeatureSchema,
    FittedWorkflowArtifact,
    GateDecision,
    MeasuredRows,
    ModelArtifact,
    RetrievalEvaluation,
    Splits,
    Statistics,
    Transformed,
    TritonRepository,
)

SPLITS = ("train", "valid", "test")


def as_json(value: Any) -> Any:
    """The value in lists, dictionaries, numbers, texts and None; what is not finite is spelled out."""
    if isinstance(value, pa.Table):
        return {name: as_json(value[name].to_pylist()) for name in value.column_names}
    if isinstance(value, dict):
        return {str(name): as_json(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [as_json(each) for each in value]
    if isinstance(value, np.generic):
        return as_json(value.item())
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _splits(artifact: Splits | Transformed) -> dict[str, Any]:
    return {
        "columns": artifact.columns,
        "types": {name: str(artifact.read("train")[name].type) for name in artifact.columns},
        "rows": {split: artifact.read(split) for split in SPLITS},
    }


def _rows(rows: MeasuredRows) -> dict[str, Any]:
    return {
        "units": rows.units,
        "unit_count": rows.unit_count,
        "metrics": rows.metrics,
        "scorers": rows.scorers,
        "labels": rows.labels,
        "scores": rows.scores,
        "values": {f"{metric}/{scorer}": values for (metric, scorer), values in rows.values.items()},
        "slices": rows.slices,
    }


def _evaluation(artifact: Evaluation) -> dict[str, Any]:
    return {
        "metrics": artifact.metrics,
        "curves": artifact.curves,
        "rows": _rows(artifact.rows),
        "report": artifact.report.read_text(encoding="utf-8")[:15],
    }


def _retrieval_evaluation(artifact: RetrievalEvaluation) -> dict[str, Any]:
    seen, lengths = artifact.seen_items.lookup(artifact.seen_items.table[artifact.user].to_numpy())
    return {
        "metrics": artifact.metrics,
        "rows": _rows(artifact.rows),
        "columns": [artifact.user, artifact.item],
        "exact": artifact.exact,
        "config": artifact.config,
        "candidates": artifact.candidates,
        "seen": [seen, lengths],
    }


def _schema(artifact: FeatureSchema) -> dict[str, Any]:
    columns = {
        column.name: {
            "dtype": column.dtype.name,
            "tags": sorted(str(tag.value) for tag in column.tags),
            "is_list": column.is_list,
            "is_ragged": column.is_ragged,
            "properties": {name: column.properties[name] for name in sorted(column.properties)},
        }
        for column in artifact.schema
    }
    return {"order": artifact.schema.column_names, "columns": columns, "roles": artifact.roles}


def _statistics(artifact: Statistics) -> dict[str, Any]:
    columns = {
        name: {
            "type": column.type,
            "kind": column.kind.value,
            "rows": column.rows,
            "nulls": column.nulls,
            "distinct": column.distinct,
            "null_share": column.null_share,
            "mean": None if column.numbers is None else column.numbers.mean,
            "quantiles": None if column.numbers is None else dict(column.numbers.quantiles),
            "histogram": None if column.numbers is None else [column.numbers.edges, column.numbers.counts],
            "top": None if column.values is None else column.values.top,
            "mean_length": None if column.lengths is None else column.lengths.mean,
        }
        for name, column in artifact.columns.items()
    }
    return {
        "columns": columns,
        "rows": artifact.rows,
        "verdict": artifact.verdict,
        "findings": artifact.findings,
        "plots": sorted(artifact.plots),
        "report": artifact.report.read_text(encoding="utf-8")[:15],
    }


def _workflow(artifact: FittedWorkflowArtifact) -> dict[str, Any]:
    workflow = artifact.workflow
    splits = Splits(artifact.path.parent / Splits.kind)  # what it was fitted on lies beside it
    return {
        "targets": workflow.targets,
        "raw_columns": [[column.name, column.dtype, column.is_list] for column in workflow.raw_columns],
        "output_columns": [
            [column.name, column.dtype, column.is_list, column.cardinality] for column in workflow.output_columns
        ],
        "transformed": workflow.transform_table(splits.read("test")),
    }


def _model(artifact: ModelArtifact) -> dict[str, Any]:
    model = artifact.load()
    return {
        "model": type(model).__name__,
        "summary": artifact.summary,
        "history": artifact.history,
        "parameters": model.count_params(),
        "optimizer": type(model.optimizer).__name__,
        "steps": int(model.optimizer.iterations),
    }


def _decision(artifact: GateDecision) -> dict[str, Any]:
    return {"passed": artifact.passed, "reasons": artifact.reasons, "decision": artifact.decision}


#: By name of the folder: the class, and what is read of it.
KINDS: dict[str, tuple[type[Artifact], Callable[[Any], dict[str, Any]]]] = {
    "splits": (Splits, _splits),
    "statistics": (Statistics, _statistics),
    "transformed": (Transformed, _splits),
    "workflow": (FittedWorkflowArtifact, _workflow),
    "schema": (FeatureSchema, _schema),
    "model": (ModelArtifact, _model),
    "evaluation": (Evaluation, _evaluation),
    "retrieval_evaluation": (RetrievalEvaluation, _retrieval_evaluation),
    "gate": (GateDecision, _decision),
    "gate_refused": (GateDecision, _decision),
    "triton_repository": (TritonRepository, lambda artifact: {"name": artifact.name, "models": artifact.models.name}),
}


def facts(kind: str, folder: Path) -> dict[str, Any]:
    """The artifact of a folder, read."""
    opened, describe = KINDS[kind]
    artifact = opened.open(folder)
    return as_json(
        {
            "fingerprint": artifact.fingerprint,
            "files": artifact.files,
            "metadata": artifact.metadata,
            **describe(artifact),
        }
    )
