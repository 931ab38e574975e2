from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import NULL_INT, FittedWorkflow
from emrys.components.serving.backends.batching import (
    RAW_PADDING,
    TRANSFORMED_PADDING,
    answer,
    join,
    request_groups,
    split,
)
from emrys.components.serving.backends.transform_step import TransformStep
from emrys.components.serving.packing import pack

#: A fitted workflow with every operator, and raw rows.
SAVED = Path(__file__).resolve().parents[3] / "saved" / "workflow"


class Halves:
    """Half of `x`, and the sum of `tags`; refuses negative `x`, cannot compute 13, and keeps the size of each batch."""

    padding = TRANSFORMED_PADDING

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


def test_a_long_list_does_not_pad_a_thousand_rows():
    """One request of a million ids beside rows of 1: together they would be 1,001 million elements."""
    step = Halves()
    answers = answer(step, [request(*[6] * 1000), request(2, width=1_000_000), request(4, width=3)])
    assert step.batches == [1001, 1]
    assert [part["sum"].ravel().tolist() for part in answers[1:]] == [[1_000_000], [3]]
    assert answers[0]["half"].ravel().tolist() == [3] * 1000


def test_requests_share_a_batch_where_padding_is_small():
    assert request_groups([request(1, width=9), request(2), request(*range(500), width=2000)]) == [[0, 1, 2]]
    assert request_groups([request(1, width=700_000), request(2, width=800_000)]) == [[0, 1]]
    assert request_groups([request(1, width=800_000), request(*[2] * 8), request(3)]) == [[1, 2], [0]]
    assert request_groups([]) == []


def test_join_pads_raw_lists_with_null_and_transformed_ones_with_0():
    requests = [
        {"ids": np.array([[5]]), "x": np.array([[0.5]], "float32"), "words": np.array([[b"a", b"b"]], object)},
        {
            "ids": np.array([[6, 7], [8, 0]]),
            "x": np.array([[1.0, 2.0], [3.0, 0.0]], "float32"),
            "words": np.array([[b"c"], [b""]], object),
        },
    ]
    raw, transformed = join(requests, RAW_PADDING), join(requests, TRANSFORMED_PADDING)
    assert raw["ids"].tolist() == [[5, NULL_INT], [6, 7], [8, 0]]
    assert transformed["ids"].tolist() == [[5, 0], [6, 7], [8, 0]]
    np.testing.assert_array_equal(raw["x"], [[0.5, np.nan], [1.0, 2.0], [3.0, 0.0]])
    assert raw["words"].tolist() == [[b"a", b"b"], [b"c", b""], [b"", b""]]


@pytest.mark.parametrize("seed", range(20))
def test_an_answer_is_the_same_alone_and_in_any_group(seed):
    step = TransformStep(FittedWorkflow.load(SAVED / "fitted"))
    rows = json.loads((SAVED / "rows.json").read_text(encoding="utf-8"))
    rows = [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
    draw = np.random.default_rng(seed)
    requests = []
    for _ in range(int(draw.integers(2, 6))):
        chosen = [dict(rows[index]) for index in draw.integers(0, len(rows), int(draw.integers(1, 4)))]
        for row in chosen:  # lists of all lengths, the empty one included
            for name, value in row.items():
                if isinstance(value, list):
                    row[name] = (
                        [value[index] for index in draw.integers(0, len(value), int(draw.integers(0, 7)))]
                        if value
                        else []
                    )
        requests.append(pack(chosen, step.inputs))
    for request, together in zip(requests, answer(step, requests), strict=True):
        alone = step(request)
        for name, values in alone.items():
            width = values.shape[1]
            np.testing.assert_array_equal(together[name][:, :width], values, err_msg=name)
            assert not together[name][:, width:].any(), name


def test_split_cuts_at_the_rows():
    parts = split({"x": np.arange(6)[:, None]}, [1, 0, 3, 2])
    assert [part["x"].ravel().tolist() for part in parts] == [[0], [], [1, 2, 3], [4, 5]]
