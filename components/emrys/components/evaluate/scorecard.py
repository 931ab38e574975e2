"""Metrics of the model and of the baselines on the same test rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from emrys.blocks.errors import ArtifactError, DataError
from emrys.components.contracts.measured_rows import MODEL, SCORERS, MeasuredRows
from emrys.components.evaluate.baselines import mean_scores, popularity_scores
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import Interactions
from emrys.components.evaluation.classification_metrics import Calibration, RocCurve
from emrys.components.evaluation.ranking_metrics import UserRanking, rank_per_user
from emrys.components.evaluation.weighted_metrics import auc

Array = npt.NDArray[np.float64]

#: Scores are clipped to this distance from 0 and 1 before the logarithm, as in Keras.
CLIP = 1e-7


@dataclasses.dataclass(frozen=True)
class Performance:
    """Metrics of one scorer on the test rows.

    Args:
        scorer: Name of the scorer, such as `model` or `popularity`.
        auc: Area under the ROC curve.
        ranking: Per-user metrics.
        roc: Points of the ROC curve.
        calibration: Calibration of its probabilities; None if the scores are not probabilities.
        log_loss: Mean negative log likelihood, natural logarithm; None if the scores are not probabilities.
        brier: Mean squared error of the probabilities; None if the scores are not probabilities.
        scores: (N,) scores of the rows.
    """

    scorer: str
    auc: float
    ranking: UserRanking
    roc: RocCurve
    calibration: Calibration | None = None
    log_loss: float | None = None
    brier: float | None = None
    scores: Array = dataclasses.field(default_factory=lambda: np.zeros(0), compare=False, repr=False)

    @property
    def name(self) -> str:
        """Display name of the scorer."""
        return SCORERS[self.scorer]

    @property
    def prefix(self) -> str:
        """Prefix of the names of its metrics; empty for the model."""
        return "" if self.scorer == MODEL else f"{self.scorer}_"

    def metrics(self, k: int) -> Iterator[tuple[str, float]]:
        """Names and values of its metrics.

        Args:
            k: Length of the list, part of the names.
        """
        yield f"{self.prefix}auc", self.auc
        if self.log_loss is not None and self.brier is not None and self.calibration is not None:
            yield f"{self.prefix}log_loss", self.log_loss
            yield f"{self.prefix}brier", self.brier
            yield f"{self.prefix}calibration_error", self.calibration.error
        yield f"{self.prefix}ndcg_at_{k}", self.ranking.ndcg
        yield f"{self.prefix}mrr_at_{k}", self.ranking.mrr
        yield f"{self.prefix}recall_at_{k}", self.ranking.recall


@dataclasses.dataclass(frozen=True)
class Scorecard:
    """Metrics of the model and of the scorers that it is compared with.

    Args:
        model: The model.
        baselines: The baselines, and the model in production if there is one.
        counts: Numbers of rows and users.
        k: Length of the list.
        best_auc: The highest AUC that is possible on these rows; None if it is not known.
        histogram: Rows of each label in 20 equally wide bins of the model's score: negatives, positives.
    """

    model: Performance
    baselines: tuple[Performance, ...]
    counts: dict[str, int]
    k: int
    best_auc: float | None
    histogram: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def closeness(self) -> float | None:
        """AUC of the model on a scale from 0 (AUC 0.5) to 1 (`best_auc`); None if that is not known."""
        if self.best_auc is None or self.best_auc <= 0.5:
            return None
        return (self.model.auc - 0.5) / (self.best_auc - 0.5)

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of all scorers by name, and the counts."""
        result = {name: value for each in (self.model, *self.baselines) for name, value in each.metrics(self.k)}
        if self.best_auc is not None:
            result["best_auc"] = self.best_auc
        if self.closeness is not None:
            result["share_of_best_auc"] = self.closeness
        return {**result, **self.counts}

    @property
    def curves(self) -> dict[str, Any]:
        """ROC curves, calibration and score histogram, as dicts of lists."""
        calibration = self.model.calibration
        negative, positive = self.histogram
        baseline = self.baselines[0]
        return {
            "roc": dataclasses.asdict(self.model.roc),
            f"{baseline.prefix}roc": dataclasses.asdict(baseline.roc),
            "calibration": None if calibration is None else dataclasses.asdict(calibration),
            "histogram": {"negative": negative, "positive": positive},
        }


