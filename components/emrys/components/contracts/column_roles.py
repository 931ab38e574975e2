"""Roles of columns (user id, item id, binary target), derived from the tags of a schema."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from emrys.blocks.errors import SchemaError

if TYPE_CHECKING:  # Merlin imports TensorFlow if it is installed
    from merlin.schema import ColumnSchema, Schema


def tags_of(column: ColumnSchema) -> frozenset[str]:
    """The tags of a column of a Merlin schema, as plain strings."""
    return frozenset(str(getattr(tag, "value", tag)) for tag in column.tags)


@dataclasses.dataclass(frozen=True)
class ColumnRoles:
    """Names of the columns with a role.

    Args:
        user: User id.
        item: Item id.
        target: Binary label.
    """

    user: str
    item: str
    target: str

    @classmethod
    def of(cls, schema: Schema, target: str | None = None) -> ColumnRoles:
        """Finds the columns by their tags.

        Args:
            schema: Merlin schema of the transformed data.
            target: Name of the label, needed if the schema has several binary targets.

        Raises:
            SchemaError: if a role has no column, or several.
        """
        tags = {column.name: tags_of(column) for column in schema}
        binary = [name for name, names in tags.items() if "binary_classification" in names]
        if target is not None and target not in binary:
            raise SchemaError(
                "the target is not in the schema",
                column=target,
                expected="a column with the tag binary_classification",
                got=", ".join(binary) or "none",
            )
        if target is None and len(binary) != 1:
            raise SchemaError(
                "the schema must have exactly one binary target",
                expected="one column with the tag binary_classification",
                got=", ".join(binary) or "none",
                fix="Tag it, or name the target in the configuration." if binary else "Tag it in the schema step.",
            )
        return cls(_with_id(tags, "user"), _with_id(tags, "item"), target or binary[0])


def _with_id(tags: dict[str, frozenset[str]], kind: str) -> str:
    ids = [name for name, names in tags.items() if {kind, "id"} <= names or f"{kind}_id" in names]
    if len(ids) != 1:
        raise SchemaError(
            f"the schema must have exactly one {kind} id",
            expected=f"one column with the tag {kind}_id",
            got=", ".join(ids) or "none",
        )
    return ids[0]
