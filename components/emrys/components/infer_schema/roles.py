"""Inference of the role of each column: user, item or context."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.blocks.errors import SchemaError
from emrys.blocks.workflow import FittedWorkflow, OutputColumn

# Names without underscores, in lower case.
_USER_IDS = frozenset({"user", "userid", "uid", "customerid", "memberid", "visitorid"})
_ITEM_IDS = frozenset({"item", "itemid", "iid", "movieid", "productid", "articleid", "songid", "bookid"})
_USER_NAMES = frozenset({"gender", "sex", "age", "occupation", "zip", "zipcode", "postcode"})
_ITEM_NAMES = frozenset({"title", "genre", "genres", "category", "categories", "brand", "releaseyear", "year"})
_USER_PREFIXES = ("user", "customer", "member", "visitor")
_ITEM_PREFIXES = ("item", "movie", "product", "article", "song", "book")


def infer_roles(workflow: FittedWorkflow, train: Path, configured: Mapping[str, str]) -> dict[str, str]:
    """Infers the role of every feature.

    The role of a raw column follows from its name. If the name is unknown, a column with a single value for every user
    (or item) of the train split belongs to the user (or item). An encoding has the role of its raw column.

    Args:
        workflow: The workflow of the transformation.
        train: Transformed train split.
        configured: Roles from the settings, by column.

    Returns:
        `user_id`, `item_id`, `user`, `item`, `history` or `context`, by output column.

    Raises:
        SchemaError: if several columns could be the user id, or the item id.
    """
    outputs = workflow.output_columns
    ids = {role: _id_column(outputs, configured, role) for role in ("user_id", "item_id")}
    raw = {name: role.removesuffix("_id") for role, name in ids.items() if name is not None}
    roles: dict[str, str] = {}
    for column in outputs:
        own = configured.get(column.name)
        if own is None and column.is_list and ids["item_id"] is not None and column.domain == ids["item_id"]:
            own = "history"
        if own is None and column.source not in raw:
            raw[column.source] = _by_name(column.source) or _by_data(column, train, ids)
        own = own or raw[column.source]
        roles[column.name] = own if column.cardinality is not None else own.removesuffix("_id")
    for role, name in ids.items():
        if name is not None:
            roles[name] = role
    return roles


def _id_column(outputs: tuple[OutputColumn, ...], configured: Mapping[str, str], role: str) -> str | None:
    candidates = [column.name for column in outputs if column.cardinality is not None and not column.is_list]
    matches = [name for name in candidates if configured.get(name) == role]
    if not matches:
        names = _USER_IDS if role == "user_id" else _ITEM_IDS
        matches = [name for name in candidates if name not in configured and _plain(name) in names]
    if len(matches) > 1:
        raise SchemaError(
            f"several columns could be the {role.replace('_', ' ')}",
            expected="one",
            got=", ".join(matches),
            fix=f"Set the role {role!r} of one of them, and another role of the others, in the overrides.",
        )
    return matches[0] if matches else None


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _by_name(source: str) -> str | None:
    name = _plain(source)
    if name in _USER_NAMES or name.startswith(_USER_PREFIXES):
        return "user"
    if name in _ITEM_NAMES or name.startswith(_ITEM_PREFIXES):
        return "item"
    return None


def _by_data(column: OutputColumn, train: Path, ids: Mapping[str, str | None]) -> str:
    if column.is_list or column.kind == "target_encoding":  # out-of-fold encodings differ from row to row
        return "context"
    sides = [role for role, name in ids.items() if name is not None and _is_determined(train, column.name, name)]
    return sides[0].removesuffix("_id") if len(sides) == 1 else "context"


def _is_determined(train: Path, column: str, by: str) -> bool:
    """Whether `column` has a single value for each value of `by`."""
    seen = pq.read_table(train, columns=[by, column]).group_by(by).aggregate([(column, "min"), (column, "max")])
    return bool(pc.all(pc.equal(seen[f"{column}_min"], seen[f"{column}_max"])).as_py())
