"""Queries of an offline evaluation: users or sessions, their relevant items, and the items that they have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from emrys.components.retrieval.catalogue import Catalogue, Keys, positions
from emrys.components.retrieval.ragged_array import RaggedArray

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class InteractionLog:
    """User, item and label of the rows of a split, in the order of time.

    Attributes:
        users: (R,) user, or session, of each row.
        items: (R,) item of each row, as the keys of the catalogue.
        positive: (R,) whether the label is positive.
    """

    users: Keys
    items: Keys
    positive: npt.NDArray[np.bool_]

    def take(self, rows: Ints | npt.NDArray[np.bool_]) -> InteractionLog:
        """Some of the rows."""
        return InteractionLog(self.users[rows], self.items[rows], self.positive[rows])

    @classmethod
    def joined(cls, logs: Sequence[InteractionLog]) -> InteractionLog:
        """The rows of several logs, one after the other."""
        users, items, positive = ([getattr(log, name) for log in logs] for name in ("users", "items", "positive"))
        return cls(np.concatenate(users), np.concatenate(items), np.concatenate(positive))


@dataclass(frozen=True)
class Queries:
    """One query for each user, or session, of a split with a positive item that is an answer.

    Where seen items are excluded, the answers are the items that the user has not seen in train.

    Attributes:
        users: (Q,) the users, ascending.
        rows: (Q,) first row of each user in the split, for the other features of the user.
        relevant: Positions of the relevant items of each user in the catalogue.
        relevant_counts: (Q,) number of relevant items of each user, including those that the catalogue lacks.
        seen: Positions of the items that each user has seen in train and that are not recommended; empty lists if seen
            items are answers too.
        positives: Positions of the items with a positive label that each user has in train, in the order of time.
        known: (Q,) whether the user has a row in train.
    """

    users: Keys
    rows: Ints
    relevant: RaggedArray
    relevant_counts: Ints
    seen: RaggedArray
    positives: RaggedArray
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls, train: InteractionLog, evaluated: InteractionLog, catalogue: Catalogue, exclude_seen: bool = True
    ) -> Queries:
        """Builds the queries of a split.

        Args:
            train: The train split.
            evaluated: The split to evaluate on.
            catalogue: The candidate items.
            exclude_seen: Whether items that the user has seen in train are no answers.
        """
        relevant = pd.DataFrame({"user": evaluated.users, "item": evaluated.items})[evaluated.positive]
        relevant = relevant.drop_duplicates()
        if exclude_seen:
            seen = pd.DataFrame({"user": train.users, "item": train.items}).drop_duplicates()
            relevant = relevant.merge(seen.assign(seen=True), how="left", on=["user", "item"])
            relevant = relevant[relevant["seen"].isna()]
        users, number = np.unique(relevant["user"].to_numpy(evaluated.users.dtype), return_inverse=True)
        order = np.argsort(evaluated.users, kind="stable")
        rows = order[np.searchsorted(evaluated.users[order], users)]
        positive = train.positive
        nothing = RaggedArray.of(np.zeros(0, np.int64), np.zeros(0, np.int64), len(users))
        return cls(
            users=users,
            rows=rows.astype(np.int64),
            relevant=_known_lists(number, catalogue.positions(relevant["item"].to_numpy()), len(users)),
            relevant_counts=np.bincount(number, minlength=len(users)).astype(np.int64),
            seen=_by_user(users, train.users, catalogue.positions(train.items)) if exclude_seen else nothing,
            positives=_by_user(users, train.users[positive], catalogue.positions(train.items[positive])),
            known=np.isin(users, train.users),
        )

    @classmethod
    def of_sessions(
        cls,
        before: Sequence[InteractionLog],
        evaluated: InteractionLog,
        catalogue: Catalogue,
        exclude_seen: bool = True,
    ) -> Queries:
        """Builds the queries of a split by session: the answer is the last positive item of the session.

        The rows of the session before it, in any split, are its history; a session without one is no query.

        Args:
            before: The splits before.
            evaluated: The split to evaluate on, with sessions as users and rows in the order of time.
            catalogue: The candidate items.
            exclude_seen: Whether items that the session has before are no answers.
        """
        positive = np.flatnonzero(evaluated.positive)
        sessions, from_end = np.unique(evaluated.users[positive][::-1], return_index=True)
        last = positive[len(positive) - 1 - from_end]
        end = np.full(len(evaluated.users), -1, np.int64)
        place = positions(evaluated.users, sessions)
        end[place >= 0] = last[place[place >= 0]]
        earlier = evaluated.take(np.arange(len(evaluated.users)) < end)
        history = InteractionLog.joined([*before, earlier])
        last = np.sort(last[np.isin(sessions, history.users)])
        queries = cls.of(history, evaluated.take(last), catalogue, exclude_seen)
        return replace(queries, rows=last[queries.rows])

    def __len__(self) -> int:
        """Number of queries, Q."""
        return len(self.users)


def _known_lists(rows: Ints, items: Ints, count: int) -> RaggedArray:
    known = items >= 0
    return RaggedArray.of(rows[known], items[known], count)


def _by_user(users: Keys, row_users: Keys, items: Ints) -> RaggedArray:
    number = positions(row_users, users)
    return _known_lists(number[number >= 0], items[number >= 0], len(users))
