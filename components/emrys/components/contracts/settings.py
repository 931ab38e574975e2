"""Checks that the settings of several steps share: suggestions for misspelt names, and settings per column."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from emrys.blocks.errors import ConfigError

Settings = TypeVar("Settings")


def suggestion(names: Iterable[object], known: Iterable[str]) -> str | None:
    """Suggests a known name for the first unknown one.

    Args:
        names: Names from a configuration.
        known: Valid names.

    Returns:
        A question, or None if every name is known or no known name is similar.
    """
    valid = list(known)
    unknown = next((str(name) for name in names if name not in valid), None)
    similar = difflib.get_close_matches(unknown, valid, n=1, cutoff=0.5) if unknown else []
    return f"Did you mean {similar[0]!r}?" if similar else None


def column_settings(kind: type[Settings], what: str, column: str, value: Settings | Mapping[str, Any]) -> Settings:
    """Converts the settings of one column to their dataclass.

    Args:
        kind: The dataclass.
        what: Name of the settings in error messages.
        column: The column.
        value: An instance of the dataclass, or a mapping of its arguments from a configuration file.

    Returns:
        The instance.

    Raises:
        ConfigError: with the column, and a suggestion for an unknown name.
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
            fix=suggestion(value, known) if isinstance(value, Mapping) else None,
        )
    try:
        return kind(**value)
    except ConfigError as error:
        error.column = column
        raise
