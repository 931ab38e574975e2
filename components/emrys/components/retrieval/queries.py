"""Queries of an offline evaluation: users, their relevant items, and the items that they have seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from emrys.components.retrieval.catalogue import Catalogue, positions
from emrys.components.retrieval.ragged_array import RaggedArray

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class InteractionLog:
    """User, item and label of the rows of a split, in the order of time.

    Attributes:
        users: (R,) user of each row.
        items: (R,) item of each row, as the keys of the catalogue.
        positive: (R,) whether the label is positive.
    """

    users: Ints
    items: Ints
    positive: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Queries:
    """One query for each user of a split with a positive item that the user has not seen in train.

    Attributes:
        users: (Q,) the users, ascending.
        rows: (Q,) first row of each user in the split, for the other features of the user.
        relevant: Positions of the relevant items of each user in the catalogue.
        relevant_counts: (Q,) number of relevant items of each user, including those that the catalogue lacks.
        seen: Positions of the items that each user has seen in train; they are not recommended.
        positives: Positions of the items with a positive label among them, in the order of time.
    """

    users: Ints
    rows: Ints
    relevant: RaggedArray
    relevant_counts: Ints
    seen: RaggedArray
    positives: RaggedArray

    @classmethod
    def of(cls, train: InteractionLog, evaluated: InteractionLog, catalogue: Catalogue) -> Queries:
        """Builds the queries of a split.

        Args:
            train: The train split.
            evaluated: The split to evaluate on.
            catalogue: The candidate items.
        """
        seen = pd.DataFrame({"user": train.users, "item": train.items}).drop_duplicates()
        relevant = pd.DataFrame({"user": evaluated.users, "item": evaluated.items})[evaluated.positive]
        relevant = relevant.drop_duplicates().merge(seen.assign(seen=True), how="left", on=["user", "item"])
        relevant = relevant[relevant["seen"].isna()]
        users, number = np.unique(relevant["user"].to_numpy(np.int64), return_inverse=True)
        order = np.argsort(evaluated.users, kind="stable")
        rows = order[np.searchsorted(evaluated.users[order], users)]
        positive = train.positive
        return cls(
            users=users,
            rows=rows.astype(np.int64),
            relevant=_known_lists(number, catalogue.positions(relevant["item"].to_numpy()), len(users)),
            relevant_counts=np.bincount(number, minlength=len(users)).astype(np.int64),
            seen=_by_user(users, train.users, catalogue.positions(train.items)),
            positives=_by_user(users, train.users[positive], catalogue.positions(train.items[positive])),
        )

    def __len__(self) -> int:
        """Number of queries, Q."""
        return len(self.users)


def _known_lists(rows: Ints, items: Ints, count: int) -> RaggedArray:
    known = items >= 0
    return RaggedArray.of(rows[known], items[known], count)


def _by_user(users: Ints, row_users: Ints, items: Ints) -> RaggedArray:
    number = positions(row_users, users)
    return _known_lists(number[number >= 0], items[number >= 0], len(users))
