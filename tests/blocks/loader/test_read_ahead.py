"""Reading in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from emrys.blocks.errors import DataError
from emrys.blocks.loader.rows import read_ahead


def batches(output: list[int], count: int = 20, rows: int = 10) -> Iterator[pa.RecordBatch]:
    for number in range(count):
        output.append(number)
        yield pa.RecordBatch.from_pydict({"n": [number] * rows})


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "emrys-loader"]


def until_none_reads() -> None:
    for _ in range(500):
        if not readers():
            return
        time.sleep(0.01)
    raise AssertionError("a thread is left")


def test_pieces_come_in_order() -> None:
    pieces = list(read_ahead(batches([]), 30))
    assert [piece.column("n")[0].as_py() for piece in pieces] == list(range(20))
    until_none_reads()


def test_it_stops_when_enough_rows_wait() -> None:
    output: list[int] = []
    ahead = read_ahead(batches(output), 30)
    next(ahead)
    time.sleep(0.2)
    # One was taken; the thread goes on until 30 rows wait.
    assert output == [0, 1, 2, 3]
    ahead.close()


def test_leaving_early_ends_the_thread() -> None:
    ahead = read_ahead(batches([]), 30)
    next(ahead)
    assert readers()
    ahead.close()
    until_none_reads()


def test_an_error_comes_after_what_was_read() -> None:
    def fails() -> Iterator[pa.RecordBatch]:
        yield from batches([], 2)
        raise DataError("the file is damaged")

    ahead = read_ahead(fails(), 1000)
    assert next(ahead).num_rows == next(ahead).num_rows == 10
    with pytest.raises(DataError, match="the file is damaged"):
        next(ahead)
    until_none_reads()
