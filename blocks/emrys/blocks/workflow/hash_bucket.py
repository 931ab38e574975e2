"""Hashing of values, and of combinations of values, into buckets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.errors import DataError
from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.fitted_op import ComputedOp, check_count
from emrys.blocks.workflow.lists import is_null, pad_right, slice_lists
from emrys.blocks.workflow.reserved_ids import FIRST_KNOWN, NULL

Hashes = NDArray[np.uint64]

_NULL_HASH: Final = np.uint64(0)
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)


def hash_values(column: RawColumn, values: NDArray[Any]) -> Hashes:
    """Hashes values: the same in every process and on every machine.

    Args:
        column: The raw column.
        values: int64, or str or UTF-8 bytes in an array of objects, of any shape.

    Returns:
        uint64, of the same shape; 0 for null.

    Raises:
        DataError: if a value is no string where the column holds strings.
    """
    if column.dtype == "int64":
        # Of the bits after a first mixing, so that strings and numbers of equal bits differ.
        hashes = _mixed(values.astype(np.int64).view(np.uint64) + _ODD)
        return np.where(is_null("int64", values), _NULL_HASH, hashes)
    known: dict[Any, int] = {}
    flat = np.empty(values.size, dtype=np.uint64)
    for place, item in enumerate(values.reshape(-1).tolist()):
        if isinstance(item, str):
            item = item.encode()
        elif not isinstance(item, bytes):
            if item is None or (isinstance(item, float) and item != item):
                item = b""
            else:
                expected = "str or bytes"
                got = type(item).__name__
                raise DataError("the values are not strings", column=column.name, expected=expected, got=got)
        if item not in known:
            digest = hashlib.blake2b(item, digest_size=8).digest()
            known[item] = int.from_bytes(digest, "little") if item else int(_NULL_HASH)
        flat[place] = known[item]
    return flat.reshape(values.shape)


def _mixed(values: Hashes) -> Hashes:
    """The finalizer of SplitMix64, whose output bits depend on all input bits."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _ids(hashes: Hashes, buckets: int) -> NDArray[np.int64]:
    return FIRST_KNOWN + (hashes % np.uint64(buckets)).astype(np.int64)


@dataclass(frozen=True)
class HashBucket(ComputedOp):
    """Maps every value to the id of a bucket: 0 padding, 1 null, then 3 and on; 2, unseen, does not occur.

    Args:
        column: Raw column.
        dtype: `int64` or `string`.
        buckets: Number of buckets.
        is_list: Whether a row holds a list.
        keep: For a list: the number of elements that are kept, the last ones if it is negative; 0 for all.
        name: Name of the output; empty for that of the column.
    """

    kind: ClassVar[str] = "hash_bucket"

    column: str
    dtype: Literal["int64", "string"]
    buckets: int
    is_list: bool = False
    keep: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        check_count("buckets", self.buckets)

    @property
    def inputs(self) -> tuple[RawColumn]:
        """The raw input column."""
        return (RawColumn(self.column, self.dtype, self.is_list),)

    @property
    def output(self) -> OutputColumn:
        """The ids of the buckets: int64."""
        name = self.name or self.column
        return OutputColumn(name, "int64", self.is_list, FIRST_KNOWN + self.buckets, self.column, self.kind)

    def compute(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
        """Computes the ids: (B,), or (B, L) padded with 0 for lists."""
        hashes = hash_values(self.inputs[0], columns[self.column])
        ids, null = _ids(hashes, self.buckets), hashes == _NULL_HASH
        if not self.is_list:
            return np.where(null, np.int64(NULL), ids)
        padded: NDArray[np.int64] = slice_lists(pad_right(ids, null), self.keep)
        return padded

    def definition(self) -> dict[str, Any]:
        """Everything: the step has no table."""
        return {name: getattr(self, name) for name in _BUCKET_FIELDS}

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition`."""
        return cls(**{name: definition[name] for name in _BUCKET_FIELDS})


_BUCKET_FIELDS = ("column", "dtype", "buckets", "is_list", "keep", "name")


@dataclass(frozen=True)
class Cross(ComputedOp):
    """Maps every combination of the values of several columns to the id of a bucket.

    Null is a value like any other in a combination; a row with nulls alone is null.

    Args:
        columns: Raw columns, of int64 or strings.
        buckets: Number of buckets.
        name: Name of the output.
    """

    kind: ClassVar[str] = "cross"

    columns: tuple[RawColumn, ...]
    buckets: int
    name: str

    def __post_init__(self) -> None:
        check_count("buckets", self.buckets)
        if len(self.columns) < 2 or any(column.is_list or column.dtype == "float32" for column in self.columns):
            raise ValueError(f"{self.columns} cannot be crossed; expected two or more columns of int64 or strings")

    @property
    def inputs(self) -> tuple[RawColumn, ...]:
        """The raw input columns."""
        return self.columns

    @property
    def output(self) -> OutputColumn:
        """The ids of the buckets: int64."""
        first, *others = [column.name for column in self.columns]
        return OutputColumn(
            self.name, "int64", False, FIRST_KNOWN + self.buckets, first, self.kind, other_sources=tuple(others)
        )

    def compute(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
        """Computes the ids, (B,)."""
        hashes = [hash_values(column, columns[column.name]) for column in self.columns]
        combined = np.zeros_like(hashes[0])
        for each in hashes:  # after each column, so that the order of the columns counts
            combined = _mixed((combined ^ each) + _ODD)
        null = np.all([each == _NULL_HASH for each in hashes], axis=0)
        return np.where(null, np.int64(NULL), _ids(combined, self.buckets))

    def definition(self) -> dict[str, Any]:
        """Everything: the step has no table."""
        columns = [{"name": column.name, "dtype": column.dtype} for column in self.columns]
        return {"columns": columns, "buckets": self.buckets, "name": self.name}

    @classmethod
    def restore(cls, definition: Mapping[str, Any], table: pa.Table | None) -> Self:
        """Creates the step from its `definition`."""
        columns = tuple(RawColumn(each["name"], each["dtype"]) for each in definition["columns"])
        return cls(columns, definition["buckets"], definition["name"])
