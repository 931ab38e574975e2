"""The parity check before publishing: raw rows through the exported ensemble and through the offline transform.

`comparison_rows` selects the rows, `run_both_paths` sends them through both paths and compares the transformed columns.
The caller compares the outputs of the model, with `check_close` or by its own rules. `run_both_paths` also sends
several requests at the same time, because a server batches them, and checks that each answer equals that of the
request alone.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.blocks.errors import DataError, DependencyError, ParityError
from emrys.blocks.workflow import FillNormalize, FittedWorkflow, NumberChain
from emrys.components.events import emit
from emrys.components.serving.backends.saved_signature import without_padding
from emrys.components.serving.client import EnsembleClient
from emrys.components.serving.columns import Column, Columns
from emrys.components.serving.config import EnsembleConfig
from emrys.components.serving.in_process import InProcessEnsemble, ServingStep
from emrys.components.serving.model_config import EnsembleNames, columns_of, read_config
from emrys.components.serving.packing import pack
from emrys.components.serving.server import TritonServer

#: Raw rows in, transformed rows out, in the same order.
TransformTable = Callable[[pa.Table], pa.Table]

#: Values that no data set contains, by dtype.
UNSEEN: dict[str, int | str] = {"int64": 2**53 + 1, "string": "~ unseen ~"}

# Groups of requests that are sent at the same time; the most requests of a group, and the most rows of a request.
_REQUEST_GROUPS, _MOST_REQUESTS, _MOST_ROWS = 24, 12, 3

# Requests of many sizes: the result of a row must not depend on its batch.
_REQUEST_SIZES = (1, 7, 64, 256)


@dataclass(frozen=True)
class ParityResult:
    """Summary of a parity check that passed.

    Args:
        rows: Number of rows compared.
        max_abs_difference: Largest difference of two scores.
        through: `triton` if a server answered, `in-process` if the same code ran without one.
    """

    rows: int
    max_abs_difference: float
    through: str


@dataclass(frozen=True)
class PathOutputs:
    """Outputs of both paths for the same rows, whose transformed columns agree.

    Attributes:
        offline: The rows after the offline transform.
        served: Outputs of the ensemble, (B, ...).
        through: `triton` if a server answered, `in-process` if the same code ran without one.
    """

    offline: pa.Table
    served: Columns
    through: str


class Ensemble(Protocol):
    """An exported ensemble that answers requests."""

    def transform(self, columns: Columns) -> Columns:
        """Transforms raw columns to the inputs of the model."""

    def infer(self, columns: Columns) -> Columns:
        """Computes the outputs of the ensemble for raw columns."""

    def infer_together(self, requests: Sequence[Columns]) -> list[Columns]:
        """Computes the outputs for several requests, sent at the same time."""


def comparison_rows(
    table: pa.Table, columns: Sequence[Column], rows: int, seed: int, amounts: Collection[str] = ()
) -> pa.Table:
    """Samples held-out rows and appends edge cases.

    Args:
        table: Raw rows that the model was not trained on.
        columns: Inputs of the ensemble.
        rows: Number of rows to sample; all of them if there are fewer.
        seed: Seed of the sample.
        amounts: Columns of numbers that the model computes with, see `amounts_of`: their odd value is 0, because a huge
            one can have no finite score. Default: those of float32 alone.

    Returns:
        The sampled rows in their order, then the edge cases, with the columns of `table`.

    Raises:
        DataError: if the table is empty or lacks a column.
    """
    missing = [column.name for column in columns if column.name not in table.column_names]
    if missing:
        raise DataError("a column is missing", column=missing[0], got=", ".join(table.column_names))
    if not table.num_rows:
        raise DataError("there are no held-out rows", fix="Split the data so that the test split has rows.")
    chosen = np.random.default_rng(seed).permutation(table.num_rows)[:rows]
    sample = table.take(pa.array(np.sort(chosen)))
    edge_cases = list(_edge_rows(sample.slice(0, 1).to_pylist()[0], columns, amounts))
    return pa.concat_tables([sample, pa.Table.from_pylist(edge_cases, schema=table.schema)])


def run_both_paths(
    models: str | os.PathLike[str],
    rows: pa.Table,
    offline_transform: TransformTable,
    config: EnsembleConfig,
    step: str,
    model_step: type[ServingStep],
) -> PathOutputs:
    """Sends raw rows through an exported ensemble and through the offline transform.

    The transformed columns are compared here, in the order of the transform, so that a difference is reported where it
    arises.

    Args:
        models: The model repository.
        rows: Raw rows; see `comparison_rows`.
        offline_transform: The workflow as it was fitted: raw table to transformed table, same rows.
        config: Settings of the export.
        step: Name of the pipeline step, for its events.
        model_step: Class of the model that follows the transform.

    Returns:
        The outputs of both paths.

    Raises:
        ParityError: naming the first column that differs, with the row and both values; or the output of a row that
            depends on the requests that were sent together with it.
        DependencyError: if there is no server and `config.require_server` requires one.
        ServingError: if the server does not start or refuses a row.
    """
    names = EnsembleNames(config.name)
    transform, ensemble = (
        read_config(Path(models) / name / "config.pbtxt") for name in (names.transform, names.ensemble)
    )
    inputs = columns_of(ensemble.input)
    raw = pack({column.name: rows[column.name].to_pylist() for column in inputs}, inputs)
    offline = offline_transform(rows)
    if offline.num_rows != rows.num_rows:
        raise ParityError(
            "the offline transform changed the number of rows", expected=str(rows.num_rows), got=str(offline.num_rows)
        )
    with _open_ensemble(models, config, step, model_step) as (connected, through):
        requests = list(_requests(raw, config.max_batch_size))
        transform_inputs = [column.name for column in columns_of(transform.input)]
        transformed = [connected.transform({name: part[name] for name in transform_inputs}) for part in requests]
        answers = [connected.infer(part) for part in requests]
        groups = list(_request_groups(rows, inputs, config.seed))
        together = [
            connected.infer_together([pack(_taken(rows, inputs, positions), inputs) for positions in group])
            for group in groups
        ]
    for column in columns_of(transform.output):
        _check_column(column, offline, [part[column.name] for part in transformed], config.column_tolerance)
    served = {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}
    for group, joined in zip(groups, together, strict=True):
        for positions, answer in zip(group, joined, strict=True):
            alone = {name: values[positions] for name, values in served.items()}
            check_group(alone, answer, positions, config.tolerance)
    return PathOutputs(offline, served, through)


def check_group(alone: Columns, together: Columns, rows: Sequence[int], tolerance: float) -> None:
    """Checks that the answers to some rows do not depend on the requests that were sent together with them.

    Args:
        alone: Outputs for the rows without other requests, (B, K).
        together: Outputs for the rows among other requests, (B, K).
        rows: Numbers of the rows among the compared rows.
        tolerance: Largest allowed difference of two numbers. Items may change places where their scores, the outputs
            that are numbers, differ by less.

    Raises:
        ParityError: naming the first output that differs, with the row and both values.
    """
    scores = {name: values.astype(np.float64) for name, values in alone.items() if values.dtype.kind == "f"}
    for name in (*scores, *(name for name in alone if name not in scores)):  # scores first: items refer to their ties
        expected, got = alone[name], together[name]
        if name in scores:
            same = np.abs(scores[name] - got) <= _allowed(scores[name], tolerance)
        else:
            same = expected == got
            for values in scores.values():
                same |= _tied(values, tolerance)
        if not same.all():
            row = int(np.argwhere(~same)[0][0])
            raise ParityError(
                f"row {rows[row]} of the compared rows gets a different answer when sent together with other requests",
                column=name,
                expected=f"{expected[row].tolist()} (alone)",
                got=f"{got[row].tolist()} (together)",
            )


def check_close(name: str, expected: npt.NDArray[Any], got: npt.NDArray[Any], tolerance: float) -> float:
    """Checks that two arrays of numbers agree.

    Args:
        name: Name of the column.
        expected: Offline values, (B,) or (B, D).
        got: Served values, of the same shape.
        tolerance: Largest allowed difference; relative for values above 1.

    Returns:
        The largest difference.

    Raises:
        ParityError: if a difference exceeds the tolerance or is NaN, or the shapes differ.
    """
    if expected.shape != got.shape:
        raise ParityError(
            "served and offline differ in the number of rows or values",
            column=name,
            expected=str(expected.shape),
            got=str(got.shape),
        )
    differences = np.abs(expected - got)
    wrong = np.argwhere(~(differences <= _allowed(expected, tolerance)))
    if len(wrong):
        place = tuple(wrong[0])
        where = f"row {place[0]}" if len(place) == 1 else f"row {place[0]}, value {place[1]}"
        raise mismatch(name, where, expected[place], got[place])
    return float(differences.max(initial=0))


def _allowed(expected: npt.NDArray[Any], tolerance: float) -> npt.NDArray[np.float64]:
    return tolerance * np.maximum(1.0, np.abs(expected))


def mismatch(column: str, where: str, expected: object, got: object) -> ParityError:
    """Creates the error for two values that differ.

    Args:
        column: Name of the column.
        where: Row, or row and rank, among the compared rows.
        expected: Offline value.
        got: Served value.
    """
    return ParityError(
        f"served and offline differ in {where} of the compared rows",
        column=column,
        expected=f"{expected} (offline)",
        got=f"{got} (served)",
    )


def _request_groups(rows: pa.Table, columns: Sequence[Column], seed: int) -> Iterator[list[list[int]]]:
    """Draws groups of requests, each the numbers of its rows; each group has a row with the longest list."""
    random = np.random.default_rng(seed)
    lists = [column.name for column in columns if column.is_list]
    lengths = [max([len(row[name] or ()) for name in lists], default=0) for row in rows.select(lists).to_pylist()]
    longest = int(np.argmax(lengths)) if lengths else 0
    for _ in range(_REQUEST_GROUPS):
        sizes = random.integers(1, _MOST_ROWS + 1, int(random.integers(1, _MOST_REQUESTS)))
        yield [[longest], *(random.integers(0, rows.num_rows, size).tolist() for size in sizes)]


def _taken(rows: pa.Table, columns: Sequence[Column], positions: Sequence[int]) -> dict[str, list[Any]]:
    chosen = rows.take(pa.array(positions))
    return {column.name: chosen[column.name].to_pylist() for column in columns}


def _tied(scores: npt.NDArray[np.float64], tolerance: float) -> npt.NDArray[np.bool_]:
    """(B, K) whether a rank's score is tied with a neighbour's or the last one's, whose ties may lie outside it."""
    near = np.abs(np.diff(scores, axis=1)) <= tolerance
    none = np.zeros((len(scores), 1), dtype=bool)
    last = np.abs(scores - scores[:, -1:]) <= tolerance
    return np.hstack([near, none]) | np.hstack([none, near]) | last


