"""Evaluates a trained model on the test split: metrics, baselines beside them, curves and a report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from emrys.blocks.errors import ArtifactError, EmrysError
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import read_interactions
from emrys.components.evaluate.predict import predict_scores, production_scores
from emrys.components.evaluate.scorecard import Scorecard, evaluate_scores, measured_rows
from emrys.components.evaluation.inputs import Judged
from emrys.components.evaluation.slices import slices_of
from emrys.components.events import emit, running
from emrys.components.model_registry.production import in_production
from emrys.components.reporting.evaluation_view import RankingView

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
        judged = Judged.open(splits, data, model, schema, config.target)
        raw, columns, target = judged.raw.file("test"), judged.features.schema, judged.roles.target
        rows = judged.data.file("test")

        _tell(0, "reading the splits")
        train, test = read_interactions(judged.raw.file("train"), raw, rows, **dataclasses.asdict(judged.roles))
        _tell(1, f"scoring {len(test):,} rows")
        scores = predict(judged.model.path, rows, columns, target, config.batch_size)
        _tell(2, "measuring")
        try:
            with in_production(config.registry, config.model_name, STEP) as live:
                beside = None if live is None else production_scores(live, raw, target, config.batch_size)
            card = evaluate_scores(scores, test, train, config, best_auc(judged.raw.metadata), beside)
        except EmrysError as error:
            error.path = error.path or str(judged.model.path if isinstance(error, ArtifactError) else raw)
            raise
        _tell(3, "drawing the report")
        evaluation = judged.write(
            Evaluation,
            output,
            step=STEP,
            view=RankingView,
            config=config,
            metrics=card.metrics,
            curves=curves_of(card),
            rows=measured_rows(card, test, train, slices_of(raw, columns)),
            live=live,
        )
        _tell(4, f"AUC {card.model.auc:.4f}, {card.baselines[0].name.lower()} {card.baselines[0].auc:.4f}")
        return evaluation


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


def curves_of(card: Scorecard) -> dict[str, Any]:
    """What of a scorecard is drawn: ROC curves, calibration and scores by label."""
    calibration = card.model.calibration
    negative, positive = card.histogram
    means = card.baselines[0]
    return {
        "roc": dataclasses.asdict(card.model.roc),
        f"{means.key}roc": dataclasses.asdict(means.roc),
        "calibration": None if calibration is None else dataclasses.asdict(calibration),
        "histogram": {"negative": negative, "positive": positive},
    }