def evaluate_scores(
    scores: npt.ArrayLike,
    test: Interactions,
    train: Interactions,
    config: EvaluateConfig,
    best_auc: float | None = None,
    production: npt.NDArray[np.float64] | None = None,
) -> Scorecard:
    """Computes the metrics of the model and of the baselines on the test rows.

    Args:
        scores: (N,) or (N, 1) probabilities, in the order of `test`.
        test: Test rows.
        train: Train rows for the baselines.
        config: Settings.
        best_auc: The highest AUC that is possible on these rows; None if it is not known.
        production: (N,) probabilities of the model in production; None if there is none.

    Raises:
        ArtifactError: if the scores are not one probability per row.
        DataError: if no user has a relevant row.
    """
    values = np.asarray(scores, np.float64)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.shape != (len(test),):
        raise ArtifactError(
            "the model must return one score per row", expected=f"({len(test)}, 1)", got=f"{np.shape(scores)}"
        )
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        raise ArtifactError(
            "the model returned scores that are not finite",
            expected="probabilities",
            got=f"{len(odd)} of NaN or infinity, the first in row {odd[0]}",
            fix="Check whether the training diverged; a lower learning rate may help.",
        )
    if values.min() < 0 or values.max() > 1:
        raise ArtifactError(
            "the scores are not probabilities",
            expected="values from 0 to 1",
            got=f"{values.min():g} to {values.max():g}",
            fix="End the model in a BinaryOutput.",
        )
    constant = np.full(len(test), train.labels.mean())
    model = _measure(MODEL, values, test, config)
    if not model.ranking.users:
        raise DataError("no user has a positive row in the test split", fix="Use more data or another way to split.")
    others = () if production is None else (_measure("production", production, test, config),)
    return Scorecard(
        model=model,
        baselines=(
            _measure("mean_baseline", mean_scores(train, test, config), test, config),
            _measure("popularity", popularity_scores(train, test.items), test, config, False),
            _measure("constant", constant, test, config),
            *others,
        ),
        counts=_counts(test, train, model.ranking),
        k=config.k,
        best_auc=best_auc,
        histogram=_histogram(values, test.labels),
    )


def _measure(
    scorer: str, scores: Array, test: Interactions, config: EvaluateConfig, probabilities: bool = True
) -> Performance:
    result = Performance(
        scorer=scorer,
        auc=auc(scores, test.labels),
        ranking=rank_per_user(test.users, scores, test.labels, config.k),
        roc=RocCurve.of(scores, test.labels),
        scores=scores,
    )
    if not probabilities:
        return result
    clipped = np.clip(scores, CLIP, 1.0 - CLIP)
    return dataclasses.replace(
        result,
        calibration=Calibration.of(scores, test.labels, config.bins),
        log_loss=float(metrics.log_loss(test.labels, clipped)),
        brier=float(metrics.brier_score_loss(test.labels, scores)),
    )


def _counts(test: Interactions, train: Interactions, ranking: UserRanking) -> dict[str, int]:
    return {
        "rows": len(test),
        "positive_rows": int(test.labels.sum()),
        "train_rows": len(train),
        "users": ranking.users,
        "users_without_relevant": ranking.users_without_relevant,
        "users_all_relevant": ranking.users_all_relevant,
        "rows_of_new_users": int((~np.isin(test.users, train.users) | (test.users < 0)).sum()),
        "rows_of_new_items": int((~np.isin(test.items, train.items) | (test.items < 0)).sum()),
    }


def _histogram(scores: Array, labels: Array) -> tuple[tuple[int, ...], tuple[int, ...]]:
    negative, positive = (np.histogram(scores[labels == label], bins=20, range=(0.0, 1.0))[0] for label in (0, 1))
    return tuple(negative.tolist()), tuple(positive.tolist())


Texts = npt.NDArray[np.object_]


def measured_rows(
    card: Scorecard, test: Interactions, train: Interactions, slices: Mapping[str, Texts]
) -> MeasuredRows:
    """Metric values per row, for the gate and the reports.

    Args:
        card: The metrics and scores.
        test: Test rows.
        train: Train rows; their users and items are `known`, all others `new`.
        slices: (N,) texts of further slices by name.
    """
    values = {}
    everything = (card.model, *card.baselines)
    for each in everything:
        values[f"ndcg_at_{card.k}", each.scorer] = _ndcg_in_first_row(each, test)
        if each.log_loss is not None:
            values["log_loss", each.scorer] = _log_loss(each.scores, test.labels)
    return MeasuredRows(
        units=_units(test.users),
        values=values,
        scores={each.scorer: each.scores for each in everything},
        labels=test.labels,
        slices={"user": _known(test.users, train.users), "item": _known(test.items, train.items), **slices},
    )


def _units(users: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numbers the users from 0; a row without a user is a unit of its own."""
    unknown = users < 0
    units = np.where(unknown, users.max(initial=0) + 1 + np.cumsum(unknown), users)
    return np.unique(units, return_inverse=True)[1].astype(np.int64)


def _ndcg_in_first_row(performance: Performance, test: Interactions) -> Array:
    """NDCG of each user in the first row of the user, NaN in the others."""
    values = np.full(len(test), np.nan)
    users, first = np.unique(test.users, return_index=True)
    index = np.searchsorted(users, performance.ranking.codes)
    values[first[index]] = performance.ranking.ndcgs
    return values


def _log_loss(scores: Array, labels: Array) -> Array:
    clipped = np.clip(scores, CLIP, 1.0 - CLIP)
    return -np.where(labels > 0, np.log(clipped), np.log1p(-clipped))


def _known(codes: npt.NDArray[np.int64], trained: npt.NDArray[np.int64]) -> Texts:
    return np.where((codes >= 0) & np.isin(codes, trained), "known", "new").astype(object)
