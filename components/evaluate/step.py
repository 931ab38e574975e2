"""Evaluates a trained model on the test split: metrics, baselines beside them, curves and a report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from blocks.errors import ArtifactError, EmrysError
from blocks.io import write_json
from components.artifacts.evaluation import Evaluation
from components.artifacts.feature_schema import FeatureSchema
from components.artifacts.model import ModelArtifact
from components.artifacts.splits import Splits
from components.artifacts.transformed import Transformed
from components.evaluate.config import EvaluateConfig
from components.evaluate.facts import ColumnFacts, SplitFacts, plain_facts, versions
from components.evaluate.interactions import read_interactions
from components.evaluate.measured import measured_rows
from components.evaluate.predict import predict_scores
from components.evaluate.production import production_scores
from components.evaluate.report import Report
from components.evaluate.roles import Roles
from components.evaluate.scorecard import Scorecard, evaluate_scores
from components.evaluate.slices import slices_of
from components.running import emit, running

__all__ = ["EvaluateConfig", "best_auc", "run"]

STEP = "evaluate"

#: (model artifact, transformed file, schema, target, batch size) -> (N,) or (N, 1) probabilities in row order.
Predict = Callable[[Path, Path, Any, str, int], npt.ArrayLike]


def run(
    splits: Path,
    data: Path,
    model: Path,
    schema: Path,
    config: EvaluateConfig,
    output: Path,
    *,
    predict: Predict = predict_scores,
) -> Evaluation:
    """Scores the test split and writes an `Evaluation`.

    Args:
        splits: Raw splits; the baselines learn from their train rows.
        data: Transformed splits, row by row the raw ones.
        model: Trained model.
        schema: Schema of the transformed data; its tags name user, item and label.
        config: Settings.
        output: Where the evaluation shall stand.
        predict: Gives the scores of a transformed file.

    Returns:
        The evaluation.

    Raises:
        EmrysError: if an input cannot be used; nothing is then written.
    """
    with running(STEP):
        raw, transformed, network = Splits(splits), Transformed(data), ModelArtifact(model)
        features = FeatureSchema(schema)
        columns = features.schema
        roles = Roles.of(columns, config.target)
        test_file = transformed.file("test")

        _tell(0, "reading the splits")
        train, test = read_interactions(raw.file("train"), raw.file("test"), test_file, **dataclasses.asdict(roles))
        _tell(1, f"scoring {len(test):,} rows")
        scores = predict(network.path, test_file, columns, roles.target, config.batch_size)
        _tell(2, "measuring")
        try:
            live = production_scores(
                config.registry, config.model_name, raw.file("test"), roles.target, config.batch_size
            )
            card = evaluate_scores(scores, test, train, config, best_auc(raw.metadata), live)
        except EmrysError as error:
            error.path = error.path or str(network.path if isinstance(error, ArtifactError) else raw.file("test"))
            raise
        _tell(3, "drawing the report")
        fingerprints = {
            "splits": raw.fingerprint,
            "transformed data": transformed.fingerprint,
            "schema": features.fingerprint,
            "model": network.fingerprint,
        }
        report = Report(
            card=card,
            target=roles.target,
            dataset=Path(raw.metadata.get("dataset") or "unnamed data").name,
            splits=[SplitFacts.of(raw.file(name), roles.target) for name in ("train", "valid", "test")],
            columns=[ColumnFacts.of(column) for column in columns],
            data=plain_facts(raw.metadata),
            history=_history(network),
            summary=network.summary,
            fingerprints=fingerprints,
            versions=versions(),
        )
        metadata = {
            "target": roles.target,
            "config": dataclasses.asdict(config),
            "inputs": fingerprints,
            "versions": report.versions,
        }
        with Evaluation.create(output, metadata) as work:
            write_json(work / "metrics.json", card.metrics)
            write_json(work / "curves.json", _curves(card))
            slices = slices_of(raw.file("test"), columns)
            measured_rows(card, test, train, slices).write(work / "rows.parquet")
            (work / "report.html").write_text(report.render(), encoding="utf-8")
        _tell(4, f"AUC {card.model.auc:.4f}, {card.baselines[0].name.lower()} {card.baselines[0].auc:.4f}")
        return Evaluation(output)


def best_auc(metadata: Mapping[str, Any]) -> float | None:
    """The best AUC that the test rows allow, where the metadata of the splits knows it.

    Args:
        metadata: Its `best_auc` is a number, a number by split, or null.
    """
    value = metadata.get("best_auc")
    if isinstance(value, Mapping):
        value = value.get("test")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _tell(done: int, text: str) -> None:
    emit(STEP, "progress", done=done, total=4, text=text)


def _curves(card: Scorecard) -> dict[str, Any]:
    calibration = card.model.calibration
    negative, positive = card.histogram
    return {
        "roc": dataclasses.asdict(card.model.roc),
        "calibration": None if calibration is None else dataclasses.asdict(calibration),
        "histogram": {"negative": negative, "positive": positive},
    }


def _history(model: ModelArtifact) -> list[dict[str, Any]]:
    rows = model.history
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "epoch" in row for row in rows):
        raise ArtifactError("the history of the training is damaged", path=model.path, expected="one dict an epoch")
    return rows
