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
