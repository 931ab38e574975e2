"""Evaluates a ranking model on the test split: metrics, baselines, curves and a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from emrys.blocks.errors import ArtifactError, EmrysError
from emrys.components.contracts.data_schema import Target
from emrys.components.contracts.evaluation import Evaluation, EvaluationResult
from emrys.components.contracts.measured_rows import MODEL, SCORERS, metric_key, metric_title
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import Interactions, codes_of, read_interactions
from emrys.components.evaluate.predict import (
    Outputs,
    pick_output,
    predict_scores,
    predicted_targets,
    production_scores,
)
from emrys.components.evaluate.scorecard import Plan, Scorecard, combined, evaluate_scores
from emrys.components.evaluation.inputs import EvaluationInputs
from emrys.components.evaluation.slices import column_slices
from emrys.components.events import emit, step_events
from emrys.components.model_registry.production import production_version
from emrys.components.recipe.evaluation import unit_of
from emrys.components.reporting.evaluation_page import EvaluationPage
from emrys.components.reporting.evaluation_view import RankingView

if TYPE_CHECKING:
    from merlin.schema import Schema

__all__ = ["EvaluateConfig", "best_auc", "run"]

STEP = "evaluate"

#: (model artifact, transformed file, schema, batch size) -> outputs of the model in row order.
Predict = Callable[[Path, Path, "Schema", int], Outputs]


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
        schema: Schema of the transformed data, whose targets are evaluated as far as the model predicts them.
        config: Settings.
        output: Folder of the evaluation.
        predict: Computes the scores of a transformed file. Default: with the model.

    Returns:
        The evaluation.

    Raises:
        EmrysError: if an input cannot be used; nothing is written then.
    """
    with step_events(STEP):
        inputs = EvaluationInputs.open(splits, data, model, schema)
        raw, targets = inputs.raw.file("test"), inputs.targets(config.target)
        _report_progress(0, "reading the splits")
        rows = {targets[0].name: _read(inputs, targets[0])}
        count = pq.read_metadata(raw).num_rows
        _report_progress(1, f"scoring {count:,} rows")
        outputs = predict(inputs.model.path, inputs.data.file("test"), inputs.features.schema, config.batch_size)
        targets = predicted_targets(outputs, targets, config.target)
        _report_progress(2, "computing the metrics")
        with production_version(config.registry, config.model_name, STEP) as production:
            other = None if production is None else production_scores(production, raw, config.batch_size)
        slices = column_slices(raw, inputs.data_schema, config.slices, show_ids=config.show_ids)
        cards: dict[str, tuple[Scorecard, npt.NDArray[np.int64] | None]] = {}
        try:
            for target in targets:
                train, test = rows[target.name] if target.name in rows else _read(inputs, target)
                card = evaluate_scores(
                    _part(pick_output(outputs, target.name, inputs.model.path, target.kind), test.rows, count),
                    test,
                    train,
                    config,
                    Plan.of(target, inputs.data_schema, config),
                    best_auc=best_auc(inputs.raw.metadata) if target == inputs.data_schema.targets[0] else None,
                    production=None if other is None else _production(other, target, test.rows, count),
                    slices={name: texts if test.rows is None else texts[test.rows] for name, texts in slices.items()},
                )
                cards[target.name] = card, test.rows
        except EmrysError as error:
            error.path = error.path or str(inputs.model.path if isinstance(error, ArtifactError) else raw)
            raise
        card = _joined(cards, inputs, config)
        result = EvaluationResult(card.metrics, card.curves, card.rows, inputs.data_schema)

        _report_progress(3, "writing the report")
        metadata = {
            **inputs.metadata(RankingView.task, targets, config, None if production is None else production.version),
            "unit": unit_of(config.bootstrap_by, inputs.data_schema),
        }
        page = EvaluationPage.of(STEP, RankingView(result, metadata), inputs)
        evaluation = Evaluation.write(output, result, page.render(), metadata)
        _report_progress(4, _summary(card.metrics, targets, inputs, config))
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


def _read(inputs: EvaluationInputs, target: Target) -> tuple[Interactions, Interactions]:
    files = inputs.raw.file("train"), inputs.raw.file("test"), inputs.data.file("test")
    return read_interactions(*files, inputs.data_schema, target)


def _part(scores: npt.ArrayLike, rows: npt.NDArray[np.int64] | None, count: int) -> npt.ArrayLike:
    """The scores of the rows of a sample space; those that do not fit are left for the check of their shape."""
    values = np.asarray(scores, np.float64)
    return values if rows is None or len(values) != count else values[rows]


def _production(
    outputs: Outputs, target: Target, rows: npt.NDArray[np.int64] | None, count: int
) -> npt.ArrayLike | None:
    """Scores of the model in production; None if it does not predict the target."""
    try:
        scores = pick_output(outputs, target.name, Path("production"), target.kind)
    except ArtifactError:
        emit(STEP, "message", text=f"the model in production does not predict {target.name}")
        return None
    return _part(scores, rows, count)


def _joined(
    cards: Mapping[str, tuple[Scorecard, npt.NDArray[np.int64] | None]],
    inputs: EvaluationInputs,
    config: EvaluateConfig,
) -> Scorecard:
    """The scorecard of the only target, or that of all of them."""
    if len(cards) == 1 and len(inputs.data_schema.targets) == 1:
        return next(iter(cards.values()))[0]
    schema = inputs.data_schema
    raw = inputs.raw.file("test")
    column = {"user": schema.user_id, "session": schema.session_id}.get(unit_of(config.bootstrap_by, schema))
    units = np.arange(pq.read_metadata(raw).num_rows) if column is None else codes_of(raw, column)
    return combined(cards, units)


def _summary(
    metrics: Mapping[str, float], targets: Sequence[Target], inputs: EvaluationInputs, config: EvaluateConfig
) -> str:
    """Main metric of each target, of the model and of the first baseline."""
    texts = []
    for target in targets:
        plan = Plan.of(target, inputs.data_schema, config)
        if not plan.metrics:
            continue
        name = plan.metrics[0] if len(inputs.data_schema.targets) == 1 else f"{target.name}/{plan.metrics[0]}"
        values = {scorer: metrics.get(metric_key(name, scorer)) for scorer in SCORERS}
        first = next((scorer for scorer in SCORERS if scorer in plan.baselines and values[scorer] is not None), None)
        other = "" if first is None else f", {SCORERS[first].lower()} {values[first]:.4f}"
        if values[MODEL] is not None:
            texts.append(f"{metric_title(name)} {values[MODEL]:.4f}{other}")
    return "; ".join(texts) or "done"


def _report_progress(done: int, text: str) -> None:
    emit(STEP, "progress", done=done, total=4, text=text)
