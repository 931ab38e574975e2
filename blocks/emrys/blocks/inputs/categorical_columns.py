"""Which columns of a schema can be embedded."""

from __future__ import annotations

from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import SchemaError
from emrys.blocks.schema.functions import column_cardinality


def embeddable(schema: Schema, owner: str) -> list[ColumnSchema]:
    """The columns with a domain of ids; those without one, and continuous ones, are passed over.

    Args:
        schema: The columns.
        owner: What embeds them, for errors.

    Raises:
        SchemaError: if a column tagged CATEGORICAL has no domain: it would be lost in silence.
    """
    found = []
    for column in schema:
        categorical = Tags.CATEGORICAL in column.tags
        if column_cardinality(column) is not None:
            if categorical or Tags.CONTINUOUS not in column.tags:
                found.append(column)
        elif categorical:
            raise SchemaError(
                f"{owner} does not know how many ids there are",
                column=column.name,
                expected="a domain with a maximum",
                fix="Give the column an int domain in the schema, or take the tag CATEGORICAL off it.",
            )
    return found
