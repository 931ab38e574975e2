"""Templates of pages, and how numbers look in them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jinja2

#: What stands where there is no value.
NOTHING = "\N{EN DASH}"


def render(template: str, **content: Any) -> str:
    """Writes a page. Equal content gives equal bytes; every text is escaped, but for `Markup`.

    Args:
        template: Name of the template.
        **content: What it shows.
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
    """A number with so many decimals."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def count(value: int | None) -> str:
    """A whole number, with a comma every three digits."""
    return NOTHING if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """A share."""
    return NOTHING if share is None else f"{100 * share:.1f} %"


def setting(value: Any) -> str:
    """The value of a setting; of a mapping, what is set in it."""
    if isinstance(value, Mapping):
        given = {name: setting(inner) for name, inner in value.items() if inner is not None}
        return ", ".join(f"{name}: {inner}" for name, inner in given.items()) or NOTHING
    if isinstance(value, (list, tuple)):
        return ", ".join(setting(one) for one in value) or NOTHING
    if value is None or value == "":
        return NOTHING
    return str(getattr(value, "value", value))
