"""Differences between two schemas."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.reporting.facts import ColumnFacts
from emrys.components.reporting.rendering import NO_VALUE, count


@dataclasses.dataclass(frozen=True)
class SchemaChange:
    """One difference of a column.

    Args:
        column: The column.
        what: Property that differs: `column`, `type`, `ids`, `tags` or `role`.
        before: Earlier value.
        now: Later value.
    """

    column: str
    what: str
    before: str
    now: str


def schema_changes(before: FeatureSchema, now: FeatureSchema) -> list[SchemaChange]:
    """Compares two schemas column by column.

    Args:
        before: Earlier schema.
        now: Later schema.

    Returns:
        New and changed columns in the order of the later schema, then removed columns.
    """
    old, new = _columns(before), _columns(now)
    changes = [change for name, column in new.items() for change in _changes(name, old.get(name), column)]
    return changes + [SchemaChange(name, "column", "present", "removed") for name in old if name not in new]


def _columns(schema: FeatureSchema) -> dict[str, dict[str, str]]:
    """Compared properties of each column."""
    columns = {}
    for column in schema.schema:
        facts = ColumnFacts.of(column)
        columns[facts.name] = {
            "type": facts.dtype,
            "ids": count(facts.cardinality),
            "tags": ", ".join(facts.tags) or NO_VALUE,
            "role": schema.roles.get(facts.name, NO_VALUE),
        }
    return columns


def _changes(name: str, before: dict[str, str] | None, now: dict[str, str]) -> Iterator[SchemaChange]:
    if before is None:
        yield SchemaChange(name, "column", NO_VALUE, f"new, {now['type']}")
        return
    for what, value in now.items():
        if before[what] != value:
            yield SchemaChange(name, what, before[what], value)
