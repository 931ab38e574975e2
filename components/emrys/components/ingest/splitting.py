"""Assignment of rows to train, valid and test."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from emrys.components.ingest.config import IngestConfig, SplitMethod

Rows = npt.NDArray[np.int64]


def split_rows(timestamp: Rows, user: Rows, config: IngestConfig) -> dict[str, Rows]:
    """Assigns every row to a split.

    Args:
        timestamp: (rows,) time of each row.
        user: (rows,) user of each row.
        config: Settings: method, fractions and seed.

    Returns:
        Row numbers of train, valid and test, each in the order of time; rows of the same time keep their order.
    """
    in_time = np.argsort(timestamp, kind="stable")
    if config.split is SplitMethod.TIME:
        part = _by_time(timestamp[in_time], config)
    elif config.split is SplitMethod.RANDOM:
        part = _at_random(len(in_time), config)
    else:
        part = _per_user(user[in_time], config)
    return {name: in_time[part == number] for number, name in enumerate(("train", "valid", "test"))}


def _by_time(timestamp: Rows, config: IngestConfig) -> Rows:
    """Part (0, 1 or 2) of each row of a log in time order; rows of the same time are in the same part."""
    rows = len(timestamp)
    starts = [_between_times(timestamp, start) for start in _starts(rows, config)]
    return np.searchsorted(starts, np.arange(rows), side="right")


def _between_times(timestamp: Rows, start: int) -> int:
    """Index nearest to `start` at which the time changes."""
    if start >= len(timestamp):
        return len(timestamp)
    before = int(np.searchsorted(timestamp, timestamp[start], side="left"))
    after = int(np.searchsorted(timestamp, timestamp[start], side="right"))
    return before if start - before <= after - start else after


def _at_random(rows: int, config: IngestConfig) -> Rows:
    shuffled = np.random.Generator(np.random.PCG64(config.seed)).permutation(rows)
    return np.searchsorted(_starts(rows, config), shuffled, side="right")


def _per_user(user: Rows, config: IngestConfig) -> Rows:
    """Part of each row of a log in time order; the last rows of each user are test."""
    by_user = np.argsort(user, kind="stable")
    _, first, inverse, count = np.unique(user[by_user], return_index=True, return_inverse=True, return_counts=True)
    index = np.arange(len(user)) - first[inverse]  # within the rows of the user
    test = np.floor(count * config.test_fraction + 0.5).astype(np.int64)
    valid = np.floor(count * config.valid_fraction + 0.5).astype(np.int64)
    left = (count - test)[inverse]
    part = np.empty(len(user), np.int64)
    part[by_user] = (index >= left - valid[inverse]).astype(np.int64) + (index >= left)
    return part


def _starts(rows: int, config: IngestConfig) -> tuple[int, int]:
    """First row of valid and of test."""
    test = rows - math.floor(rows * config.test_fraction + 0.5)
    return test - math.floor(rows * config.valid_fraction + 0.5), test
