import numpy as np
import pytest

from emrys.components.ingest.config import IngestConfig
from emrys.components.ingest.splitting import split_rows


def split(timestamp, user=None, **settings):
    timestamp = np.array(timestamp)
    user = np.zeros(len(timestamp), np.int64) if user is None else np.array(user)
    rows = split_rows(timestamp, user, IngestConfig(**settings))
    return [rows[name].tolist() for name in ("train", "valid", "test")]


def test_by_time():
    # In time order: rows 4 3 2 1 0 9 8 7 6 5; of ten rows two are valid and one is test.
    parts = split([5, 4, 3, 2, 1, 10, 9, 8, 7, 6], valid_fraction=0.2, test_fraction=0.1)
    assert parts == [[4, 3, 2, 1, 0, 9, 8], [7, 6], [5]]


def test_rows_of_one_time_stay_together():
    # Ten rows; valid would begin at place 6 and test at place 8.
    # Place 6 is within the time 3 (places 4 to 6), nearer to its end at 7; place 8 is within 4 (places 7 to 9), nearer
    # to its start at 7. So nothing is left for valid, and nothing leaks.
    assert split([1, 1, 2, 2, 3, 3, 3, 4, 4, 4], valid_fraction=0.2, test_fraction=0.2) == [
        [0, 1, 2, 3, 4, 5, 6],
        [],
        [7, 8, 9],
    ]
    # Place 6 is the second of four rows of time 3, places 5 to 8: nearer to the start. Place 8: nearer to the end.
    assert split([1, 1, 1, 2, 2, 3, 3, 3, 3, 4], valid_fraction=0.2, test_fraction=0.2) == [
        [0, 1, 2, 3, 4],
        [5, 6, 7, 8],
        [9],
    ]


@pytest.mark.parametrize("seed", range(20))
def test_no_row_of_train_is_as_late_as_one_of_test(seed):
    timestamp = np.random.default_rng(seed).integers(0, 40, 200)
    train, valid, test = split(timestamp)
    assert timestamp[train].max() < timestamp[valid].min()
    assert timestamp[valid].max() < timestamp[test].min()
    assert sorted(train + valid + test) == list(range(200))


def test_equal_times_keep_their_order():
    parts = split([7, 7, 7, 7, 7, 7, 7, 7, 8, 9])
    assert parts == [[0, 1, 2, 3, 4, 5, 6, 7], [8], [9]]


def test_at_random():
    timestamp = np.arange(1000)[::-1]
    train, valid, test = split(timestamp, split="random", valid_fraction=0.2, test_fraction=0.1, seed=1)
    assert (len(train), len(valid), len(test)) == (700, 200, 100)
    assert sorted(train + valid + test) == list(range(1000))
    # Each split is in the order of time, here from the last row to the first, and is spread over all of it.
    assert test == sorted(test, reverse=True)
    assert min(test) < 100
    assert max(test) > 900
    again = split(timestamp, split="random", valid_fraction=0.2, test_fraction=0.1, seed=1)
    other = split(timestamp, split="random", valid_fraction=0.2, test_fraction=0.1, seed=2)
    assert again == [train, valid, test]
    assert other != again


def test_per_user():
    # User 1 has rows 0 2 4 6 8 in time order, user 2 has rows 9 7 5 3 1, user 3 row 10 alone.
    # A fifth of five is one row of valid and one of test; a fifth of one row rounds to none.
    user = [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 3]
    timestamp = [10, 95, 20, 75, 30, 55, 40, 35, 50, 15, 99]
    parts = split(timestamp, user, split="per_user", valid_fraction=0.2, test_fraction=0.2)
    assert parts == [[0, 9, 2, 4, 7, 5, 10], [6, 3], [8, 1]]


def test_per_user_rows_of_one_time_keep_their_order():
    parts = split([5, 5, 5, 5, 5], [1, 1, 1, 1, 1], split="per_user", valid_fraction=0.2, test_fraction=0.2)
    assert parts == [[0, 1, 2], [3], [4]]