def amounts_of(workflow: FittedWorkflow) -> frozenset[str]:
    """Raw columns whose values a workflow hands on as numbers, such as prices."""
    return frozenset(
        column.name for op in workflow.ops if isinstance(op, FillNormalize | NumberChain) for column in op.inputs
    )


def _edge_rows(row: dict[str, Any], columns: Sequence[Column], amounts: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yields copies of `row` with one edge value each, then copies with edge values in all columns."""
    values = {column.name: _edge_values(column, row[column.name], column.name in amounts) for column in columns}
    for column in columns:
        for value in values[column.name]:
            yield {**row, column.name: value}
    yield {**row, **{column.name: [] if column.width is None else None for column in columns}}
    yield {**row, **{column.name: values[column.name][-1] for column in columns}}


def _edge_values(column: Column, value: Any, amount: bool) -> list[Any]:
    unseen = 0 if amount else UNSEEN.get(column.dtype, 0.0)
    if column.length is not None:
        return [None, [None] * column.length, [None, *[unseen] * (column.length - 1)], [unseen] * column.length]
    if not column.is_list:
        return [None, math.nan, unseen] if column.dtype == "float32" else [None, unseen]
    return [None, [], [None], [unseen], [*(value or []), None, unseen, *(value or [])]]


@contextlib.contextmanager
def _open_ensemble(
    models: str | os.PathLike[str], config: EnsembleConfig, step: str, model_step: type[ServingStep]
) -> Iterator[tuple[Ensemble, str]]:
    try:
        server = TritonServer(models, start_timeout=config.start_timeout)
    except DependencyError as missing:
        if config.require_server:
            raise
        text = f"Parity was checked in process, with the same code but without the Triton server: {missing}"
        emit(step, "message", text=text)
        yield InProcessEnsemble(models, model_step, config.name, config.version), "in-process"
        return
    with server, EnsembleClient(server.grpc_url, model_name=config.name) as client:
        yield _ServedEnsemble(client, EnsembleNames(config.name)), "triton"
        server.check()


class _ServedEnsemble:
    def __init__(self, client: EnsembleClient, names: EnsembleNames) -> None:
        self._client = client
        self._names = names

    def transform(self, columns: Columns) -> Columns:
        return self._client.infer(columns, model_name=self._names.transform)

    def infer(self, columns: Columns) -> Columns:
        return self._client.infer(columns)

    def infer_together(self, requests: Sequence[Columns]) -> list[Columns]:
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(self._client.infer, requests))


def _requests(columns: Columns, limit: int) -> Iterator[Columns]:
    total = len(next(iter(columns.values())))
    start = 0
    for size in cycle(_REQUEST_SIZES):
        if start >= total:
            return
        stop = start + min(size, limit)
        yield {name: values[start:stop] for name, values in columns.items()}
        start = stop


def _check_column(column: Column, offline: pa.Table, served: Sequence[npt.NDArray[Any]], tolerance: float) -> None:
    if column.name not in offline.column_names:
        raise ParityError(
            "the offline transform lacks the column", column=column.name, got=", ".join(offline.column_names)
        )
    dtype: type[np.float64 | np.int64] = np.float64 if column.dtype == "float32" else np.int64
    allowed = tolerance if dtype is np.float64 else 0
    expected = offline[column.name].to_pylist()
    if not column.is_list:
        if None in expected:
            row = expected.index(None)
            raise mismatch(column.name, f"row {row}", None, np.concatenate(served)[row, 0])
        values = np.concatenate(served).reshape(-1).astype(dtype)
        check_close(column.name, np.asarray(expected, dtype=dtype), values, allowed)
        return
    got = [without_padding(row[np.newaxis], column.length is None)[0] for part in served for row in part]
    for row, (offline_list, served_list) in enumerate(zip(expected, got, strict=True)):
        numbers = [np.nan if value is None else value for value in offline_list or ()]
        one, other = np.array(numbers, np.float64), served_list.astype(np.float64)
        if one.shape != other.shape or not (np.abs(one - other) <= _allowed(one, allowed)).all():
            raise mismatch(column.name, f"row {row}", offline_list, served_list.tolist())
