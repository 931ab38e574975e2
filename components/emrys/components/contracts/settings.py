"""Names that a configuration gives, held against those that are known."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from emrys.blocks.errors import ConfigError

Kind = TypeVar("Kind")


def nearest(names: Iterable[object], known: Iterable[str]) -> str | None:
    """What to say of the first of some names that is not known: the nearest known one.

    Args:
        names: What was given.
        known: What may be given.

    Returns:
        A question; None where all are known, or none is near.
    """
    there = list(known)
    unknown = next((str(name) for name in names if name not in there), None)
    near = difflib.get_close_matches(unknown, there, n=1, cutoff=0.5) if unknown else []
    return f"Did you mean {near[0]!r}?" if near else None


def column_settings(kind: type[Kind], what: str, column: str, value: Any) -> Kind:
    """The settings of a column: a dataclass, or a mapping of its arguments as configuration files have it.

    Args:
        kind: The dataclass.
        what: What the settings are called in an error.
        column: The column.
        value: The settings.

    Returns:
        The settings.

    Raises:
        ConfigError: naming the column, and the nearest name where one is not known.
    """
    if isinstance(value, kind):
        return value
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if not isinstance(value, Mapping) or not set(value) <= set(known):
        raise ConfigError(
            f"{what} cannot be used",
            column=column,
            expected=f"some of {', '.join(known)}",
            got=repr(value),
            fix=nearest(value, known) if isinstance(value, Mapping) else None,
        )
    try:
        return kind(**value)
    except ConfigError as error:
        error.column = column
        raise
