"""How good recommendations are, query by query."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emrys.components.retrieval.lists import Lists

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def hits(found: Ints, right: Lists, items: int) -> npt.NDArray[np.bool_]:
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
