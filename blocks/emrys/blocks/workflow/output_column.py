"""A column that the workflow gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
