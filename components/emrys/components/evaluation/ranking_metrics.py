"""How good recommendations are, query by query."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from emrys.components.retrieval.ragged_array import RaggedArray

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def hits(found: Ints, right: RaggedArray, items: int) -> npt.NDArray[np.bool_]:
    """Whether each recommended item is right.

    Args:
        found: Places of the recommended items, best first, -1 for none, (Q, K).
        right: Places of the right ones.
        items: Number of items of the catalogue.
    """
    keys = np.arange(len(found))[:, None] * items + found
    return np.isin(keys, right.rows * items + right.values) & (found >= 0)


def ndcg(hit: npt.NDArray[np.bool_], totals: Ints, k: int) -> Floats:
    """Normalised discounted cumulative gain: `Σ hit_r / log2(r + 1)` over the first K, by the best that it can be.

    Args:
        hit: Whether each recommended item is right, (Q, at least K).
        totals: Number of right items of each query, at least 1, (Q,).
        k: K.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    best = np.concatenate([[0.0], np.cumsum(discounts)])
    first = hit[:, :k]
    return np.asarray(first @ discounts[: first.shape[1]] / best[np.minimum(totals, k)], np.float64)


def recall(hit: npt.NDArray[np.bool_], totals: Ints, k: int) -> Floats:
    """Share of the right items that are among the first K; see `ndcg`."""
    return np.asarray(hit[:, :k].sum(axis=1) / totals, np.float64)


def mrr(hit: npt.NDArray[np.bool_], k: int) -> Floats:
    """One over the rank of the first right item; 0 where none is among the first K; see `ndcg`."""
    first = hit[:, :k]
    return np.where(first.any(axis=1), 1.0 / (first.argmax(axis=1) + 1.0), 0.0)


def coverage(found: Ints, items: int, k: int) -> float:
    """Share of the catalogue that is among the first K of some query; see `hits`."""
    first = found[:, :k]
    return float(len(np.unique(first[first >= 0])) / items)


def novelty(found: Ints, share: Floats, k: int) -> Floats:
    """Mean information `-log2 p` of the first K, p the share of users who have had the item; NaN where there is none.

    Args:
        found: Places of the recommended items, (Q, at least K).
        share: p of every item, above 0, (N,).
        k: K.
    """
    first = found[:, :k]
    there = first >= 0
    bits = np.where(there, -np.log2(share)[np.maximum(first, 0)], 0.0).sum(axis=1)
    count = there.sum(axis=1)
    return np.divide(bits, count, out=np.full(len(found), np.nan), where=count > 0)


Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class UserRanking:
    """Means over the users that have a relevant row, and how many there were.

    Args:
        ndcg: Mean NDCG@k, relevance 0 or 1, discount 1 / log2(rank + 1).
        mrr: Mean of 1 / rank of the first relevant row, 0 where it stands behind place k.
        recall: Mean share of a user's relevant rows that stand in the first k places.
        users: Users that were averaged.
        users_without_relevant: Users that were left out, as they have no relevant row.
        users_all_relevant: Users among the averaged whose rows are all relevant, so that every order is right.
        codes: (users,) the averaged users.
        ndcgs: (users,) NDCG@k of each of them.
    """

    ndcg: float
    mrr: float
    recall: float
    users: int
    users_without_relevant: int
    users_all_relevant: int
    codes: Codes = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64), compare=False, repr=False)
    ndcgs: Array = dataclasses.field(default_factory=lambda: np.zeros(0), compare=False, repr=False)


def rank_per_user(users: Codes, scores: Array, labels: Array, k: int) -> UserRanking:
    r"""Ranks the rows of each user by score and averages the metrics over users.

    A user's rows are the candidates. Tied scores count with their expected value over all orders of the tied rows,
    so that the order of the file neither helps nor hurts, and a constant score gives what a random order gives:

    - a place within a tie has the mean relevance of the tie, for NDCG and Recall;
    - in a tie of n rows, m of them relevant, the first relevant one is on place j + 1 with probability
      m / (n - j) · ∏_{i<j} (n - m - i) / (n - i), for MRR.

    Args:
        users: (N,) code of the user of each row; rows with a negative code belong to nobody and are left out.
        scores: (N,) scores, higher is better.
        labels: (N,) relevance, 0 or 1.
        k: Length of the list.

    Returns:
        The means. They are NaN when no user has a relevant row.
    """
    known = users >= 0
    users, scores, labels = users[known], scores[known], labels[known]
    if not len(users):
        return UserRanking(np.nan, np.nan, np.nan, 0, 0, 0)
    order = np.lexsort((-scores, users))
    users, scores, labels = users[order], scores[order], labels[order]

    first_of_user = np.r_[True, users[1:] != users[:-1]]
    user = np.cumsum(first_of_user) - 1
    place = np.arange(len(users)) - np.flatnonzero(first_of_user)[user]
    first_of_tie = first_of_user | np.r_[True, scores[1:] != scores[:-1]]
    tie = np.cumsum(first_of_tie) - 1
    tie_rows = np.bincount(tie).astype(np.float64)
    tie_relevant = np.bincount(tie, weights=labels).astype(np.float64)
    expected = (tie_relevant / tie_rows)[tie]

    rows = np.bincount(user)
    relevant = np.bincount(user, weights=labels)
    inside = place < k
    gains = np.bincount(user, weights=np.where(inside, expected / np.log2(place + 2.0), 0.0))
    hits = np.bincount(user, weights=np.where(inside, expected, 0.0))
    ideal = np.r_[0.0, np.cumsum(1.0 / np.log2(np.arange(k) + 2.0))][np.minimum(relevant, k).astype(np.int64)]

    starts = np.flatnonzero(first_of_tie)
    with_relevant = np.flatnonzero(tie_relevant > 0)
    _, first = np.unique(user[starts[with_relevant]], return_index=True)  # a user's first tie with a relevant row
    decisive = with_relevant[first]
    reciprocal = _expected_reciprocal(place[starts[decisive]], tie_rows[decisive], tie_relevant[decisive], k)

    counted = relevant > 0
    count = int(counted.sum())
    return UserRanking(
        ndcg=float(np.mean(gains[counted] / ideal[counted])) if count else np.nan,
        mrr=float(np.mean(reciprocal)) if count else np.nan,
        recall=float(np.mean(hits[counted] / relevant[counted])) if count else np.nan,
        users=count,
        users_without_relevant=len(rows) - count,
        users_all_relevant=int((relevant == rows).sum()),
        codes=users[first_of_user][counted],
        ndcgs=gains[counted] / ideal[counted],
    )


def _expected_reciprocal(before: Codes, rows: Array, relevant: Array, k: int) -> Array:
    """Expected 1 / rank of the first relevant row of ties of `rows` rows that follow `before` places."""
    result = np.zeros(len(rows))
    none_yet = np.ones(len(rows))  # probability that the first j rows of the tie are all irrelevant
    for j in range(k):
        left = np.maximum(rows - j, 1.0)
        found = none_yet * relevant / left
        result += np.where(before + j < k, found / (before + j + 1.0), 0.0)
        none_yet = none_yet * np.maximum(rows - relevant - j, 0.0) / left
    return result
