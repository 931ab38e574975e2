"""Lookup of values among the keys of the train split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.errors import DataError
from emrys.blocks.workflow.reserved_ids import NULL_INT

#: Positions of values that are not keys.
UNSEEN_POSITION: Final = 0
NULL_POSITION: Final = 1
FIRST_POSITION: Final = 2

#: Limits of a lookup table over the range of the keys: entries in total, or per key.
_DENSE_ENTRIES: Final = 1 << 16
_DENSE_ENTRIES_PER_KEY: Final = 8


class KeyLookup(ABC):
    """Finds the position of values in a list of keys: 0 for unseen values, 1 for null, then the keys in order."""

    @abstractmethod
    def find(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Finds values.

        Args:
            values: Shape (N,).

        Returns:
            Positions, of the same shape.
        """


def create_lookup(column: str, keys: pa.Array) -> KeyLookup:
    """Creates the lookup for a type of keys.

    Args:
        column: Name of the column, for errors.
        keys: int64 or string, unique, without nulls.
    """
    if pa.types.is_int64(keys.type):
        return IntLookup(keys.to_numpy(zero_copy_only=False))
    return StringLookup(column, keys.to_pylist())


class IntLookup(KeyLookup):
    """Lookup of int64 keys: a table over their range if that is small, a binary search otherwise."""

    def __init__(self, keys: NDArray[np.int64]) -> None:
        positions = np.arange(FIRST_POSITION, FIRST_POSITION + len(keys), dtype=np.intp)
        low, high = (int(keys.min()), int(keys.max())) if len(keys) else (0, 0)
        self._table: NDArray[np.intp] | None = None
        if high - low + 3 <= max(_DENSE_ENTRIES, _DENSE_ENTRIES_PER_KEY * len(keys)):
            # One more entry on either side, for values that are clipped or overflow.
            self._before = np.int64(low - 1)
            self._table = np.full(high - low + 3, UNSEEN_POSITION, dtype=np.intp)
            self._table[keys - self._before] = positions
        else:
            order = np.argsort(keys)
            self._keys, self._positions = keys[order], positions[order]

    def find(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Finds int64 values; `NULL_INT` is null."""
        if self._table is not None:
            positions = self._table.take(values - self._before, mode="clip")
        else:
            index = self._keys.searchsorted(values)
            index[index == len(self._keys)] = 0
            positions = np.where(self._keys.take(index) == values, self._positions.take(index), UNSEEN_POSITION)
        positions[values == NULL_INT] = NULL_POSITION
        return positions


class StringLookup(KeyLookup):
    """Lookup of string keys, by str or UTF-8 bytes."""

    def __init__(self, column: str, keys: list[str]) -> None:
        self._column = column
        self._positions: dict[Any, int] = {"": NULL_POSITION, b"": NULL_POSITION, None: NULL_POSITION}
        for position, key in enumerate(keys, FIRST_POSITION):
            self._positions[key] = position
            self._positions[key.encode()] = position

    def find(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Finds str or bytes; the empty string, None and NaN are null."""
        get = self._positions.get
        items = values.tolist()
        try:
            positions = np.array([get(item, UNSEEN_POSITION) for item in items], dtype=np.intp)
        except TypeError:  # an unhashable value is not a string
            raise self._type_error(next(item for item in items if not isinstance(item, (str, bytes)))) from None
        for index in np.flatnonzero(positions == UNSEEN_POSITION).tolist():
            item = items[index]
            if isinstance(item, float) and item != item:
                positions[index] = NULL_POSITION
            elif not isinstance(item, (str, bytes)):
                raise self._type_error(item)
        return positions

    def _type_error(self, item: object) -> DataError:
        return DataError(
            "the values are not strings", column=self._column, expected="str or bytes", got=type(item).__name__
        )
