"""Ranking metrics: NDCG, recall and MRR of recommendations and of ranked rows, coverage and novelty."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from emrys.components.retrieval.ragged_array import RaggedArray

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def hits(recommended: Ints, relevant: RaggedArray, items: int) -> Mask:
    """Marks the recommended items that are relevant.

    Args:
        recommended: (Q, K) positions of the recommended items in the catalogue, best first, -1 for none.
        relevant: Positions of the relevant items of each query.
        items: Number of items in the catalogue.

    Returns:
        (Q, K) True for relevant items.
    """
    keys = np.arange(len(recommended))[:, None] * items + recommended
    return np.isin(keys, relevant.rows * items + relevant.values) & (recommended >= 0)


def ideal_dcg(relevant: npt.ArrayLike, k: int) -> Floats:
    """DCG at k of an ideal order, by the number of relevant items.

    Args:
        relevant: (Q,) number of relevant items of each query.
        k: Length of the list.
    """
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    return ideal[np.minimum(relevant, k).astype(np.int64)]


def ndcg(hit: Mask, relevant: Ints, k: int) -> Floats:
    """Normalised discounted cumulative gain: `Σ hit_r / log2(r + 1)` over the first k ranks, divided by its ideal.

    Args:
        hit: (Q, at least K) whether each recommended item is relevant.
        relevant: (Q,) number of relevant items of each query, at least 1.
        k: Length of the list.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    first = hit[:, :k]
    return np.asarray(first @ discounts[: first.shape[1]] / ideal_dcg(relevant, k), np.float64)


def recall(hit: Mask, relevant: Ints, k: int) -> Floats:
    """Share of the relevant items among the first k; see `ndcg`."""
    return np.asarray(hit[:, :k].sum(axis=1) / relevant, np.float64)


def mrr(hit: Mask, k: int) -> Floats:
    """Reciprocal rank of the first relevant item, 0 if there is none among the first k; see `ndcg`."""
    first = hit[:, :k]
    return np.where(first.any(axis=1), 1.0 / (first.argmax(axis=1) + 1.0), 0.0)


def coverage(recommended: Ints, items: int, k: int) -> float:
    """Share of the catalogue among the first k recommendations of any query; see `hits`."""
    first = recommended[:, :k]
    return float(len(np.unique(first[first >= 0])) / items)


def novelty(recommended: Ints, share: Floats, k: int) -> Floats:
    """Mean self-information `-log2 p` of the first k items, p being the share of users who have seen the item.

    Args:
        recommended: (Q, at least K) positions of the recommended items.
        share: (N,) p of every item, above 0.
        k: Length of the list.

    Returns:
        (Q,) means, NaN without any recommendation.
    """
    first = recommended[:, :k]
    present = first >= 0
    bits = np.where(present, -np.log2(share)[np.maximum(first, 0)], 0.0).sum(axis=1)
    count = present.sum(axis=1)
    return np.divide(bits, count, out=np.full(len(recommended), np.nan), where=count > 0)


@dataclasses.dataclass(frozen=True)
class UserRanking:
    """Mean ranking metrics over the users with a relevant row.

    Args:
        ndcg: Mean NDCG@k, relevance 0 or 1, discount 1 / log2(rank + 1).
        mrr: Mean reciprocal rank of the first relevant row, 0 if its rank is above k.
        recall: Mean share of a user's relevant rows among the first k.
        users: Number of users in the means.
        users_without_relevant: Users without a relevant row, which are not in the means.
        users_all_relevant: Users in the means whose rows are all relevant, so that every order is ideal.
        codes: (users,) codes of the users in the means.
        ndcgs: (users,) NDCG@k of each of them.
        mrrs: (users,) reciprocal rank of each of them.
        recalls: (users,) recall of each of them.
    """

    ndcg: float
    mrr: float
    recall: float
    users: int
    users_without_relevant: int
    users_all_relevant: int
    codes: Ints = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64), compare=False, repr=False)
    ndcgs: Floats = dataclasses.field(default_factory=lambda: np.zeros(0), compare=False, repr=False)
    mrrs: Floats = dataclasses.field(default_factory=lambda: np.zeros(0), compare=False, repr=False)
    recalls: Floats = dataclasses.field(default_factory=lambda: np.zeros(0), compare=False, repr=False)


