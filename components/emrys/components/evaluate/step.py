"""Evaluates a ranking model on the test split: metrics, baselines, curves and a report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from emrys.blocks.errors import ArtifactError, EmrysError
from emrys.components.contracts.evaluation import Evaluation, EvaluationResult
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import read_interactions
from emrys.components.evaluate.predict import predict_scores, production_scores
from emrys.components.evaluate.scorecard import evaluate_scores, measured_rows
from emrys.components.evaluation.inputs import EvaluationInputs
from emrys.components.evaluation.slices import column_slices
from emrys.components.events import emit, step_events
from emrys.components.model_registry.production import production_version
from emrys.components.reporting.evaluation_page import EvaluationPage
from emrys.components.reporting.evaluation_view import RankingView

if TYPE_CHECKING:
    from merlin.schema import Schema

__all__ = ["EvaluateConfig", "best_auc", "run"]

STEP = "evaluate"

#: (model artifact, transformed file, schema, target, batch size) -> (N,) or (N, 1) probabilities in row order.
Predict = Callable[[Path, Path, "Schema", str, int], npt.ArrayLike]


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
        splits: Raw splits; the baselines are fitted on their train rows.
        data: Transformed splits, row by row as the raw ones.
        model: Trained model.
        schema: Schema of the transformed data; its tags determine user, item and label.
        config: Settings.
        output: Folder of the evaluation.
        predict: Computes the scores of a transformed file. Default: with the model.

    Returns:
        The evaluation.

    Raises:
        EmrysError: if an input cannot be used; nothing is written then.
    """
    with step_events(STEP):
        inputs = EvaluationInputs.open(splits, data, model, schema, config.target)
        raw, features, target = inputs.raw.file("test"), inputs.features.schema, inputs.roles.target
        transformed = inputs.data.file("test")

        _report_progress(0, "reading the splits")
        train, test = read_interactions(inputs.raw.file("train"), raw, transformed, **dataclasses.asdict(inputs.roles))
        _report_progress(1, f"scoring {len(test):,} rows")
        scores = predict(inputs.model.path, transformed, features, target, config.batch_size)
        _report_progress(2, "computing the metrics")
        try:
            with production_version(config.registry, config.model_name, STEP) as production:
                other = None if production is None else production_scores(production, raw, target, config.batch_size)
            card = evaluate_scores(scores, test, train, config, best_auc(inputs.raw.metadata), other)
        except EmrysError as error:
            error.path = error.path or str(inputs.model.path if isinstance(error, ArtifactError) else raw)
            raise
        rows = measured_rows(card, test, train, column_slices(raw, features))
        result = EvaluationResult(card.metrics, card.curves, rows)

        _report_progress(3, "writing the report")
        metadata = inputs.metadata(RankingView.task, config, None if production is None else production.version)
        page = EvaluationPage.of(STEP, RankingView(result, metadata), inputs)
        evaluation = Evaluation.write(output, result, page.render(), metadata)
        baseline = card.baselines[0]
        _report_progress(4, f"AUC {card.model.auc:.4f}, {baseline.name.lower()} {baseline.auc:.4f}")
        return evaluation


def best_auc(metadata: Mapping[str, Any]) -> float | None:
    """The highest AUC that is possible on the test rows, or None if it is not known.

    Args:
        metadata: Metadata of the splits; its `best_auc` is a number, a number by split, or null.
    """
    value = metadata.get("best_auc")
    if isinstance(value, Mapping):
        value = value.get("test")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _report_progress(done: int, text: str) -> None:
    emit(STEP, "progress", done=done, total=4, text=text)
