"""Tags of the columns of a Merlin schema, as plain strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Merlin imports TensorFlow if it is installed
    from merlin.schema import ColumnSchema


def tags_of(column: ColumnSchema) -> frozenset[str]:
    """The tags of a column of a Merlin schema, as plain strings."""
    return frozenset(str(getattr(tag, "value", tag)) for tag in column.tags)
