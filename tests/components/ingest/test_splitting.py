"""Split methods by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from emrys.blocks.errors import DataError
from emrys.components.ingest.splitting import (
    split_at_random,
    split_by_column,
    split_by_time,
    split_groups_at_random,
    split_groups_in_order,
    split_last_per_user,
    split_per_user,
)
from emrys.components.recipe.recipe import Split


def split(valid=0.1, test=0.1):
    return Split(valid=valid, test=test)


def by_time(time, valid, test):
    return split_by_time(np.array(time), split(valid, test)).tolist()


def test_by_time():
    # Of ten rows the last is test, the two before it valid.
    assert by_time(range(10), 0.2, 0.1) == [0] * 7 + [1, 1, 2]


def test_rows_of_one_time_stay_together():
    # Ten rows; valid would begin at place 6 and test at place 8.
    # Place 6 is within the time 3 (places 4 to 6), nearer to its end at 7; place 8 is within 4 (places 7 to 9), nearer
    # to its start at 7. So nothing is left for valid, and nothing leaks.
    assert by_time([1, 1, 2, 2, 3, 3, 3, 4, 4, 4], 0.2, 0.2) == [0] * 7 + [2] * 3
    # Place 6 is the second of four rows of time 3, places 5 to 8: nearer to the start. Place 8: nearer to the end.
    assert by_time([1, 1, 1, 2, 2, 3, 3, 3, 3, 4], 0.2, 0.2) == [0] * 5 + [1] * 4 + [2]


@pytest.mark.parametrize("seed", range(20))
def test_no_row_of_train_is_as_late_as_one_of_test(seed):
    time = np.sort(np.random.default_rng(seed).integers(0, 40, 200))
    part = split_by_time(time, split())
    assert time[part == 0].max() < time[part == 1].min()
    assert time[part == 1].max() < time[part == 2].min()


def test_at_random():
    part = split_at_random(1000, split(0.2, 0.1), 1)
    assert np.bincount(part).tolist() == [700, 200, 100]
    assert np.flatnonzero(part == 2).min() < 100
    assert np.flatnonzero(part == 2).max() > 900
    assert (split_at_random(1000, split(0.2, 0.1), 1) == part).all()
    assert (split_at_random(1000, split(0.2, 0.1), 2) != part).any()


def test_per_user():
    # A fifth of five rows is one row of valid and one of test; a fifth of one row rounds to none.
    user = np.array([1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 3])
    assert split_per_user(user, split(0.2, 0.2)).tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 0]


def test_last_per_user():
    # User 1 has five rows: one test, two valid, two train. User 2 has three: nothing would be left for train.
    user = np.array([1, 2, 1, 1, 2, 1, 2, 1])
    assert split_last_per_user(user, split(2, 1)).tolist() == [0, 0, 0, 1, 0, 1, 0, 2]
    # Shares, which the recipe has by default, mean one each.
    assert split_last_per_user(user, split()).tolist() == [0, 0, 0, 0, 1, 1, 2, 2]


def test_groups_in_order():
    # Sessions begin in the order 9 4 7 2 5; of five, a fifth each is valid and test. 9 goes on among the rest.
    session = np.array([9, 9, 4, 7, 9, 2, 4, 5, 2])
    assert split_groups_in_order(session, split(0.2, 0.2)).tolist() == [0, 0, 0, 0, 0, 1, 0, 2, 1]


def test_groups_at_random():
    user = np.repeat(np.arange(10), 3)
    part = split_groups_at_random(user, split(0.2, 0.2), 3)
    assert (part.reshape(10, 3) == part[::3, None]).all(), "a user is in one split"
    assert np.bincount(part[::3]).tolist() == [6, 2, 2]
    assert (split_groups_at_random(user, split(0.2, 0.2), 4) != part).any()


def test_by_a_column():
    fold = pa.chunked_array([["test", "train", "valid", "train"]])
    assert split_by_column(fold, "fold", "log.csv").tolist() == [2, 0, 1, 0]
    with pytest.raises(DataError) as error:
        split_by_column(pa.chunked_array([["train", "dev", None]]), "fold", "log.csv")
    assert str(error.value) == (
        "log.csv: column 'fold': a row is in no split; expected train, valid, test, got 'dev', null. Write one of "
        "these into the column, or choose another method in split.by."
    )
