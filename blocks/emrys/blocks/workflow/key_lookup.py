"""Finding values among those that the train split held."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emrys.blocks.errors import DataError
from emrys.blocks.workflow.reserved_ids import NULL_INT

#: Positions that are no key.
UNSEEN_POSITION: Final = 0
NULL_POSITION: Final = 1
FIRST_POSITION: Final = 2

#: A table over the whole range of the keys is used while it has at most this many entries, or this many per key.
_DENSE_ENTRIES: Final = 1 << 16
_DENSE_ENTRIES_PER_KEY: Final = 8


class KeyLookup(ABC):
    """Finds the position of values in a list of keys: 0 where there is none, 1 for null, then the keys in order."""

    @abstractmethod
    def find(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Finds values.

        Args:
            values: Shape (N,).

        Returns:
            Positions, of the same shape.
        """


def make_lookup(column: str, keys: pa.Array) -> KeyLookup:
    """Makes the lookup that suits the keys.

    Args:
        column: Name of the column, for errors.
        keys: int64 or string, each once, no nulls.
    """
    if pa.types.is_int64(keys.type):
        return IntLookup(keys.to_numpy(zero_copy_only=False))
    return StringLookup(column, keys.to_pylist())


class IntLookup(KeyLookup):
    """Keys of int64: a table over their range where that is small, a binary search otherwise."""

    def __init__(self, keys: NDArray[np.int64]) -> None:
        positions = np.arange(FIRST_POSITION, FIRST_POSITION + len(keys), dtype=np.intp)
        low, high = (int(keys.min()), int(keys.max())) if len(keys) else (0, 0)
        self._table: NDArray[np.intp] | None = None
        if high - low + 3 <= max(_DENSE_ENTRIES, _DENSE_ENTRIES_PER_KEY * len(keys)):
            # One entry more on either side: what is clipped to the ends, or wraps round, finds no key.
            self._before = np.int64(low - 1)
            self._table = np.full(high - low + 3, UNSEEN_POSITION, dtype=np.intp)
            self._table[keys - self._before] = positions
        else:
            order = np.argsort(keys)
            self._keys, self._positions = keys[order], positions[order]

    def find(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Finds int64 values; `NULL_INT` is null."""
        if self._table is not None:
            found = self._table.take(values - self._before, mode="clip")
        else:
            place = self._keys.searchsorted(values)
            place[place == len(self._keys)] = 0
            found = np.where(self._keys.take(place) == values, self._positions.take(place), UNSEEN_POSITION)
        found[values == NULL_INT] = NULL_POSITION
        return found


class StringLookup(KeyLookup):
    """Keys that are strings, asked for as str or as UTF-8 bytes."""

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
            found = np.array([get(item, UNSEEN_POSITION) for item in items], dtype=np.intp)
        except TypeError:  # what cannot be hashed is no string
            raise self._refuse(next(item for item in items if not isinstance(item, (str, bytes)))) from None
        for place in np.flatnonzero(found == UNSEEN_POSITION).tolist():
            item = items[place]
            if isinstance(item, float) and item != item:
                found[place] = NULL_POSITION
            elif not isinstance(item, (str, bytes)):
                raise self._refuse(item)
        return found

    def _refuse(self, item: object) -> DataError:
        return DataError(
            "the values are not strings", column=self._column, expected="str or bytes", got=type(item).__name__
        )
