"""Negatives: random items for the positive rows of a log that has no others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_ROUNDS = 20


def draw_negatives(
    rows: Ints, user: Ints, owned: tuple[Ints, Ints], items: int, per_row: int, seed: int
) -> tuple[Ints, Ints]:
    """Draws items that are no positives of the user of a row, each item with equal chance.

    Args:
        rows: (P,) numbers of the positive rows.
        user: (R,) number of the user of each row.
        owned: Users and items of all positive rows of the log, whatever split they are in.
        items: Number of items to draw from.
        per_row: Items for each positive row.
        seed: Seed.

    Returns:
        (N,) row that each negative belongs to, and (N,) its item. There are fewer than `per_row` of a user that has
        nearly all items.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    pairs = np.unique(owned[0] * items + owned[1])
    origin = np.repeat(rows, per_row)
    drawn = random.integers(0, items, len(origin))
    wrong = np.arange(len(origin))
    for _ in range(_ROUNDS):
        wanted = user[origin[wrong]] * items + drawn[wrong]
        place = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
        wrong = wrong[pairs[place] == wanted]
        if not len(wrong):
            break
        drawn[wrong] = random.integers(0, items, len(wrong))
    kept = np.ones(len(origin), bool)
    kept[wrong] = False
    return origin[kept], drawn[kept]
