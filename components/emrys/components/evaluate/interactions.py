"""User, item and label of the rows of a split, as integer codes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.blocks.errors import ArtifactError, DataError
from emrys.components.contracts.data_schema import DataSchema, Role, Target, TargetKind

Codes = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]

_FIX = "Use more data, or change `split` or `columns.targets` in the recipe."


@dataclasses.dataclass(frozen=True)
class Interactions:
    """Rows of one split with a label.

    Args:
        users: (N,) int64 code of the user, -1 for null; None for a log without users.
        items: (N,) int64 code of the item, -1 for null; None for a log without items.
        labels: (N,) float64: 0 or 1, a number, or the number of a class.
        weights: (N,) weight of each row; None if all are equal.
        sessions: (N,) int64 code of the session; None for a log without sessions.
        rows: (N,) positions of the rows in the file, if the label has a sample space; None for all rows.
    """

    users: Codes | None
    items: Codes | None
    labels: Array
    weights: Array | None = None
    sessions: Codes | None = None
    rows: Codes | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def each(self) -> Array:
        """(N,) weight of each row."""
        return np.ones(len(self)) if self.weights is None else self.weights

    def balanced(self, negatives: int) -> Interactions:
        """The rows with a weight of 1 / `negatives` for each negative one, where negatives were drawn."""
        if negatives in (0, 1):
            return self
        return dataclasses.replace(self, weights=self.each * np.where(self.labels > 0, 1.0, 1.0 / negatives))


def read_interactions(
    train: Path, test: Path, transformed: Path, schema: DataSchema, target: Target
) -> tuple[Interactions, Interactions]:
    """Reads train and test with common codes; of a target with a sample space, the rows that are in it.

    Args:
        train: Raw train split.
        test: Raw test split.
        transformed: Transformed test split; it must hold the same rows in the same order.
        schema: Columns of the splits.
        target: The target whose labels are read.

    Returns:
        The train rows and the test rows.

    Raises:
        DataError: if a column is missing, or the labels do not fit the kind of the target.
        ArtifactError: if a file is damaged or the rows of `test` and `transformed` differ.
    """
    roles = (Role.USER_ID, Role.ITEM_ID, Role.SESSION_ID, Role.WEIGHT)
    ids = [*schema.of_role(*roles[:3])]
    names = [*schema.of_role(*roles), target.name, *([target.sample_space] if target.sample_space else [])]
    files = (train, test)
    tables = [_read(file, names) for file in files]
    codes = {name: _codes([table.column(name) for table in tables]) for name in ids}
    found = []
    for number, (table, file) in enumerate(zip(tables, files, strict=True)):
        inside = _inside(table, target, file)
        rows = np.flatnonzero(inside)
        labels = _labels(table.filter(pa.array(inside)), target, file)
        columns = {name: each[number][rows] for name, each in codes.items()}
        found.append(
            Interactions(
                users=columns.get(schema.user_id or ""),
                items=columns.get(schema.item_id or ""),
                labels=labels,
                weights=None if schema.weight is None else _weights(table, schema.weight, file)[rows],
                sessions=columns.get(schema.session_id or ""),
                rows=rows if target.sample_space else None,
            )
        )
    _check_same_rows(tables[1], _read(transformed, [target.name]), target.name, test, transformed)
    return found[0], found[1]


def codes_of(file: Path, column: str) -> Codes:
    """Numbers the values of a column of a split from 0, each null by itself."""
    codes = _codes([_read(file, [column]).column(column)])[0]
    unknown = codes < 0
    return np.where(unknown, codes.max(initial=0) + np.cumsum(unknown), codes)


def _check_same_rows(raw: pa.Table, transformed: pa.Table, target: str, test: Path, path: Path) -> None:
    fix = "Run preprocess again on these splits."
    problem = "the rows do not match those of the raw split"
    if transformed.num_rows != raw.num_rows:
        raise ArtifactError(problem, path=path, expected=f"{raw.num_rows} rows", got=f"{transformed.num_rows}", fix=fix)
    different = np.flatnonzero(_numbers(transformed, target, path) != _numbers(raw, target, test))
    if len(different):
        raise ArtifactError(
            problem,
            path=path,
            column=target,
            expected=f"the labels of {test.name} in the same order",
            got=f"{len(different)} different ones, the first in row {different[0]}",
            fix=fix,
        )


def _inside(table: pa.Table, target: Target, file: Path) -> npt.NDArray[np.bool_]:
    if not target.sample_space:
        return np.ones(table.num_rows, bool)
    return np.asarray(_numbers(table, target.sample_space, file) > 0)


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    try:
        names = pq.read_schema(path).names
        missing = [name for name in columns if name not in names]
        if missing:
            raise DataError("the column is missing", path=path, column=missing[0], got=f"columns {', '.join(names)}")
        return pq.read_table(path, columns=list(dict.fromkeys(columns)), partitioning=None)
    except FileNotFoundError:
        raise ArtifactError("the file is missing", path=path) from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the system, not of the format
        text = f"not a whole Parquet file ({error})"
        raise ArtifactError(text, path=path, fix="Run the step that wrote it again.") from None


def _numbers(table: pa.Table, column: str, path: Path) -> Array:
    values = table.column(column)
    kind = values.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DataError("the label is not a number", path=path, column=column, expected="0 or 1", got=f"{kind}")
    if values.null_count:
        raise DataError("the label is null", path=path, column=column, got=f"{values.null_count} null rows")
    return np.asarray(values.cast(pa.float64()).to_numpy(), np.float64)


def _weights(table: pa.Table, column: str, path: Path) -> Array:
    weights = _numbers(table, column, path)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        fix = "Correct the column, or leave out `columns.weight` in the recipe."
        expected = "finite numbers of at least 0 that are not all 0"
        raise DataError("the weights cannot be used", path=path, column=column, expected=expected, fix=fix)
    return weights


def _labels(table: pa.Table, target: Target, path: Path) -> Array:
    column = target.name
    if not table.num_rows:
        where = f" with a positive {target.sample_space}" if target.sample_space else ""
        raise DataError(f"the split has no rows{where}", path=path, fix=_FIX)
    labels = _numbers(table, column, path)
    if target.kind is TargetKind.REGRESSION:
        infinite = np.flatnonzero(~np.isfinite(labels))
        if len(infinite):
            got = f"{len(infinite)} rows of NaN or infinity, the first in row {infinite[0]}"
            raise DataError("the label is not a finite number", path=path, column=column, got=got)
        return labels
    if target.kind is TargetKind.CLASSES:
        count = len(target.classes)
        odd = labels[(labels != np.floor(labels)) | (labels < 0) | (labels >= count)]
        if len(odd):
            expected = f"a whole number from 0 to {count - 1}"
            raise DataError("the label is no class", path=path, column=column, expected=expected, got=f"{odd[0]:g}")
        return labels
    classes = np.unique(labels)
    if not np.isin(classes, (0.0, 1.0)).all():
        odd = classes[~np.isin(classes, (0.0, 1.0))]
        raise DataError("the label is not binary", path=path, column=column, expected="0 or 1", got=f"{odd[0]:g}")
    if len(classes) < 2:
        raise DataError(
            "the label has only one class",
            path=path,
            column=column,
            expected="both 0 and 1",
            got=f"{classes[0]:g} in all {len(labels)} rows",
            fix=_FIX,
        )
    return labels


def _codes(columns: Sequence[pa.ChunkedArray]) -> list[Codes]:
    """Numbers the values of columns of one type from 0; nulls become -1."""
    kind = columns[0].type
    joined = pa.chunked_array([chunk.cast(kind) for column in columns for chunk in column.chunks], kind)
    indices = joined.combine_chunks().dictionary_encode().indices
    codes = pc.fill_null(indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.split(codes, [len(columns[0])])
