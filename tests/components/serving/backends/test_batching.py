from __future__ import annotations

import numpy as np

from emrys.blocks.errors import DataError
from emrys.components.serving.backends.batching import answer, join, split


class Halves:
    """Half of `x`, and the sum of `tags`; refuses negative `x`, cannot compute 13, and keeps the size of each batch."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def check(self, columns):
        if (columns["x"] < 0).any():
            raise DataError("negative", column="x")

    def __call__(self, columns):
        self.batches.append(len(columns["x"]))
        if (columns["x"] == 13).any():
            raise ArithmeticError("unlucky")
        return {"half": columns["x"] / 2, "sum": columns["tags"].sum(axis=1, keepdims=True)}


def request(*rows, width=1):
    return {"x": np.array(rows, dtype=float)[:, None], "tags": np.ones((len(rows), width), dtype=np.int64)}


def test_requests_share_one_call_and_get_their_own_rows():
    step = Halves()
    answers = answer(step, [request(2, 4), request(6, width=3), request(8)])
    assert step.batches == [4]
    assert [part["half"].ravel().tolist() for part in answers] == [[1, 2], [3], [4]]
    assert [part["sum"].ravel().tolist() for part in answers] == [[1, 1], [3], [1]]


def test_a_refused_request_stays_out_of_the_batch():
    step = Halves()
    answers = answer(step, [request(2), request(-1), request(6)])
    assert step.batches == [2]
    assert str(answers[1]) == "column 'x': negative"
    assert [answers[0]["half"].tolist(), answers[2]["half"].tolist()] == [[[1]], [[3]]]


def test_a_request_that_breaks_the_batch_fails_alone():
    step = Halves()
    answers = answer(step, [request(2), request(13), request(6)])
    assert step.batches == [3, 1, 1, 1]
    assert [answers[0]["half"].tolist(), answers[2]["half"].tolist()] == [[[1]], [[3]]]
    assert isinstance(answers[1], ArithmeticError)


def test_one_request_is_computed_once_even_when_it_fails():
    step = Halves()
    assert isinstance(answer(step, [request(13)])[0], ArithmeticError)
    assert step.batches == [1]
    assert answer(step, []) == []


def test_join_pads_numbers_with_0_and_strings_with_nothing():
    joined = join(
        [
            {"ids": np.array([[5]]), "words": np.array([[b"a", b"b"]], object)},
            {"ids": np.array([[6, 7], [8, 0]]), "words": np.array([[b"c"], [b""]], object)},
        ]
    )
    assert joined["ids"].tolist() == [[5, 0], [6, 7], [8, 0]]
    assert joined["words"].tolist() == [[b"a", b"b"], [b"c", b""], [b"", b""]]


def test_split_cuts_at_the_rows():
    parts = split({"x": np.arange(6)[:, None]}, [1, 0, 3, 2])
    assert [part["x"].ravel().tolist() for part in parts] == [[0], [], [1, 2, 3], [4, 5]]
