"""The column that a task of the first generation is about."""

from __future__ import annotations

from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import SchemaError


def target_name(target: str | ColumnSchema | Schema | None, tag: Tags, task: str) -> str | None:
    """Name of a target that is given by name, as a column, or as a schema that has one column with `tag`.

    Raises:
        SchemaError: if a schema has another number of such columns.
    """
    if isinstance(target, ColumnSchema):
        return str(target.name)
    if not isinstance(target, Schema):
        return target
    names = target.select_by_tag(tag).column_names
    if len(names) != 1:
        raise SchemaError(
            f"{task} takes its target from the schema",
            expected=f"one column tagged {tag.name}",
            got=", ".join(names) or f"none among {', '.join(target.column_names)}",
            fix="Name the target.",
        )
    return str(names[0])
