"""The columns before and after a workflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Types of raw values.
RawType = Literal["int64", "float32", "string"]
RAW_TYPES: tuple[RawType, ...] = ("int64", "float32", "string")


@dataclass(frozen=True)
class RawColumn:
    """An input column of the workflow, as in a request.

    Args:
        name: Name of the column.
        dtype: `int64`, `float32` or `string`.
        is_list: Whether a row holds a list of values.
        length: Length of every list, for vectors; None for lists of any length.
    """

    name: str
    dtype: RawType
    is_list: bool = False
    length: int | None = None


@dataclass(frozen=True)
class OutputColumn:
    """An output column of the workflow, an input of the model.

    Args:
        name: Name of the column.
        dtype: `int64` for ids, `float32` for numbers.
        is_list: Whether a row holds a list of values.
        cardinality: Number of ids, the reserved ones included; None for numbers.
        source: Raw column that it is computed from; the first of several.
        kind: Kind of its step, such as `categorify`.
        domain: Column with the same ids, if it is not this one: a list of items has the ids of the item.
        length: Length of every list, for vectors; None for lists of any length.
        other_sources: Further raw columns that it is computed from.
    """

    name: str
    dtype: Literal["int64", "float32"]
    is_list: bool
    cardinality: int | None
    source: str
    kind: str
    domain: str = ""
    length: int | None = None
    other_sources: tuple[str, ...] = ()
