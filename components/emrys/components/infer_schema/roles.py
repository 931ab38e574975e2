"""Roles of the transformed columns, by the data schema."""

from __future__ import annotations

from collections.abc import Mapping

from emrys.blocks.errors import SchemaError
from emrys.blocks.workflow import FittedWorkflow, OutputColumn
from emrys.components.contracts.data_schema import DataSchema, Role, TargetKind
from emrys.components.contracts.settings import suggestion

#: Role of the features by the role of their raw column; other columns make features of the context.
_FEATURES = {
    Role.USER_ID: "user_id",
    Role.ITEM_ID: "item_id",
    Role.SESSION_ID: "session_id",
    Role.USER: "user",
    Role.ITEM: "item",
    Role.HISTORY: "history",
}
_TARGETS = {
    TargetKind.BINARY: "binary_classification",
    TargetKind.REGRESSION: "regression",
    TargetKind.CLASSES: "multi_class_classification",
}
_IDS = ("user_id", "item_id", "session_id")


def column_roles(workflow: FittedWorkflow, schema: DataSchema, configured: Mapping[str, str]) -> dict[str, str]:
    """The role of every transformed column but the weight.

    An id is the output of its raw column that has the same name; what else is computed from it belongs to its user or
    item. A feature of several columns has their role if they agree, and is one of the context otherwise.

    Args:
        workflow: The workflow of the transformation.
        schema: Columns and targets of the data.
        configured: Roles from the settings, by column; they win.

    Returns:
        `user_id`, `item_id`, `session_id`, `user`, `item`, `history`, `context`, or a kind of target.

    Raises:
        SchemaError: if several columns have the role of an id, or the data schema lacks a column of the workflow.
    """
    raw = {column.name: column.role for column in schema.columns}
    roles = {column.name: _of_feature(column, raw) for column in workflow.output_columns}
    for role in _IDS:
        if role in configured.values():  # the one that the settings name, instead of the one of the data schema
            roles = {name: _side(own) if own == role else own for name, own in roles.items()}
    kinds = {target.name: _TARGETS[target.kind] for target in schema.targets}
    for name in workflow.targets:
        if name not in kinds and name not in raw:
            raise SchemaError("the data schema lacks a target of the workflow", column=name, got=", ".join(kinds))
        roles[name] = kinds.get(name, "regression")  # a number that a target is made of
    roles.update(configured)
    for role in _IDS:
        matches = [name for name, own in roles.items() if own == role]
        if len(matches) > 1:
            raise SchemaError(
                f"several columns are the {role.replace('_', ' ')}",
                expected="one",
                got=", ".join(matches),
                fix=f"Set the role {role!r} of one of them in the overrides.",
            )
    return roles


def _of_feature(column: OutputColumn, raw: Mapping[str, Role]) -> str:
    found = []
    for source in (column.source, *column.other_sources):
        if source not in raw:
            raise SchemaError(
                "the data schema lacks a raw column of the workflow", column=source, fix=suggestion([source], raw)
            )
        found.append(_FEATURES.get(raw[source], "context"))
    if column.name == column.source and column.cardinality is not None:
        return found[0]
    sides = {_side(role) for role in found}
    return sides.pop() if len(sides) == 1 else "context"


def _side(role: str) -> str:
    """The role of a column that is computed from an id: that of a feature."""
    return {"user_id": "user", "item_id": "item", "session_id": "context"}.get(role, role)
