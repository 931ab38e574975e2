"""Histories and differences of events: only what was before the event's own time."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class EventOrder:
    """Positions of a user's events before each event.

    An event is before another one of the user if its time is less. At the same time it is before it only in the same
    session, in the order of the rows; without a time, the order of the rows decides. The user is the session in a log
    that has no users.

    The events before an event are two ranges of `rows`: those of earlier times, `[first, tied)`, and those of its
    session at its own time, `[session, own)`.

    Attributes:
        rows: (R,) numbers of the events, by user, time and session.
        first: (R,) place in `rows` of the first event of the user of each event.
        tied: (R,) place of the first event of the user at the time of the event.
        session: (R,) place of the first event of the session at that time.
        own: (R,) place of the event itself.
    """

    rows: Ints
    first: Ints
    tied: Ints
    session: Ints
    own: Ints

    @classmethod
    def of(cls, user: Ints, time: Ints | None, session: Ints | None) -> EventOrder:
        """Orders events.

        Args:
            user: (R,) number of the user of each event, or of the session if there are no users.
            time: (R,) time of each event; None if there is none.
            session: (R,) number of the session of each event; None if there is none.
        """
        count = len(user)
        number = np.arange(count)
        if time is None:
            time, session = number, None
        # Events of one session at one time stay together, in the order of its first row.
        together = number
        if session is not None:
            by_session = np.lexsort((number, session, time, user))
            starts = _starts(by_session, user, time, session)
            together = np.empty(count, np.int64)
            together[by_session] = by_session[starts]
        rows = np.lexsort((number, together, time, user))
        own = np.empty(count, np.int64)
        own[rows] = number
        places = [_starts(rows, user), _starts(rows, user, time)]
        places.append(number if session is None else _starts(rows, user, time, session))
        first, tied, sessions = (_scattered(place, rows) for place in places)
        return cls(rows, first, tied, sessions, own)

    def previous(self) -> Ints:
        """(R,) number of the last event before each event, -1 for none."""
        in_session = self.own > self.session
        place = np.where(in_session, self.own - 1, self.tied - 1)
        found: Ints = np.where(in_session | (self.tied > self.first), self.rows[place], -1)
        return found


@dataclasses.dataclass(frozen=True)
class Histories:
    """Lists of values of the events before each event, made when they are asked for.

    Attributes:
        values: (P,) values of the events that count, by user and time.
        starts: (R, 2) first place in `values` of the two ranges of each event.
        ends: (R, 2) place after the last.
        length: Maximum length; the latest values are kept.
    """

    values: pa.Array
    starts: Ints
    ends: Ints
    length: int

    @classmethod
    def of(cls, order: EventOrder, values: pa.ChunkedArray, counted: Bools, length: int) -> Histories:
        """Prepares the histories of all events.

        Args:
            order: Order of the events.
            values: (R,) value of each event; nulls are left out.
            counted: (R,) whether an event may be in a history.
            length: Maximum length.
        """
        counted = counted & values.is_valid().to_numpy(zero_copy_only=False)
        kept = counted[order.rows]
        before = np.concatenate([[0], np.cumsum(kept)])
        ends = np.stack([before[order.tied], before[order.own]], axis=1)
        starts = np.stack([before[order.first], before[order.session]], axis=1)
        latest = np.maximum(starts[:, 1], ends[:, 1] - length)
        left = length - (ends[:, 1] - latest)
        starts = np.stack([np.maximum(starts[:, 0], ends[:, 0] - left), latest], axis=1)
        return cls(values.take(pa.array(order.rows[kept])).combine_chunks(), starts, ends, length)

    def take(self, rows: Ints) -> pa.ListArray:
        """Lists of some events."""
        starts, ends = self.starts[rows].ravel(), self.ends[rows].ravel()
        lengths = ends - starts
        stops = np.cumsum(lengths)
        places = np.arange(stops[-1] if len(stops) else 0) + np.repeat(starts - (stops - lengths), lengths)
        offsets = np.concatenate([[0], stops[1::2]])
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), self.values.take(pa.array(places)))


def _starts(rows: Ints, *keys: Ints) -> Ints:
    """For each place in sorted rows, the place of the first row with equal keys."""
    place = np.arange(len(rows))
    changed = np.ones(len(rows), bool)
    if len(rows):
        changed[1:] = np.any([key[rows][1:] != key[rows][:-1] for key in keys], axis=0)
    starts: Ints = np.maximum.accumulate(np.where(changed, place, 0)) if len(rows) else place
    return starts


def _scattered(values: Ints, rows: Ints) -> Ints:
    """Values by place as values by row."""
    result = np.empty(len(rows), np.int64)
    result[rows] = values
    return result
