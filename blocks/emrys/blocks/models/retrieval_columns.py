"""The columns of ids that a retrieval model tells queries and items apart by."""

from __future__ import annotations

from typing import Any

from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import SchemaError


def id_column(schema: Schema, tag: Tags | str, owner: str, argument: str) -> ColumnSchema:
    """The one column of a schema with a tag.

    Args:
        schema: The columns.
        tag: The tag.
        owner: What needs the column, for errors.
        argument: Its argument that says the tag.

    Raises:
        SchemaError: if there is none, or there are several, or it has no domain.
    """
    name = tag.name if isinstance(tag, Tags) else str(tag)
    found = list(schema.select_by_tag(tag))
    if len(found) != 1:
        raise SchemaError(
            f"{owner} looks for its column of ids",
            expected=f"one column tagged {name}",
            got=", ".join(column.name for column in found) or f"none among {_names(schema)}",
            fix=f"Tag the column, or say another tag as {argument}=.",
        )
    if found[0].int_domain is None or not found[0].int_domain.max:
        raise SchemaError(
            f"{owner} does not know how many ids there are",
            column=found[0].name,
            expected="a domain with a maximum",
            fix="Give the column an int domain in the schema.",
        )
    return found[0]


def _names(schema: Schema) -> Any:
    return ", ".join(schema.column_names) or "no columns"
