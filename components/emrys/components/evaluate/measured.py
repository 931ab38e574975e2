"""What the evaluation measured on each row, for the gate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from emrys.components.artifacts.measured_rows import MODEL, MeasuredRows
from emrys.components.evaluate.interactions import Interactions
from emrys.components.evaluate.scorecard import CLIP, Performance, Scorecard

Array = npt.NDArray[np.float64]
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
