"""Baselines of retrieval: the most popular items, and the items that go with the last one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import InteractionLog, Queries
from emrys.components.retrieval.search import top_rows

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def popularity(train: InteractionLog, catalogue: Catalogue) -> Floats:
    """(N,) number of users with a positive train row of each item."""
    return np.asarray(_positives(train, catalogue).sum(axis=0), np.float64).reshape(-1)


def recommend_popular(train: InteractionLog, queries: Queries, catalogue: Catalogue, k: int) -> Ints:
    """Recommends the most popular items that the user has not seen.

    Args:
        train: The train split.
        queries: The queries.
        catalogue: The candidate items.
        k: Number of items.

    Returns:
        (Q, at most k) positions, see `top_rows`.
    """
    scores = popularity(train, catalogue)
    shape = (len(queries), len(catalogue))
    return top_rows(lambda start, stop: np.broadcast_to(scores, shape)[start:stop], queries.seen, len(catalogue), k)


def recommend_by_last_item(train: InteractionLog, queries: Queries, catalogue: Catalogue, k: int) -> Ints:
    """Recommends the items that most often occur together with the last positive item of the user.

    Ties are broken by popularity; a user without a positive item gets the popular items. See `recommend_popular` for
    the arguments.
    """
    matrix = _positives(train, catalogue)
    counts = popularity(train, catalogue)
    tie_breaker = counts / (counts.max(initial=0.0) + 1)  # below 1: it only orders equal counts
    has_positive = queries.positives.lengths > 0
    last = np.where(has_positive, np.append(queries.positives.values, 0)[queries.positives.offsets[1:] - 1], 0)

    def score(start: int, stop: int) -> Floats:
        co_occurrences = (matrix.T[last[start:stop]] @ matrix).toarray().astype(np.float64)
        return co_occurrences * has_positive[start:stop, None] + tie_breaker

    return top_rows(score, queries.seen, len(catalogue), k)


def _positives(train: InteractionLog, catalogue: Catalogue) -> sparse.csr_matrix:
    """(users, N) matrix with 1 for each pair of a user and an item with a positive train row."""
    items = catalogue.positions(train.items[train.positive])
    users, row = np.unique(train.users[train.positive], return_inverse=True)
    known = items >= 0
    shape = (len(users), len(catalogue))
    matrix = sparse.csr_matrix((np.ones(known.sum(), np.int64), (row[known], items[known])), shape=shape)
    matrix.data[:] = 1  # repeated rows of a pair count once
    return matrix
