"""The best items by scores that are in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from emrys.components.retrieval.lists import Lists

Ints = npt.NDArray[np.int64]

#: Scores that are held at once.
_BLOCK = 8_000_000


def top_rows(score: Callable[[int, int], npt.NDArray[Any]], seen: Lists, items: int, k: int) -> Ints:
    """The K items with the highest scores of each query, without those that were seen.

    Args:
        score: Gives the scores of the queries from one number to before another, (B, N).
        seen: Places of the items to leave out.
        items: Number of items, N.
        k: K.

    Returns:
        Places (Q, at most K), best first, among equal scores the lower place; -1 where there are not K.
    """
    step = max(1, _BLOCK // max(1, items))
    kept = min(k, items)
    found = np.empty((len(seen), kept), np.int64)
    for start in range(0, len(seen), step):
        stop = min(start + step, len(seen))
        scores = np.array(score(start, stop), np.float64)
        left_out = seen.slice(start, stop)
        scores[left_out.rows, left_out.values] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
        best = np.take_along_axis(scores, order, axis=1)
        found[start:stop] = np.where(np.isneginf(best), -1, order)
    return found