def rank_per_user(users: Ints, scores: Floats, labels: Floats, k: int) -> UserRanking:
    r"""Ranks the rows of each user by score and averages the metrics over users.

    The candidates are the rows of the user. Tied scores count with their expected value over all orders of the tied
    rows, so that the order of the file has no effect and a constant score gives the result of a random order:

    - a rank within a tie has the mean relevance of the tie, for NDCG and recall;
    - in a tie of n rows, m of them relevant, the first relevant row has rank j + 1 within the tie with probability
      m / (n - j) · ∏_{i<j} (n - m - i) / (n - i), for MRR.

    Args:
        users: (N,) code of the user of each row; rows with a negative code are ignored.
        scores: (N,) scores, higher is better.
        labels: (N,) relevance, 0 or 1.
        k: Length of the list.

    Returns:
        The means, NaN if no user has a relevant row.
    """
    known = users >= 0
    users, scores, labels = users[known], scores[known], labels[known]
    if not len(users):
        return UserRanking(np.nan, np.nan, np.nan, 0, 0, 0)
    order = np.lexsort((-scores, users))
    users, scores, labels = users[order], scores[order], labels[order]

    first_of_user = np.r_[True, users[1:] != users[:-1]]
    user = np.cumsum(first_of_user) - 1
    rank = np.arange(len(users)) - np.flatnonzero(first_of_user)[user]  # from 0
    first_of_tie = first_of_user | np.r_[True, scores[1:] != scores[:-1]]
    tie = np.cumsum(first_of_tie) - 1
    tie_rows = np.bincount(tie).astype(np.float64)
    tie_relevant = np.bincount(tie, weights=labels).astype(np.float64)
    expected = (tie_relevant / tie_rows)[tie]

    rows = np.bincount(user)
    relevant = np.bincount(user, weights=labels)
    inside = rank < k
    gains = np.bincount(user, weights=np.where(inside, expected / np.log2(rank + 2.0), 0.0))
    hit_counts = np.bincount(user, weights=np.where(inside, expected, 0.0))
    ideal = ideal_dcg(relevant, k)

    starts = np.flatnonzero(first_of_tie)
    with_relevant = np.flatnonzero(tie_relevant > 0)
    _, first = np.unique(user[starts[with_relevant]], return_index=True)  # a user's first tie with a relevant row
    decisive = with_relevant[first]
    reciprocal = _expected_reciprocal(rank[starts[decisive]], tie_rows[decisive], tie_relevant[decisive], k)

    counted = relevant > 0
    count = int(counted.sum())
    return UserRanking(
        ndcg=float(np.mean(gains[counted] / ideal[counted])) if count else np.nan,
        mrr=float(np.mean(reciprocal)) if count else np.nan,
        recall=float(np.mean(hit_counts[counted] / relevant[counted])) if count else np.nan,
        users=count,
        users_without_relevant=len(rows) - count,
        users_all_relevant=int((relevant == rows).sum()),
        codes=users[first_of_user][counted],
        ndcgs=gains[counted] / ideal[counted],
        mrrs=reciprocal,
        recalls=hit_counts[counted] / relevant[counted],
    )


def auc_per_user(users: Ints, scores: Floats, labels: Floats, weights: Floats | None = None) -> Floats:
    """Area under the ROC curve of each user's rows, repeated in each of them.

    The mean over rows then is the AUC grouped by user, in which a user counts as much as the user's rows.

    Args:
        users: (N,) code of the user of each row, negative for none.
        scores: (N,) scores.
        labels: (N,) 0 or 1.
        weights: (N,) weight of each row; None if all are equal.

    Returns:
        (N,) areas; NaN in rows without a user, or of a user with one class.
    """
    result = np.full(len(users), np.nan)
    known = np.flatnonzero(users >= 0)
    if not len(known):
        return result
    order = known[np.lexsort((scores[known], users[known]))]
    ordered, values = users[order], scores[order]
    each = np.ones(len(order)) if weights is None else weights[order]
    positive = np.where(labels[order] > 0, each, 0.0)
    negative = each - positive
    first_of_user = np.r_[True, ordered[1:] != ordered[:-1]]
    user = np.cumsum(first_of_user) - 1
    tie = np.cumsum(first_of_user | np.r_[True, values[1:] != values[:-1]]) - 1
    user_of_tie = user[np.r_[True, tie[1:] != tie[:-1]]]
    positives, negatives = (np.bincount(tie, weights=part) for part in (positive, negative))
    totals = np.bincount(user_of_tie, weights=negatives)
    before = np.cumsum(negatives) - negatives - (np.cumsum(totals) - totals)[user_of_tie]
    ordered_pairs = np.bincount(user_of_tie, weights=positives * (before + negatives / 2))
    pairs = np.bincount(user_of_tie, weights=positives) * totals
    areas = np.divide(ordered_pairs, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    result[order] = areas[user]
    return result


def _expected_reciprocal(before: Ints, rows: Floats, relevant: Floats, k: int) -> Floats:
    """Expected 1 / rank of the first relevant row in ties of `rows` rows after `before` other rows."""
    result = np.zeros(len(rows))
    none_yet = np.ones(len(rows))  # probability that the first j rows of the tie are all irrelevant
    for j in range(k):
        left = np.maximum(rows - j, 1.0)
        probability = none_yet * relevant / left
        result += np.where(before + j < k, probability / (before + j + 1.0), 0.0)
        none_yet = none_yet * np.maximum(rows - relevant - j, 0.0) / left
    return result
