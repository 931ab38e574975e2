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


@dataclasses.dataclass(frozen=True)
class Interactions:
    """Rows of one split.

    Args:
        users: (N,) int64 code of the user, -1 for null.
        items: (N,) int64 code of the item, -1 for null.
        labels: (N,) float64, 0 or 1.
    """

    users: npt.NDArray[np.int64]
    items: npt.NDArray[np.int64]
    labels: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)


def read_interactions(
    train: Path, test: Path, transformed: Path, *, user: str, item: str, target: str
) -> tuple[Interactions, Interactions]:
    """Reads train and test with common codes.

    Args:
        train: Raw train split.
        test: Raw test split.
        transformed: Transformed test split; it must hold the same rows in the same order.
        user: Column of the user id.
        item: Column of the item id.
        target: Column of the label.

    Returns:
        The train rows and the test rows.

    Raises:
        DataError: if a column is missing, or the label is not 0 or 1 with both present.
        ArtifactError: if a file is damaged or the rows of `test` and `transformed` differ.
    """
    tables = [_read(file, [user, item, target]) for file in (train, test)]
    labels = [_labels(table, target, file) for table, file in zip(tables, (train, test), strict=True)]
    transformed_labels = _read(transformed, [target])
    if transformed_labels.num_rows != len(labels[1]):
        raise ArtifactError(
            "the rows do not match those of the raw split",
            path=transformed,
            expected=f"{len(labels[1])} rows",
            got=f"{transformed_labels.num_rows}",
            fix="Run preprocess again on these splits.",
        )
    different = np.flatnonzero(_numbers(transformed_labels, target, transformed) != labels[1])
    if len(different):
        raise ArtifactError(
            "the rows do not match those of the raw split",
            path=transformed,
            column=target,
            expected=f"the labels of {test.name} in the same order",
            got=f"{len(different)} different ones, the first in row {different[0]}",
            fix="Run preprocess again on these splits.",
        )
    users = _codes([table.column(user) for table in tables])
    items = _codes([table.column(item) for table in tables])
    return Interactions(users[0], items[0], labels[0]), Interactions(users[1], items[1], labels[1])


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    try:
        names = pq.read_schema(path).names
        missing = [name for name in columns if name not in names]
        if missing:
            raise DataError("the column is missing", path=path, column=missing[0], got=f"columns {', '.join(names)}")
        return pq.read_table(path, columns=list(columns), partitioning=None)
    except FileNotFoundError:
        raise ArtifactError("the file is missing", path=path) from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the system, not of the format
        text = f"not a whole Parquet file ({error})"
        raise ArtifactError(text, path=path, fix="Run the step that wrote it again.") from None


def _numbers(table: pa.Table, column: str, path: Path) -> npt.NDArray[np.float64]:
    values = table.column(column)
    kind = values.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DataError("the label is not a number", path=path, column=column, expected="0 or 1", got=f"{kind}")
    if values.null_count:
        raise DataError("the label is null", path=path, column=column, got=f"{values.null_count} null rows")
    return values.cast(pa.float64()).to_numpy()


def _labels(table: pa.Table, column: str, path: Path) -> npt.NDArray[np.float64]:
    if not table.num_rows:
        raise DataError("the split has no rows", path=path, fix="Use more data or another way to split.")
    labels = _numbers(table, column, path)
    classes = np.unique(labels)
    if not np.isin(classes, (0.0, 1.0)).all():
        odd = classes[~np.isin(classes, (0.0, 1.0))][0]
        raise DataError("the label is not binary", path=path, column=column, expected="0 or 1", got=f"{odd:g}")
    if len(classes) < 2:
        raise DataError(
            "the label has only one class",
            path=path,
            column=column,
            expected="both 0 and 1",
            got=f"{classes[0]:g} in all {len(labels)} rows",
            fix="Use more data or another way to split.",
        )
    return labels


def _codes(columns: Sequence[pa.ChunkedArray]) -> list[npt.NDArray[np.int64]]:
    """Numbers the values of columns of one type from 0; nulls become -1."""
    kind = columns[0].type
    joined = pa.chunked_array([chunk.cast(kind) for column in columns for chunk in column.chunks], kind)
    indices = joined.combine_chunks().dictionary_encode().indices
    codes = pc.fill_null(indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.split(codes, [len(columns[0])])
