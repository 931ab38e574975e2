"""A model beside its baselines, on the same rows and by the same measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

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

Array = npt.NDArray[np.float64]

#: Scores this close to 0 and 1 are moved here before their logarithm is taken, as Keras does.
CLIP = 1e-7


@dataclasses.dataclass(frozen=True)
class Performance:
    """How one way of scoring does on the test rows.

    Args:
        name: Name in the report.
        key: Prefix of its metrics, empty for the model.
        auc: Area under the ROC curve.
        ranking: Per-user metrics.
        roc: Points of the ROC curve.
        calibration: Calibration of its probabilities; None where the scores are none.
        log_loss: Mean negative log likelihood, natural logarithm; None where the scores are no probabilities.
        brier: Mean squared error of the probabilities; None where the scores are none.
        scores: (N,) what the rows were ordered by.
    """

    name: str
    key: str
    auc: float
    ranking: UserRanking
    roc: RocCurve
    calibration: Calibration | None = None
    log_loss: float | None = None
    brier: float | None = None
    scores: Array = dataclasses.field(default_factory=lambda: np.zeros(0), compare=False, repr=False)

    def named(self, k: int) -> Iterator[tuple[str, float]]:
        """Its metrics under their flat names.

        Args:
            k: Length of the list, which is part of the names.
        """
        yield f"{self.key}auc", self.auc
        if self.log_loss is not None and self.brier is not None and self.calibration is not None:
            yield f"{self.key}log_loss", self.log_loss
            yield f"{self.key}brier", self.brier
            yield f"{self.key}calibration_error", self.calibration.error
        yield f"{self.key}ndcg_at_{k}", self.ranking.ndcg
        yield f"{self.key}mrr_at_{k}", self.ranking.mrr
        yield f"{self.key}recall_at_{k}", self.ranking.recall


@dataclasses.dataclass(frozen=True)
class Scorecard:
    """Everything that an evaluation measured.

    Args:
        model: The model.
        baselines: What it is compared with.
        counts: Rows, users and so on.
        k: Length of the list.
        best_auc: The best AUC that these rows allow, where it is known.
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
        """Share of the way from a coin flip (AUC 0.5) to the best AUC that the model went."""
        if self.best_auc is None or self.best_auc <= 0.5:
            return None
        return (self.model.auc - 0.5) / (self.best_auc - 0.5)

    @property
    def metrics(self) -> dict[str, float]:
        """All numbers, flat: the model's without a prefix, the baselines' with theirs, and the counts."""
        result = {name: value for one in (self.model, *self.baselines) for name, value in one.named(self.k)}
        if self.best_auc is not None:
            result["best_auc"] = self.best_auc
        if self.closeness is not None:
            result["share_of_best_auc"] = self.closeness
        return {**result, **self.counts}


def evaluate_scores(
    scores: npt.ArrayLike,
    test: Interactions,
    train: Interactions,
    config: EvaluateConfig,
    best_auc: float | None = None,
    production: npt.NDArray[np.float64] | None = None,
) -> Scorecard:
    """Measures the scores of the test rows, and the baselines on the same rows.

    Args:
        scores: (N,) or (N, 1) probabilities, in the order of `test`.
        test: The rows.
        train: What the baselines learn from.
        config: Settings.
        best_auc: The best AUC that these rows allow, where it is known.
        production: (N,) probabilities of the model in production, where there is one.

    Raises:
        ArtifactError: if the scores are not one probability a row.
        DataError: if no user has a relevant row.
    """
    values = np.asarray(scores, np.float64)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.shape != (len(test),):
        raise ArtifactError("the model gave no score per row", expected=f"({len(test)}, 1)", got=f"{np.shape(scores)}")
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        raise ArtifactError(
            "the model gave scores that are no numbers",
            expected="probabilities",
            got=f"{len(odd)} of NaN or infinity, the first in row {odd[0]}",
            fix="Look for a diverged training: a lower learning rate may help.",
        )
    if values.min() < 0 or values.max() > 1:
        raise ArtifactError(
            "the scores are no probabilities",
            expected="values from 0 to 1",
            got=f"{values.min():g} to {values.max():g}",
            fix="End the model in a BinaryOutput.",
        )
    constant = np.full(len(test), train.labels.mean())
    model = _measure(MODEL, values, test, config)
    if not model.ranking.users:
        raise DataError("no user has a relevant row in the test split", fix="Use more data or another way to split.")
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
        name=SCORERS[scorer],
        key="" if scorer == MODEL else f"{scorer}_",
        auc=float(metrics.roc_auc_score(test.labels, scores)),
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
    """Puts down AUC, log loss and NDCG row by row, for the model and all baselines.

    Args:
        card: What was measured, with the scores.
        test: The rows.
        train: Rows that the model was trained on: users and items among them are `known`, others `new`.
        slices: (N,) levels of other slices by name.
    """
    values = {}
    everything = {MODEL if one is card.model else one.key.rstrip("_"): one for one in (card.model, *card.baselines)}
    for name, one in everything.items():
        values[f"ndcg_at_{card.k}", name] = _once_a_user(one, test)
        if one.log_loss is not None:
            values["log_loss", name] = _log_loss(one.scores, test.labels)
    return MeasuredRows(
        units=_units(test.users),
        values=values,
        scores={name: one.scores for name, one in everything.items()},
        labels=test.labels,
        slices={"user": _known(test.users, train.users), "item": _known(test.items, train.items), **slices},
    )


def _units(users: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Users numbered from 0; a row without a user is a unit of its own."""
    nobody = users < 0
    own = np.where(nobody, users.max(initial=0) + 1 + np.cumsum(nobody), users)
    return np.unique(own, return_inverse=True)[1].astype(np.int64)


def _once_a_user(one: Performance, test: Interactions) -> Array:
    """The NDCG of each user in the first of the user's rows, NaN in the others."""
    found = np.full(len(test), np.nan)
    users, first = np.unique(test.users, return_index=True)
    place = np.searchsorted(users, one.ranking.codes)
    found[first[place]] = one.ranking.ndcgs
    return found


def _log_loss(scores: Array, labels: Array) -> Array:
    clipped = np.clip(scores, CLIP, 1.0 - CLIP)
    return -np.where(labels > 0, np.log(clipped), np.log1p(-clipped))


def _known(codes: npt.NDArray[np.int64], trained: npt.NDArray[np.int64]) -> Texts:
    return np.where((codes >= 0) & np.isin(codes, trained), "known", "new").astype(object)
