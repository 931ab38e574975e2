"""Raw rows through an exported ensemble and through the offline transform, and how what comes out is compared."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.blocks.errors import DependencyError, ParityError
from emrys.components.export_ensemble.backends.model import ModelStep
from emrys.components.export_ensemble.client import EnsembleClient
from emrys.components.export_ensemble.columns import Column, Columns
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.export_ensemble.in_process import InProcessEnsemble
from emrys.components.export_ensemble.model_config import columns_of, read_config
from emrys.components.export_ensemble.packing import pack
from emrys.components.export_ensemble.repository import RepositoryNames
from emrys.components.export_ensemble.server import TritonServer
from emrys.components.running import emit

#: Raw rows in, transformed rows out, in the same order.
TransformTable = Callable[[pa.Table], pa.Table]

# Requests of many sizes: a batch must not change what a row gets.
_REQUEST_ROWS = (1, 7, 64, 256)


@dataclass(frozen=True)
class Answers:
    """What the two paths gave for the same rows, whose transformed columns agree.

    Attributes:
        offline: The rows as the offline transform gives them.
        served: Outputs of the ensemble, (B, ...).
        through: `triton` when a server answered, `in-process` when the same steps ran without one.
    """

    offline: pa.Table
    served: Columns
    through: str


class Ensemble(Protocol):
    """An exported ensemble that can be asked."""

    def transform(self, columns: Columns) -> Columns:
        """Raw columns to the model's."""

    def infer(self, columns: Columns) -> Columns:
        """Raw columns to the outputs of the ensemble."""


def ask_both(
    models: str | os.PathLike[str],
    rows: pa.Table,
    offline_transform: TransformTable,
    config: ExportConfig,
    step: str,
    model_step: Any = ModelStep,
) -> Answers:
    """Sends raw rows through an exported ensemble and through the offline transform.

    The transformed columns are compared at once, in the order of the transform, so that a difference is found where it
    begins.

    Args:
        models: The model repository.
        rows: Raw rows; see `held_out_rows`.
        offline_transform: The workflow as it was fitted: raw table to transformed table, same rows.
        config: Settings of the export.
        step: Name of the pipeline step, for what it tells.
        model_step: Class of the ensemble's step behind the transform.

    Returns:
        What both gave.

    Raises:
        ParityError: naming the first column that differs, with the row and both values.
        DependencyError: if there is no server and `config.require_server` asks for one.
        ServingError: if the server does not start or refuses a row.
    """
    names = RepositoryNames(config.name)
    transform, ensemble = (
        read_config(Path(models) / name / "config.pbtxt") for name in (names.transform, names.ensemble)
    )
    inputs = columns_of(ensemble.input)
    raw = pack({column.name: rows[column.name].to_pylist() for column in inputs}, inputs)
    offline = offline_transform(rows)
    if offline.num_rows != rows.num_rows:
        raise ParityError(
            "the offline transform changed the rows", expected=str(rows.num_rows), got=str(offline.num_rows)
        )
    with _opened(models, config, step, model_step) as (asked, through):
        parts = list(_requests(raw, config.max_batch_size))
        to_transform = [column.name for column in columns_of(transform.input)]
        transformed = [asked.transform({name: part[name] for name in to_transform}) for part in parts]
        served = [asked.infer(part) for part in parts]
    for column in columns_of(transform.output):
        _compare_column(column, offline, [part[column.name] for part in transformed], config.column_tolerance)
    together = {name: np.concatenate([part[name] for part in served]) for name in served[0]}
    return Answers(offline, together, through)


def compare(name: str, expected: npt.NDArray[Any], got: npt.NDArray[Any], tolerance: float) -> float:
    """Compares numbers (B,).

    Args:
        name: Name of the column.
        expected: Those of the offline path.
        got: Those that were served.
        tolerance: Largest difference.

    Returns:
        The largest difference.

    Raises:
        ParityError: if one is over the tolerance or no number, or rows are missing.
    """
    if len(expected) != len(got):
        raise ParityError("rows are missing", column=name, expected=str(len(expected)), got=str(len(got)))
    differences = np.abs(expected - got)
    wrong = np.flatnonzero(~(differences <= tolerance))
    if len(wrong):
        worst = int(wrong[0])
        raise differs(name, f"row {worst}", expected[worst], got[worst])
    return float(differences.max())


def differs(column: str, where: str, expected: Any, got: Any) -> ParityError:
    """The error that names what differs, in which row, and both values."""
    return ParityError(
        f"served and offline differ in {where} of those compared",
        column=column,
        expected=f"{expected} (offline)",
        got=f"{got} (served)",
    )


@contextlib.contextmanager
def _opened(
    models: str | os.PathLike[str], config: ExportConfig, step: str, model_step: Any
) -> Iterator[tuple[Ensemble, str]]:
    try:
        server = TritonServer(models, start_timeout=config.start_timeout)
    except DependencyError as missing:
        if config.require_server:
            raise
        text = f"The Triton server was left out of the check, the same code ran in process: {missing}"
        emit(step, "message", text=text)
        yield InProcessEnsemble(models, config.name, config.version, model_step), "in-process"
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

    def infer(self, columns: Columns) -> Columns:
        return self._client.infer(columns)


def _requests(columns: Columns, limit: int) -> Iterator[Columns]:
    total = len(next(iter(columns.values())))
    start = 0
    for size in cycle(_REQUEST_ROWS):
        if start >= total:
            return
        stop = start + min(size, limit)
        yield {name: values[start:stop] for name, values in columns.items()}
        start = stop


def _compare_column(column: Column, offline: pa.Table, served: Sequence[npt.NDArray[Any]], tolerance: float) -> None:
    if column.name not in offline.column_names:
        raise ParityError(
            "the offline transform lacks the column", column=column.name, got=", ".join(offline.column_names)
        )
    expected = offline[column.name].to_pylist()
    if column.is_list:
        got = [[value for value in row if value != 0] for part in served for row in part.tolist()]
        for row, (wanted, found) in enumerate(zip(expected, got, strict=True)):
            if list(wanted or ()) != found:
                raise differs(column.name, f"row {row}", wanted, found)
        return
    dtype = np.float64 if column.dtype == "float32" else np.int64
    if None in expected:
        row = expected.index(None)
        raise differs(column.name, f"row {row}", None, np.concatenate(served)[row, 0])
    values = np.concatenate(served).reshape(-1).astype(dtype)
    compare(column.name, np.asarray(expected, dtype=dtype), values, tolerance if dtype is np.float64 else 0)
