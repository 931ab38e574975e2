"""Answering several requests in one batch: join, compute once, split."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from emrys.blocks.workflow import NULL_INT, PADDING
from emrys.components.serving.columns import Columns

#: Values after the end of a list, by kind of dtype: null in raw columns, where 0 is an id like any other.
RAW_PADDING: Mapping[str, object] = {"i": NULL_INT, "f": np.nan, "O": b""}

#: The same in transformed columns, whose ids keep 0 for padding, and whose numbers are never NaN.
TRANSFORMED_PADDING: Mapping[str, object] = {"i": PADDING, "f": np.nan, "O": b""}


#: Most elements of a joined batch that has more padding than `MOST_PADDING` allows.
MOST_PADDED = 1 << 20

#: Most elements of a joined batch for each element that arrived.
MOST_PADDING = 4


class BatchStep(Protocol):
    """A step that computes each row of a batch independently.

    Attributes:
        padding: Values after the end of a list in its inputs, by kind of dtype.
    """

    padding: ClassVar[Mapping[str, object]]

    def check(self, columns: Columns) -> None:
        """Raises DataError if the columns of a request are invalid."""

    def __call__(self, columns: Columns) -> Columns:
        """Computes the output columns of a batch, for the same rows."""


def answer(step: BatchStep, requests: Sequence[Columns]) -> list[Columns | Exception]:
    """Answers several requests together; each gets its own result or error.

    Requests that fail the check are excluded from the batch. If the batch fails, each request is computed on its own,
    so that one cannot fail the others. A request whose long lists would pad those of the others is computed apart.

    Args:
        step: The step that computes a batch.
        requests: Columns of each request.

    Returns:
        The output columns of each request, or the exception that it caused.
    """
    answers: list[Columns | Exception] = [_checked(step, request) for request in requests]
    good = [index for index, request in enumerate(answers) if not isinstance(request, Exception)]
    for group in request_groups([requests[index] for index in good]):
        members = [good[position] for position in group]
        results = _together(step, [requests[index] for index in members])
        for index, result in zip(members, results, strict=True):
            answers[index] = result
    return answers


def request_groups(requests: Sequence[Columns]) -> list[list[int]]:
    """Groups requests so that padding cannot make a batch much larger than what arrived.

    Lists are padded to the longest of a batch: a request with one list of a million ids, joined with a thousand rows,
    would be a thousand million ids.

    Args:
        requests: Columns of each request.

    Returns:
        The positions of the requests of each group. A joined group has at most `MOST_PADDED` elements, or at most
        `MOST_PADDING` times as many as arrived.
    """
    groups: list[list[int]] = []
    for position in sorted(range(len(requests)), key=lambda index: _widest(requests[index])):
        joined = [*groups[-1], position] if groups else []
        if joined and _may_join([requests[index] for index in joined]):
            groups[-1] = joined
        else:
            groups.append([position])
    return [sorted(group) for group in groups]


def join(requests: Sequence[Columns], padding: Mapping[str, object]) -> Columns:
    """Concatenates requests by rows; lists are padded to the longest.

    Args:
        requests: Columns of each request, the same names in each; (B, 1) or (B, L).
        padding: Values after the end of a list, by kind of dtype.

    Returns:
        Columns with the rows of all requests.
    """
    return {name: _stack([request[name] for request in requests], padding) for name in requests[0]}


def split(columns: Columns, rows: Sequence[int]) -> list[Columns]:
    """Splits columns into parts with the numbers of rows in `rows`."""
    bounds = itertools.pairwise(itertools.accumulate(rows, initial=0))
    return [{name: values[start:stop] for name, values in columns.items()} for start, stop in bounds]


def _may_join(requests: Sequence[Columns]) -> bool:
    rows = sum(map(_rows, requests))
    padded = sum(rows * max(request[name].shape[1] for request in requests) for name in requests[0])
    arrived = sum(values.size for request in requests for values in request.values())
    return padded <= max(MOST_PADDED, MOST_PADDING * arrived)


def _widest(request: Columns) -> int:
    return max(values.shape[1] for values in request.values())


def _checked(step: BatchStep, request: Columns) -> Columns | Exception:
    try:
        step.check(request)
    except Exception as error:
        return error
    return request


def _together(step: BatchStep, requests: Sequence[Columns]) -> list[Columns | Exception]:
    if len(requests) < 2:
        return [_alone(step, request) for request in requests]
    try:
        return [*split(step(join(requests, step.padding)), [_rows(request) for request in requests])]
    except Exception:  # any error belongs to one of the requests
        return [_alone(step, request) for request in requests]


def _alone(step: BatchStep, request: Columns) -> Columns | Exception:
    try:
        return step(request)
    except Exception as error:  # a server must answer every request
        return error


def _rows(request: Columns) -> int:
    return len(next(iter(request.values())))


def _stack(parts: Sequence[npt.NDArray[Any]], padding: Mapping[str, object]) -> npt.NDArray[Any]:
    width = max(part.shape[1] for part in parts)
    if all(part.shape[1] == width for part in parts):
        return np.concatenate(parts)
    dtype = parts[0].dtype
    stacked = np.full((sum(len(part) for part in parts), width), padding[dtype.kind], dtype=dtype)
    start = 0
    for part in parts:
        stacked[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return stacked
