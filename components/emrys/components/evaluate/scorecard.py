"""Metrics of the model and of the baselines on the same test rows, in total and per row, for each kind of target."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from emrys.blocks.errors import ArtifactError, DataError
from emrys.components.contracts.data_schema import DataSchema, Target, TargetKind
from emrys.components.contracts.measured_rows import MODEL, NEW, PRODUCTION, SCORERS, MeasuredRows, metric_key
from emrys.components.evaluate.baselines import class_frequencies, constant_score, mean_scores, popularity_scores
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import Interactions
from emrys.components.evaluation.classification_metrics import Calibration, RocCurve, log_losses
from emrys.components.evaluation.ranking_metrics import UserRanking, auc_per_user, rank_per_user
from emrys.components.evaluation.regression_metrics import Residuals
from emrys.components.evaluation.weighted_metrics import calibrate_back, metric_of
from emrys.components.recipe.evaluation import (
    COLD_METRICS,
    KINDS,
    Unit,
    baselines_of,
    metric_parts,
    metrics_of,
    unit_of,
)

Array = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]

#: Fewest rows of new users, or new items, on which metrics are reported.
MIN_NEW_ROWS = 50
#: Most classes of a confusion matrix; the rarer ones are put together.
MAX_CLASSES = 12


@dataclasses.dataclass(frozen=True)
class Plan:
    """Metrics and baselines of a target.

    Args:
        target: The target.
        metrics: Metrics by name; the first is the main one.
        baselines: Baselines by name.
        unit: Unit that the bootstrap resamples.
        negatives: Negatives that were drawn for each positive row; 0 for none.
    """

    target: Target
    metrics: tuple[str, ...]
    baselines: tuple[str, ...]
    unit: Unit
    negatives: int = 0

    @classmethod
    def of(cls, target: Target, schema: DataSchema, config: EvaluateConfig) -> Self:
        """Those of the settings, or the default for the kind of the target."""
        kind = KINDS[target.kind]
        return cls(
            target=target,
            metrics=metrics_of(kind, config.metrics, schema, config.k),
            baselines=baselines_of(kind, config.baselines, schema),
            unit=unit_of(config.bootstrap_by, schema),
            negatives=schema.negatives if target.kind is TargetKind.BINARY else 0,
        )


@dataclasses.dataclass(frozen=True)
class Scorecard:
    """Numbers of the model and of the scorers that it is compared with.

    Args:
        metrics: Metrics of all scorers by name, see `metric_key`, and counts.
        curves: Curves by name, dicts of lists.
        rows: Metric values per row, for the gate and the reports.
    """

    metrics: Mapping[str, float]
    curves: Mapping[str, Any]
    rows: MeasuredRows


def evaluate_scores(
    scores: npt.ArrayLike,
    test: Interactions,
    train: Interactions,
    config: EvaluateConfig,
    plan: Plan,
    *,
    best_auc: float | None = None,
    production: npt.ArrayLike | None = None,
    slices: Mapping[str, Texts] | None = None,
) -> Scorecard:
    """Computes the metrics of the model and of the baselines on the test rows.

    Args:
        scores: (N,) or (N, 1) probabilities or numbers; (N, C) probabilities for C classes. In the order of `test`.
        test: Test rows.
        train: Train rows for the baselines.
        config: Settings.
        plan: What is measured.
        best_auc: The highest AUC that is possible on these rows; None if it is not known.
        production: Scores of the model in production; None if there is none.
        slices: (N,) texts of slices by name, besides `user` and `item` with `known` and `new`.

    Raises:
        ArtifactError: if the scores do not fit the kind of the target.
        DataError: if the metrics need a user with a positive row, and there is none.
    """
    test, train = test.balanced(plan.negatives), train.balanced(plan.negatives)
    kind = plan.target.kind
    given = {MODEL: scores} if production is None else {MODEL: scores, PRODUCTION: production}
    own = {name: checked_scores(values, len(test), plan.target) for name, values in given.items()}
    if kind is TargetKind.BINARY:
        own = {name: calibrate_back(values, plan.negatives) for name, values in own.items()}
    scored = {MODEL: own[MODEL], **_baselines(test, train, config, plan), **own}
    measured = {
        TargetKind.BINARY: _binary,
        TargetKind.REGRESSION: _regression,
        TargetKind.CLASSES: _classes,
    }[kind](scored, test, config, plan)
    known = {"user": (test.users, train.users), "item": (test.items, train.items)}
    seen = {
        name: _known(of, trained) for name, (of, trained) in known.items() if of is not None and trained is not None
    }
    rows = MeasuredRows(
        units=_units(test, plan.unit),
        values=measured.values,
        scores=scored if kind is TargetKind.BINARY else {},
        labels=test.labels if kind is TargetKind.BINARY else None,
        slices={**(slices or {}), **seen},
        weights=test.weights,
    )
    metrics = {**_metrics(rows, scored, plan), **measured.metrics}
    best = _best(best_auc, metrics) if kind is TargetKind.BINARY else {}
    counts = {"rows": len(test), "train_rows": len(train), **measured.counts}
    new = {f"rows_of_new_{name}s": int((texts == "new").sum()) for name, texts in seen.items()}
    return Scorecard({**metrics, **best, **counts, **new}, measured.curves, rows)


def checked_scores(scores: npt.ArrayLike, count: int, target: Target) -> Array:
    """The scores of a target as an array of its shape.

    Args:
        scores: Scores of a model.
        count: Number of rows, N.
        target: The target.

    Returns:
        (N,) probabilities or numbers, or (N, C) probabilities of classes. Logits of classes become probabilities.

    Raises:
        ArtifactError: if the scores do not fit the target.
    """
    values = np.asarray(scores, np.float64)
    classes = len(target.classes)
    if target.kind is TargetKind.CLASSES:
        shape: tuple[int, ...] = (count, classes)
        expected = f"({count}, {classes})"
    else:
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        shape, expected = (count,), f"({count}, 1)"
    if values.shape != shape:
        what = "one score per class and row" if target.kind is TargetKind.CLASSES else "one score per row"
        raise ArtifactError(f"the model must return {what}", expected=expected, got=f"{np.shape(scores)}")
    finite = np.isfinite(values) if values.ndim == 1 else np.isfinite(values).all(axis=1)
    odd = np.flatnonzero(~finite)
    if len(odd):
        raise ArtifactError(
            "the model returned scores that are not finite",
            expected="numbers" if target.kind is TargetKind.REGRESSION else "probabilities",
            got=f"{len(odd)} of NaN or infinity, the first in row {odd[0]}",
            fix="Check whether the training diverged; a lower learning rate may help.",
        )
    if target.kind is TargetKind.BINARY and (values.min() < 0 or values.max() > 1):
        raise ArtifactError(
            "the scores are not probabilities",
            expected="values from 0 to 1",
            got=f"{values.min():g} to {values.max():g}",
            fix="End the model in a BinaryOutput.",
        )
    return _probabilities(values) if target.kind is TargetKind.CLASSES else values


def combined(
    cards: Mapping[str, tuple[Scorecard, npt.NDArray[np.int64] | None]], units: npt.NDArray[np.int64]
) -> Scorecard:
    """One scorecard of several targets, in which the names of metrics begin with the target.

    Args:
        cards: By target, its scorecard and the positions of its rows; None for all rows.
        units: (N,) unit of each row of the file.
    """
    every = units
    values: dict[tuple[str, str], Array] = {}
    scores: dict[str, Array] = {}
    labels: dict[str, Array] = {}
    slices: dict[str, Texts] = {}
    weights: Array | None = None
    for target, (card, positions) in cards.items():
        at = np.arange(len(every)) if positions is None else positions
        rows = card.rows
        values |= {
            (f"{target}/{name}", scorer): _spread(each, at, len(every)) for (name, scorer), each in rows.values.items()
        }
        scores |= {f"{target}/{scorer}": _spread(each, at, len(every)) for scorer, each in rows.scores.items()}
        if rows.labels is not None:
            labels[target] = _spread(rows.labels, at, len(every))
        for name, texts in rows.slices.items():
            slices.setdefault(name, np.full(len(every), None, object))[at] = texts
        if rows.weights is not None:
            weights = np.ones(len(every)) if weights is None else weights
            weights[at] = rows.weights
    return Scorecard(
        metrics={
            f"{target}/{name}": value for target, (card, _) in cards.items() for name, value in card.metrics.items()
        },
        curves={"targets": {target: dict(card.curves) for target, (card, _) in cards.items()}},
        rows=MeasuredRows(every, values, scores, None, slices, labels, weights),
    )


@dataclasses.dataclass(frozen=True)
class _Measured:
    """Values per row by metric and scorer; metrics that are no means of them; curves and counts."""

    values: dict[tuple[str, str], Array]
    metrics: dict[str, float]
    curves: dict[str, Any]
    counts: dict[str, int]


def _baselines(test: Interactions, train: Interactions, config: EvaluateConfig, plan: Plan) -> dict[str, Array]:
    """Scores of the baselines, in the order in which they are shown."""
    kind, count = plan.target.kind, len(test)
    scores: dict[str, Array] = {}
    for name in (scorer for scorer in SCORERS if scorer in plan.baselines):
        if name == "mean_baseline":
            scores[name] = mean_scores(train, test, config, kind)
        elif name == "popularity" and test.items is not None:
            scores[name] = popularity_scores(train, test.items)
        elif name == "constant" and kind is TargetKind.CLASSES:
            scores[name] = np.tile(class_frequencies(train, len(plan.target.classes)), (count, 1))
        elif name == "constant":
            scores[name] = np.full(count, constant_score(train))
    return scores


def _binary(scored: Mapping[str, Array], test: Interactions, config: EvaluateConfig, plan: Plan) -> _Measured:
    values = {
        ("log_loss", scorer): log_losses(scores, test.labels)
        for scorer, scores in scored.items()
        if scorer != "popularity"  # a number of rows is no probability
    }
    counts = {"positive_rows": int((test.labels > 0).sum())}
    if test.users is not None:
        of_users, ranking = _of_users(scored, test.users, test, config, plan)
        values |= of_users
        counts |= {
            "users": ranking.users,
            "users_without_relevant": ranking.users_without_relevant,
            "users_all_relevant": ranking.users_all_relevant,
        }
    model, labels, weights = scored[MODEL], test.labels, test.weights
    metrics = {}
    if "calibration_error" in plan.metrics:
        for scorer in (scorer for name, scorer in values if name == "log_loss"):
            error = Calibration.of(scored[scorer], labels, config.bins, weights).error
            metrics[metric_key("calibration_error", scorer)] = error
    first = next((name for name in scored if name not in (MODEL, PRODUCTION)), None)
    roc = {f"{first}_roc": dataclasses.asdict(RocCurve.of(scored[first], labels, weights))} if first else {}
    curves = {
        "roc": dataclasses.asdict(RocCurve.of(model, labels, weights)),
        **roc,
        "calibration": dataclasses.asdict(Calibration.of(model, labels, config.bins, weights)),
        "histogram": _histogram(model, labels),
    }
    return _Measured(values, metrics, curves, counts)


def _of_users(
    scored: Mapping[str, Array],
    users: npt.NDArray[np.int64],
    test: Interactions,
    config: EvaluateConfig,
    plan: Plan,
) -> tuple[dict[tuple[str, str], Array], UserRanking]:
    """Values of the metrics of users, and the ranking of the model."""
    lists: dict[int, list[str]] = {}
    for plain, length in map(metric_parts, plan.metrics):
        if length is not None:
            lists.setdefault(length, []).append(plain)
    values: dict[tuple[str, str], Array] = {}
    for scorer, scores in scored.items():
        for k, names in lists.items():
            ranks = rank_per_user(users, scores, test.labels, k)
            of_users = {"ndcg": ranks.ndcgs, "mrr": ranks.mrrs, "recall": ranks.recalls}
            for name in names:
                values[f"{name}_at_{k}", scorer] = _in_first_row(ranks.codes, of_users[name], users)
        if "auc_by_user" in plan.metrics:
            values["auc_by_user", scorer] = auc_per_user(users, scores, test.labels, test.weights)
    ranking = rank_per_user(users, scored[MODEL], test.labels, config.k)
    if lists and not ranking.users:
        fix = "Use more data, or change `split` or `columns.targets` in the recipe."
        raise DataError("no user has a positive row in the test split", fix=fix)
    return values, ranking


def _regression(scored: Mapping[str, Array], test: Interactions, config: EvaluateConfig, plan: Plan) -> _Measured:
    del plan
    values: dict[tuple[str, str], Array] = {}
    for scorer, predicted in scored.items():
        values["mse", scorer] = (predicted - test.labels) ** 2
        values["mae", scorer] = np.abs(predicted - test.labels)
    residuals = Residuals.of(scored[MODEL], test.labels, config.bins, test.weights)
    return _Measured(values, {}, {"residuals": dataclasses.asdict(residuals)}, {})


def _classes(scored: Mapping[str, Array], test: Interactions, config: EvaluateConfig, plan: Plan) -> _Measured:
    del config
    values: dict[tuple[str, str], Array] = {}
    labels = test.labels.astype(np.int64)
    for scorer, probabilities in scored.items():
        chosen = probabilities[np.arange(len(labels)), labels]
        values["accuracy", scorer] = (probabilities.argmax(axis=1) == labels).astype(np.float64)
        values["log_loss", scorer] = log_losses(chosen, np.ones(len(labels)))
    counts = _confusion(scored[MODEL].argmax(axis=1), labels, [str(name) for name in plan.target.classes])
    return _Measured(values, {}, {"confusion": counts}, {"classes": len(plan.target.classes)})


def _confusion(predicted: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], names: list[str]) -> dict[str, Any]:
    """Rows by true class and predicted class, of the most frequent classes; the others are put together."""
    if len(names) > MAX_CLASSES:
        frequent = np.sort(np.argsort(-np.bincount(labels, minlength=len(names)), kind="stable")[: MAX_CLASSES - 1])
        place = np.full(len(names), len(frequent))
        place[frequent] = np.arange(len(frequent))
        predicted, labels = place[predicted], place[labels]
        names = [*(names[index] for index in frequent), "others"]
    size = len(names)
    counts = np.bincount(labels * size + predicted, minlength=size * size).reshape(size, size)
    return {"classes": names, "counts": counts.tolist()}


def _metrics(rows: MeasuredRows, scored: Mapping[str, Array], plan: Plan) -> dict[str, float]:
    """Metrics of all scorers by name, as far as they are defined."""
    everything = np.ones(len(rows.units), bool)
    cold = [name for name in COLD_METRICS[plan.target.kind.value] if name in plan.metrics]
    ends = [
        end
        for end, column in NEW.items()
        if column in rows.slices and (rows.slices[column] == "new").sum() >= MIN_NEW_ROWS
    ]
    found = {}
    for scorer in scored:
        for name in (*plan.metrics, *(metric + end for metric in cold for end in ends)):
            metric = metric_of(rows, name, scorer, everything)
            value = math.nan if metric is None else metric.value(rows.unit_count)
            if math.isfinite(value):
                found[metric_key(name, scorer)] = value
    return found


def _best(best_auc: float | None, metrics: Mapping[str, float]) -> dict[str, float]:
    """The highest AUC that is possible, and the AUC of the model on a scale from 0 (AUC 0.5) to 1 (the best)."""
    if best_auc is None or "auc" not in metrics:
        return {}
    share = {"share_of_best_auc": (metrics["auc"] - 0.5) / (best_auc - 0.5)} if best_auc > 0.5 else {}
    return {"best_auc": best_auc, **share}


def _histogram(scores: Array, labels: Array) -> dict[str, list[int]]:
    """Rows of each label in 20 equally wide bins of the score."""
    classes = {"negative": labels <= 0, "positive": labels > 0}
    return {name: np.histogram(scores[at], bins=20, range=(0.0, 1.0))[0].tolist() for name, at in classes.items()}


def _probabilities(values: Array) -> Array:
    """The values if the rows are distributions, otherwise their softmax: outputs of classes may be logits."""
    if values.min() >= 0 and np.allclose(values.sum(axis=1), 1.0, atol=1e-4):
        return values
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)


def _units(test: Interactions, unit: Unit) -> npt.NDArray[np.int64]:
    """Numbers the units from 0; a row without a user or session is a unit of its own."""
    codes = {"user": test.users, "session": test.sessions, "row": None}[unit]
    if codes is None:
        return np.arange(len(test))
    unknown = codes < 0
    units = np.where(unknown, codes.max(initial=0) + 1 + np.cumsum(unknown), codes)
    return np.unique(units, return_inverse=True)[1].astype(np.int64)


def _in_first_row(users: npt.NDArray[np.int64], values: Array, of_rows: npt.NDArray[np.int64]) -> Array:
    """Value of each user in the first row of the user, NaN in the others."""
    result = np.full(len(of_rows), np.nan)
    codes, first = np.unique(of_rows, return_index=True)
    result[first[np.searchsorted(codes, users)]] = values
    return result


def _spread(values: Array, positions: npt.NDArray[np.int64], count: int) -> Array:
    """Values at some of N positions, NaN at the others."""
    result = np.full(count, np.nan)
    result[positions] = values
    return result


def _known(codes: npt.NDArray[np.int64], trained: npt.NDArray[np.int64]) -> Texts:
    return np.where((codes >= 0) & np.isin(codes, trained), "known", "new").astype(object)
