"""A column that a caller sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Types of raw values.
RawType = Literal["int64", "float32", "string"]
RAW_TYPES: tuple[RawType, ...] = ("int64", "float32", "string")


@dataclass(frozen=True)
class RawColumn:
    """A column as a caller has it, before the workflow.

    Args:
        name: Name of the column.
        dtype: `int64`, `float32` or `string`.
        is_list: Whether a row holds a list of values.
    """

    name: str
    dtype: RawType
    is_list: bool = False


@dataclass(frozen=True)
class OutputColumn:
    """A column after the workflow, as the model reads it.

    Args:
        name: Name of the column.
        dtype: `int64` for ids, `float32` for numbers.
        is_list: Whether a row holds a list of values.
        cardinality: Number of ids, the reserved ones included; None for numbers.
        source: Raw column that it is made from.
        kind: Kind of the step that makes it: `categorify`, `fill_normalize` or `target_encoding`.
        domain: Column whose ids these are, where it is not the column's own: a list of items has those of the item.
    """

    name: str
    dtype: Literal["int64", "float32"]
    is_list: bool
    cardinality: int | None
    source: str
    kind: str
    domain: str = ""
