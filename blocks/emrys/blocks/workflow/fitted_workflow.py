"""A fitted workflow: its steps and their statistics, stored as JSON and Parquet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.blocks.io import atomic_directory, read_json, write_json
from emrys.blocks.workflow.bucketize import Bucketize
from emrys.blocks.workflow.categorify import Categorify
from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.date_part import DatePart
from emrys.blocks.workflow.fill_normalize import FillNormalize
from emrys.blocks.workflow.fitted_op import FittedOp
from emrys.blocks.workflow.group_statistics import GroupCount, GroupMean
from emrys.blocks.workflow.hash_bucket import Cross, HashBucket
from emrys.blocks.workflow.list_length import ListLength
from emrys.blocks.workflow.number_chain import NumberChain
from emrys.blocks.workflow.online_transform import OnlineTransform
from emrys.blocks.workflow.tables import from_response, to_request
from emrys.blocks.workflow.target_encoding import TargetEncoding
from emrys.blocks.workflow.vectors import Vectors

_KINDS: tuple[type[FittedOp], ...] = (
    Categorify,
    FillNormalize,
    TargetEncoding,
    NumberChain,
    HashBucket,
    Cross,
    Bucketize,
    GroupCount,
    GroupMean,
    DatePart,
    ListLength,
    Vectors,
)
_OPS: dict[str, type[FittedOp]] = {op.kind: op for op in _KINDS}


class FittedWorkflow:
    """The transform of raw columns to the features of a model, fitted on a train split.

    It contains no code, so that loading it is safe. `transform` applies it to requests with NumPy; the offline
    transform of `emrys.components.preprocess` rebuilds it with NVTabular.

    Args:
        ops: The fitted steps, in the order of the output columns.
        targets: Names of the columns that a model predicts. The workflow does not change them.

    Raises:
        ConfigError: if two steps have the same output column, or read the same column with different types.

    Example:
        >>> import numpy as np, pyarrow as pa
        >>> genders = pa.table({"value": ["M", "F"], "count": [3, 1]})
        >>> workflow = FittedWorkflow([Categorify("gender", "string", genders)])
        >>> workflow.transform({"gender": np.array([b"F", b"M", b"?", b""], dtype=object)})["gender"].ravel().tolist()
        [4, 3, 2, 1]
    """

    #: Name of the file with the definition.
    definition_file: ClassVar[str] = "workflow.json"
    #: Version of the layout; others are rejected.
    version: ClassVar[int] = 1

    def __init__(self, ops: Sequence[FittedOp], targets: Sequence[str] = ()) -> None:
        if not ops:
            raise ConfigError("a workflow needs at least one step")
        raw: dict[str, RawColumn] = {}
        outputs: set[str] = set(targets)
        for op in ops:
            for column in op.inputs:
                if raw.setdefault(column.name, column) != column:
                    raise ConfigError(
                        "two steps read the column differently",
                        column=column.name,
                        expected=str(raw[column.name]),
                        got=str(column),
                    )
            if op.output.name in outputs:
                raise ConfigError("two steps have the same output column, or it is a target", column=op.output.name)
            outputs.add(op.output.name)
        self.ops = tuple(ops)
        self.targets = tuple(targets)
        self._raw = tuple(raw.values())

    @property
    def raw_columns(self) -> tuple[RawColumn, ...]:
        """The input columns, in the order of their first use by a step."""
        return self._raw

    @property
    def output_columns(self) -> tuple[OutputColumn, ...]:
        """The output columns, in order, without targets."""
        return tuple(op.output for op in self.ops)

    def select(self, names: Sequence[str]) -> FittedWorkflow:
        """A workflow of only some of the output columns, without targets.

        Args:
            names: Names of the output columns.

        Raises:
            ConfigError: if one of them is not an output column.
        """
        outputs = [op.output.name for op in self.ops]
        for name in names:
            if name not in outputs:
                raise ConfigError("the workflow has no such output column", column=name, got=", ".join(outputs))
        return FittedWorkflow([op for op in self.ops if op.output.name in names])

    def transform(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Applies the workflow to the rows of a request.

        Args:
            columns: Exactly the raw columns. Scalars have the shape (B,) or (B, 1); strings are str or UTF-8 bytes in
                an array of objects; lists are dense, (B, L). Null is NaN in float32, -2**63 in int64 and the empty
                string or None in strings; null elements of a list are padding.

        Returns:
            The output columns, in order: scalars (B, 1), lists (B, L); int64 or float32. Lists are padded on the right:
            ids with 0, numbers with NaN.

        Raises:
            DataError: if a column is missing, unknown, or of the wrong type or shape.
        """
        return self._online(columns)

    def transform_table(self, table: pa.Table) -> pa.Table:
        """Applies the workflow to a table, by the same steps as `transform`, for tests and offline checks.

        Args:
            table: The raw columns; others are ignored.

        Returns:
            The output columns, in order: int64, float32, or lists of them.
        """
        return from_response(self.transform(to_request(table, self._raw)), self.output_columns)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes the workflow as `workflow.json` and one Parquet file per table; replaces the folder."""
        with atomic_directory(folder) as work:
            ops = []
            for number, op in enumerate(self.ops):
                entry: dict[str, Any] = {"kind": op.kind, **op.definition()}
                if op.table is not None:
                    entry["table"] = f"{number:03d}-{op.kind}.parquet"
                    entry["rows"] = op.table.num_rows
                    pq.write_table(op.table, work / entry["table"], compression="zstd")
                ops.append(entry)
            write_json(
                work / self.definition_file, {"version": self.version, "ops": ops, "targets": list(self.targets)}
            )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> FittedWorkflow:
        """Reads a workflow that `save` wrote.

        Raises:
            ArtifactError: if the version or a step is unknown, or a table is missing or damaged.
        """
        path = Path(folder) / cls.definition_file
        stored = read_json(path)
        version = stored.get("version") if isinstance(stored, dict) else None
        if version != cls.version:
            raise ArtifactError(
                "the workflow has another version", path=path, expected=str(cls.version), got=str(version)
            )
        try:
            ops = [_restore(path, number, entry) for number, entry in enumerate(stored["ops"])]
            return cls(ops, stored["targets"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"the definition is incomplete ({error!r})", path=path) from None
        except ConfigError as error:
            raise ArtifactError(f"the definition contradicts itself ({error})", path=path) from None

    @cached_property
    def _online(self) -> OnlineTransform:
        return OnlineTransform(self.ops, self._raw)


def _restore(path: Path, number: int, entry: Mapping[str, Any]) -> FittedOp:
    if entry["kind"] not in _OPS:
        raise ArtifactError(
            "the workflow has an unknown step",
            path=path,
            expected=", ".join(_OPS),
            got=f"{entry['kind']!r} as step {number}",
            fix="It was written by a newer version.",
        )
    table = None
    if "table" in entry:
        table = _read_table(path.parent / Path(entry["table"]).name, entry["rows"])
    try:
        return _OPS[entry["kind"]].restore(entry, table)
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"step {number} does not fit: {error}", path=path, column=entry.get("column")) from None


def _read_table(file: Path, rows: int) -> pa.Table:
    if not file.is_file():
        raise ArtifactError("a table of the workflow is missing", path=file)
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(f"a table of the workflow is damaged ({error})", path=file) from None
    if table.num_rows != rows:
        raise ArtifactError(
            "a table of the workflow is damaged", path=file, expected=f"{rows} rows", got=str(table.num_rows)
        )
    return table
