"""Which columns the evaluation looks at."""

from __future__ import annotations

import dataclasses
from typing import Any

from emrys.blocks.errors import SchemaError


def tags_of(column: Any) -> frozenset[str]:
    """The tags of a column of a Merlin schema, as plain strings."""
    return frozenset(str(getattr(tag, "value", tag)) for tag in column.tags)


@dataclasses.dataclass(frozen=True)
class Roles:
    """Names of the columns that carry a role.

    Args:
        user: User id.
        item: Item id.
        target: Binary label.
    """

    user: str
    item: str
    target: str

    @classmethod
    def of(cls, schema: Any, target: str | None = None) -> Roles:
        """Finds the columns by their tags.

        Args:
            schema: Merlin schema of the transformed data.
            target: Name of the label, where several columns could be it.

        Raises:
            SchemaError: if a role has no column.
        """
        tags = {column.name: tags_of(column) for column in schema}
        binary = [name for name, found in tags.items() if "binary_classification" in found]
        if target is not None and target not in binary:
            raise SchemaError(
                "the target is not in the schema",
                column=target,
                expected="a column with the tag binary_classification",
                got=", ".join(binary) or "none",
            )
        if target is None and len(binary) != 1:
            raise SchemaError(
                "the schema does not name one target",
                expected="one column with the tag binary_classification",
                got=", ".join(binary) or "none",
                fix="Tag it, or name the target in the configuration." if binary else "Tag it in the schema step.",
            )
        return cls(_with_id(tags, "user"), _with_id(tags, "item"), target or binary[0])


def _with_id(tags: dict[str, frozenset[str]], kind: str) -> str:
    found = [name for name, has in tags.items() if {kind, "id"} <= has or f"{kind}_id" in has]
    if len(found) != 1:
        raise SchemaError(
            f"the schema does not name one {kind} id",
            expected=f"one column with the tag {kind}_id",
            got=", ".join(found) or "none",
        )
    return found[0]
