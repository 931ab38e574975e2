"""What has changed between two schemas."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.reporting.facts import ColumnFacts
from emrys.components.reporting.rendering import NOTHING, count


@dataclasses.dataclass(frozen=True)
class SchemaChange:
    """One difference of a column.

    Args:
        column: The column.
        what: What is different: `column`, `type`, `ids`, `tags` or `role`.
        before: What it was.
        now: What it is.
    """

    column: str
    what: str
    before: str
    now: str


def schema_changes(before: FeatureSchema, now: FeatureSchema) -> list[SchemaChange]:
    """Compares two schemas column by column.

    Args:
        before: The earlier one.
        now: The later one.

    Returns:
        What is different: new columns and changed ones in the order of the later schema, then those that are gone.
    """
    was, is_now = _columns(before), _columns(now)
    changes = [change for name, found in is_now.items() for change in _changes(name, was.get(name), found)]
    return changes + [SchemaChange(name, "column", "there", "gone") for name in was if name not in is_now]


def _columns(schema: FeatureSchema) -> dict[str, dict[str, str]]:
    """What is compared of each column."""
    columns = {}
    for column in schema.schema:
        facts = ColumnFacts.of(column)
        columns[facts.name] = {
            "type": facts.dtype,
            "ids": count(facts.cardinality),
            "tags": ", ".join(facts.tags) or NOTHING,
            "role": schema.roles.get(facts.name, NOTHING),
        }
    return columns


def _changes(name: str, before: dict[str, str] | None, now: dict[str, str]) -> Iterator[SchemaChange]:
    if before is None:
        yield SchemaChange(name, "column", NOTHING, f"new, {now['type']}")
        return
    for what, value in now.items():
        if before[what] != value:
            yield SchemaChange(name, what, before[what], value)
