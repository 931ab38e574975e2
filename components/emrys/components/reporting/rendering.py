"""Rendering of page templates, and the formats of numbers."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jinja2

#: Placeholder for a missing value.
NO_VALUE = "\N{EN DASH}"


def render(template: str, **content: Any) -> str:
    """Renders a page; equal content gives equal bytes, and every text except `Markup` is escaped.

    Args:
        template: Name of the template.
        **content: Variables of the template.
    """
    return _environment().get_template(template).render(**content)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emrys.components.reporting", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, count=count, percent=percent, setting=setting)
    return environment


def number(value: float | None, digits: int = 4) -> str:
    """Formats a number with a fixed number of decimals."""
    return NO_VALUE if value is None else f"{value:.{digits}f}"


def count(value: int | None) -> str:
    """Formats an integer with thousands separators."""
    return NO_VALUE if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """Formats a share as per cent."""
    return NO_VALUE if share is None else f"{100 * share:.1f} %"


def setting(value: Any) -> str:
    """Formats the value of a setting; the None values of a mapping are omitted."""
    if isinstance(value, Mapping):
        present = {name: setting(inner) for name, inner in value.items() if inner is not None}
        return ", ".join(f"{name}: {inner}" for name, inner in present.items()) or NO_VALUE
    if isinstance(value, (list, tuple)):
        return ", ".join(setting(item) for item in value) or NO_VALUE
    if value is None or value == "":
        return NO_VALUE
    return str(getattr(value, "value", value))
