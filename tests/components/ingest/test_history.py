"""Histories by hand: events before the row's own time, at the same time only earlier rows of the same session."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from emrys.components.ingest.history import EventOrder, Histories


def histories(user, time, values, *, session=None, counted=None, length=10):
    def ints(values):
        return None if values is None else np.array(values, np.int64)

    order = EventOrder.of(ints(user), ints(time), ints(session))
    kept = np.ones(len(user), bool) if counted is None else np.array(counted, bool)
    made = Histories.of(order, pa.chunked_array([pa.array(values)]), kept, length)
    lists = made.take(np.arange(len(user))).to_pylist()
    return lists, order.previous().tolist()


USER = [1, 2, 1, 1, 2, 1, 3]
TIME = [10, 11, 12, 12, 13, 14, 15]
ITEM = ["a", "b", "c", "d", "e", "f", "g"]


def test_only_events_before_the_own_time():
    # User 1: a at 10, c and d at 12, f at 14. At one time none is before the other.
    lists, previous = histories(USER, TIME, ITEM)
    assert lists == [[], [], ["a"], ["a"], ["b"], ["a", "c", "d"], []]
    assert previous == [-1, -1, 0, 0, 1, 3, -1]


def test_the_order_of_the_rows_does_not_matter():
    lists, _ = histories(USER[::-1], TIME[::-1], ITEM[::-1])
    # c and d change places among themselves.
    assert lists == [[], ["a", "d", "c"], ["b"], ["a"], ["a"], [], []]


def test_the_latest_are_kept():
    assert histories(USER, TIME, ITEM, length=2)[0][5] == ["c", "d"]
    assert histories(USER, TIME, ITEM, length=1)[0][5] == ["d"]


def test_only_events_that_count_and_have_a_value():
    counted = [True, True, False, True, True, True, True]
    assert histories(USER, TIME, ITEM, counted=counted)[0][5] == ["a", "d"]
    values = ["a", "b", None, "d", "e", "f", "g"]
    assert histories(USER, TIME, values)[0][5] == ["a", "d"]


def test_in_a_session_the_order_of_the_rows_decides_at_one_time():
    # All of user 1 at time 5: sessions 7 (a, c), 8 (b, d); and e of session 7 later.
    lists, previous = histories([1] * 5, [5, 5, 5, 5, 6], ["a", "b", "c", "d", "e"], session=[7, 8, 7, 8, 7])
    assert lists == [[], [], ["a"], ["b"], ["a", "c", "b", "d"]]
    assert previous == [-1, -1, 0, 1, 3]


def test_two_ranges_are_cut_to_the_latest():
    # w at 4; at 5 session 7 has a, b, c and session 8 has x, y. y sees w of before, and x of its session.
    lists, _ = histories([1] * 6, [4, 5, 5, 5, 5, 5], list("wabcxy"), session=[7, 7, 7, 7, 8, 8])
    assert lists == [[], ["w"], ["w", "a"], ["w", "a", "b"], ["w"], ["w", "x"]]
    short, _ = histories([1] * 6, [4, 5, 5, 5, 5, 5], list("wabcxy"), session=[7, 7, 7, 7, 8, 8], length=1)
    assert short == [[], ["w"], ["a"], ["b"], ["w"], ["x"]]


def test_sessions_without_users():
    session = [3, 4, 3, 3]
    lists, previous = histories(session, [1, 1, 1, 1], ["a", "b", "c", "d"], session=session)
    assert lists == [[], [], ["a"], ["a", "c"]]
    assert previous == [-1, -1, 0, 2]


def test_without_a_time_the_order_of_the_rows_decides():
    lists, previous = histories([1, 2, 1, 1], None, [5, 6, 7, 8])
    assert lists == [[], [], [5], [5, 7]]
    assert previous == [-1, -1, 0, 2]


@pytest.mark.parametrize("seed", range(5))
def test_against_a_plain_loop(seed):
    random = np.random.default_rng(seed)
    user, time, session = (random.integers(0, high, 200) for high in (5, 30, 3))
    session = user * 3 + session
    counted = random.random(200) < 0.7
    lists, previous = histories(user, time, np.arange(200), session=session, counted=counted, length=4)
    for row in range(200):
        before = [
            other for other in range(200)
            if user[other] == user[row]
            and (time[other] < time[row]
                 or (time[other] == time[row] and session[other] == session[row] and other < row))
        ]  # fmt: skip
        # At one time, events of a session stay together, in the order of the sessions' first rows.
        firsts = {(t, s): min(np.flatnonzero((time == t) & (session == s))) for t, s in zip(time, session, strict=True)}
        before.sort(key=lambda other: (time[other], firsts[time[other], session[other]], other))
        # The row's own session comes last.
        before.sort(key=lambda other: time[other] == time[row])
        assert lists[row] == [other for other in before if counted[other]][-4:]
        assert previous[row] == (before[-1] if before else -1)


def test_no_events():
    lists, previous = histories([], [], pa.array([], pa.int64()))
    assert (lists, previous) == ([], [])
