"""Who is recommended to, what is right, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from emrys.components.retrieval.catalogue import Catalogue, positions
from emrys.components.retrieval.ragged_array import RaggedArray

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Log:
    """Rows of a split, in the order of time.

    Attributes:
        users: User of each row, (R,).
        items: Item of each row, as callers name it, (R,).
        liked: Whether the label is positive, (R,).
    """

    users: Ints
    items: Ints
    liked: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Queries:
    """The users of a split who like something there that they have not had in train; one query each.

    Attributes:
        users: The users, (Q,), ascending.
        rows: The first row of each in the split, for what else is known of the user, (Q,).
        right: Places in the catalogue of the items that each likes.
        totals: Number of items that each likes, those that the catalogue lacks included, (Q,).
        seen: Places of the items that each has had in train, which are left out of what is recommended.
        liked: Places of those among them that the user liked, in the order of time.
    """

    users: Ints
    rows: Ints
    right: RaggedArray
    totals: Ints
    seen: RaggedArray
    liked: RaggedArray

    @classmethod
    def of(cls, train: Log, judged: Log, catalogue: Catalogue) -> Queries:
        """Makes the queries of a split.

        Args:
            train: The train split.
            judged: The split.
            catalogue: What can be recommended.
        """
        had = pd.DataFrame({"user": train.users, "item": train.items}).drop_duplicates()
        wanted = pd.DataFrame({"user": judged.users, "item": judged.items})[judged.liked].drop_duplicates()
        wanted = wanted.merge(had.assign(had=True), how="left", on=["user", "item"])
        wanted = wanted[wanted["had"].isna()]
        users, number = np.unique(wanted["user"].to_numpy(np.int64), return_inverse=True)
        order = np.argsort(judged.users, kind="stable")
        rows = order[np.searchsorted(judged.users[order], users)]
        return cls(
            users=users,
            rows=rows.astype(np.int64),
            right=_lists(number, catalogue.places(wanted["item"].to_numpy()), len(users)),
            totals=np.bincount(number, minlength=len(users)).astype(np.int64),
            seen=_of_users(users, train.users, catalogue.places(train.items)),
            liked=_of_users(users, train.users[train.liked], catalogue.places(train.items[train.liked])),
        )

    def __len__(self) -> int:
        """Number of queries, Q."""
        return len(self.users)


def _lists(rows: Ints, places: Ints, count: int) -> RaggedArray:
    known = places >= 0
    return RaggedArray.of(rows[known], places[known], count)


def _of_users(users: Ints, of: Ints, places: Ints) -> RaggedArray:
    number = positions(of, users)
    return _lists(number[number >= 0], places[number >= 0], len(users))
