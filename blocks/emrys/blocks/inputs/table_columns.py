"""The columns that look their ids up in one table."""

from __future__ import annotations

from typing import Any

from merlin.schema import ColumnSchema, Schema

from emrys.blocks.errors import SchemaError


class TableColumns:
    """Columns of one domain."""

    def __init__(self) -> None:
        self.schema = Schema([])
        self.size = 0  #: Number of ids.

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.schema.column_names)

    def add(self, column: ColumnSchema, table: str) -> None:
        """Takes one more column; `table` is what the table is called in an error.

        Raises:
            SchemaError: if the column has no domain, or another one than the columns that are there.
        """
        if column.int_domain is None or column.int_domain.max is None:
            raise SchemaError(
                f"EmbeddingTable {table!r} does not know how many ids there are",
                column=column.name,
                expected="a domain with a maximum",
                fix="Give the column an int domain in the schema, or leave it out of the categorical columns.",
            )
        size = int(column.int_domain.max) + 1
        domains = {domain_name(known) for known in self.schema}
        if self.size not in (0, size) or domains - {domain_name(column)}:
            raise SchemaError(
                f"EmbeddingTable {table!r} holds columns of one domain",
                column=column.name,
                expected=f"{', '.join(sorted(domains))} with {self.size} ids",
                got=f"{domain_name(column)} with {size}",
            )
        self.size = size
        self.schema = self.schema + Schema([column])

    def is_list(self, name: str | None, shape: Any) -> bool:
        """Whether the ids of a column (None where it is not known which) with this shape are lists."""
        name = self.names[0] if name is None and len(self.names) == 1 else name
        declared = bool(self.schema[name].is_list) if name is not None else False
        return declared or len(shape) > 2 or (len(shape) == 2 and shape[1] != 1)


def domain_name(column: ColumnSchema) -> str:
    """Name of the column's domain; its own where the domain has none."""
    domain = column.int_domain
    return str(domain.name) if domain is not None and domain.name else str(column.name)
