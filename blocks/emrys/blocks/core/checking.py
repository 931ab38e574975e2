"""Checks that several families of blocks share."""

from __future__ import annotations

from typing import Any

from emrys.blocks.errors import ConfigError


def check_shape(what: str, got: Any, expected: Any) -> None:
    """Refuses a shape that differs from the expected one, as far as both are known.

    Raises:
        ConfigError: naming both shapes.
    """
    got, expected = tuple(got), tuple(expected)
    same = all(a is None or b is None or a == b for a, b in zip(got, expected, strict=False))
    if len(got) != len(expected) or not same:
        raise ConfigError(f"the shape of {what} does not fit", expected=str(expected), got=str(got))
