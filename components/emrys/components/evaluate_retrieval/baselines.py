"""What a model has to be better than: two ways to recommend without one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import Log, Queries
from emrys.components.retrieval.search import top_rows

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def popularity(train: Log, catalogue: Catalogue) -> Floats:
    """Number of users who liked each item in train, (N,)."""
    return np.asarray(_liked(train, catalogue).sum(axis=0), np.float64).reshape(-1)


def recommend_popular(train: Log, queries: Queries, catalogue: Catalogue, k: int) -> Ints:
    """The most liked items that the user has not had.

    Args:
        train: The train split.
        queries: Who is recommended to.
        catalogue: What can be recommended.
        k: Number of items, K.

    Returns:
        Places (Q, at most K), see `top_rows`.
    """
    scores = popularity(train, catalogue)
    everybody = (len(queries), len(catalogue))
    return top_rows(lambda start, stop: np.broadcast_to(scores, everybody)[start:stop], queries.seen, len(catalogue), k)


def recommend_by_last_item(train: Log, queries: Queries, catalogue: Catalogue, k: int) -> Ints:
    """The items that most users liked who liked the last item that the user liked.

    Among equally many the more popular one comes first; a user who liked nothing gets the popular ones. See
    `recommend_popular` for the arguments.
    """
    liked = _liked(train, catalogue)
    counts = popularity(train, catalogue)
    share = counts / (counts.max(initial=0.0) + 1)  # below 1: it decides between equal counts alone
    there = queries.liked.lengths > 0
    last = np.where(there, np.append(queries.liked.values, 0)[queries.liked.offsets[1:] - 1], 0)

    def score(start: int, stop: int) -> Floats:
        together = (liked.T[last[start:stop]] @ liked).toarray().astype(np.float64)
        return together * there[start:stop, None] + share

    return top_rows(score, queries.seen, len(catalogue), k)


def _liked(train: Log, catalogue: Catalogue) -> sparse.csr_matrix:
    """Who liked what in train, 1 for each pair, (users, N)."""
    places = catalogue.places(train.items[train.liked])
    users, row = np.unique(train.users[train.liked], return_inverse=True)
    known = places >= 0
    shape = (len(users), len(catalogue))
    found = sparse.csr_matrix((np.ones(known.sum(), np.int64), (row[known], places[known])), shape=shape)
    found.data[:] = 1  # of an item that was liked twice
    return found
