"""The gate before an ensemble is handed out: it must score raw rows as the offline path does."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blocks.errors import DependencyError, ParityError
from components.export_ensemble.backends.model import SCORE
from components.export_ensemble.client import EnsembleClient
from components.export_ensemble.columns import Column, Columns
from components.export_ensemble.config import ExportConfig
from components.export_ensemble.in_process import InProcessEnsemble
from components.export_ensemble.model_config import columns_of, read_config
from components.export_ensemble.packing import pack
from components.export_ensemble.repository import RepositoryNames
from components.export_ensemble.server import TritonServer
from components.running import emit

#: Raw rows in, transformed rows out, in the same order.
TransformTable = Callable[[pa.Table], pa.Table]
#: Transformed rows in, one score per row out.
ScoreTable = Callable[[pa.Table], npt.NDArray[Any]]

# Requests of many sizes: a batch must not change what a row gets.
_REQUEST_ROWS = (1, 7, 64, 256)


@dataclass(frozen=True)
class ParityResult:
    """What the gate found.

    Args:
        rows: Rows that were compared.
        max_abs_difference: Largest difference of two scores.
        through: `triton` when a server answered, `in-process` when the same steps ran without one.
    """

    rows: int
    max_abs_difference: float
    through: str


class Ensemble(Protocol):
    """An exported ensemble that can be asked."""

    def transform(self, columns: Columns) -> Columns:
        """Raw columns to the model's."""

    def score(self, columns: Columns) -> npt.NDArray[np.float32]:
        """Raw columns to scores (B,)."""


def check_parity(
    models: str | os.PathLike[str],
    rows: pa.Table,
    offline_transform: TransformTable,
    offline_score: ScoreTable,
    config: ExportConfig,
) -> ParityResult:
    """Sends raw rows through an exported ensemble and through the offline path, and compares.

    The transformed columns are compared first, in the order of the transform, so that a difference is found where it
    begins; then the scores.

    Args:
        models: The model repository.
        rows: Raw rows; see `held_out_rows`.
        offline_transform: The workflow as it was fitted: raw table to transformed table, same rows.
        offline_score: The trained model: transformed table to one score per row.
        config: Settings of the export.

    Returns:
        What was found, when everything agrees.

    Raises:
        ParityError: naming the first column that differs, or "score", with the row and both values.
        DependencyError: if there is no server and `config.require_server` asks for one.
        ServingError: if the server does not start or refuses a row.
    """
    transform = read_config(Path(models) / RepositoryNames(config.name).transform / "config.pbtxt")
    raw = pack(_column_lists(rows, columns_of(transform.input)), columns_of(transform.input))
    offline = offline_transform(rows)
    if offline.num_rows != rows.num_rows:
        raise ParityError(
            "the offline transform changed the rows", expected=str(rows.num_rows), got=str(offline.num_rows)
        )
    expected = np.asarray(offline_score(offline), dtype=np.float64).reshape(-1)
    with _ensemble(models, config) as (ensemble, through):
        parts = list(_requests(raw, config.max_batch_size))
        transformed = [ensemble.transform(part) for part in parts]
        served = np.concatenate([ensemble.score(part) for part in parts]).astype(np.float64)
    for column in columns_of(transform.output):
        _compare_column(column, offline, [part[column.name] for part in transformed], config.column_tolerance)
    difference = _compare(SCORE, expected, served, config.tolerance)
    return ParityResult(rows=rows.num_rows, max_abs_difference=difference, through=through)


@contextlib.contextmanager
def _ensemble(models: str | os.PathLike[str], config: ExportConfig) -> Iterator[tuple[Ensemble, str]]:
    try:
        server = TritonServer(models, start_timeout=config.start_timeout)
    except DependencyError as missing:
        if config.require_server:
            raise
        emit(
            "export_ensemble",
            "message",
            text=f"The Triton server was left out of the check, the same code ran in process: {missing}",
        )
        yield InProcessEnsemble(models, config.name, config.version), "in-process"
        return
    with server, EnsembleClient(server.grpc_url, model_name=config.name) as client:
        yield _ServedEnsemble(client, RepositoryNames(config.name)), "triton"
        server.check()


class _ServedEnsemble:
    def __init__(self, client: EnsembleClient, names: RepositoryNames) -> None:
        self._client = client
        self._names = names

    def transform(self, columns: Columns) -> Columns:
        return self._client.infer(columns, model_name=self._names.transform)

    def score(self, columns: Columns) -> npt.NDArray[np.float32]:
        return self._client.infer(columns)[SCORE].reshape(-1)


def _requests(columns: Columns, limit: int) -> Iterator[Columns]:
    total = len(next(iter(columns.values())))
    start = 0
    for size in cycle(_REQUEST_ROWS):
        if start >= total:
            return
        stop = start + min(size, limit)
        yield {name: values[start:stop] for name, values in columns.items()}
        start = stop


def _column_lists(table: pa.Table, columns: Sequence[Column]) -> Mapping[str, list[Any]]:
    return {column.name: table[column.name].to_pylist() for column in columns}


def _compare_column(column: Column, offline: pa.Table, served: list[npt.NDArray[Any]], tolerance: float) -> None:
    if column.name not in offline.column_names:
        raise ParityError(
            "the offline transform lacks the column", column=column.name, got=", ".join(offline.column_names)
        )
    expected = offline[column.name].to_pylist()
    if column.is_list:
        got = [[value for value in row if value != 0] for part in served for row in part.tolist()]
        for row, (wanted, found) in enumerate(zip(expected, got, strict=True)):
            if list(wanted or ()) != found:
                raise _differs(column.name, row, wanted, found)
        return
    dtype = np.float64 if column.dtype == "float32" else np.int64
    if None in expected:
        row = expected.index(None)
        raise _differs(column.name, row, None, np.concatenate(served)[row, 0])
    values = np.concatenate(served).reshape(-1).astype(dtype)
    _compare(column.name, np.asarray(expected, dtype=dtype), values, tolerance if dtype is np.float64 else 0)


def _compare(name: str, expected: npt.NDArray[Any], got: npt.NDArray[Any], tolerance: float) -> float:
    """Largest difference; raises when one is over the tolerance or no number."""
    if len(expected) != len(got):
        raise ParityError("rows are missing", column=name, expected=str(len(expected)), got=str(len(got)))
    differences = np.abs(expected - got)
    wrong = np.flatnonzero(~(differences <= tolerance))
    if len(wrong):
        worst = int(wrong[0])
        raise _differs(name, worst, expected[worst], got[worst])
    return float(differences.max())


def _differs(column: str, row: int, expected: Any, got: Any) -> ParityError:
    return ParityError(
        f"served and offline differ in row {row} of those compared",
        column=column,
        expected=f"{expected} (offline)",
        got=f"{got} (served)",
    )
