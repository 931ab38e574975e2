"""Names of columns in a recipe: single ones, ranges such as `C1..C26`, and globs such as `I*`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

from emrys.components.recipe.faults import Fault, unknown_name

_RANGE = re.compile(r"(?P<prefix>.*?)(?P<first>\d+)\.\.(?P=prefix)(?P<last>\d+)$")


def is_pattern(name: str) -> bool:
    """Whether a name may stand for several columns."""
    return bool(_RANGE.match(name)) or any(sign in name for sign in "*?")


def expand_name(key: str, name: str, known: Sequence[str]) -> tuple[tuple[str, ...], Fault | None]:
    """The columns that a name in a recipe stands for.

    A column of exactly this name comes first; a range stands for all its numbers, a glob for the columns that match.

    Args:
        key: Dotted key in the recipe, for the fault.
        name: Name, range or glob.
        known: Names of the columns that there are.

    Returns:
        The columns, in the order of the range or of the source; and the fault, if some are not there.
    """
    if name in known:
        return (name,), None
    match = _RANGE.match(name)
    if match:
        return _expand_range(key, name, match, known)
    if any(sign in name for sign in "*?"):
        found = tuple(each for each in known if fnmatch.fnmatchcase(each, name))
        return found, None if found else unknown_name(key, "column", name, known)
    return (), unknown_name(key, "column", name, known)


def expand_names(key: str, names: Sequence[str], known: Sequence[str]) -> tuple[tuple[str, ...], tuple[Fault, ...]]:
    """The columns that a list of names stands for, each once, and the faults.

    Args:
        key: Dotted key of the list in the recipe.
        names: Names, ranges and globs.
        known: Names of the columns that there are.
    """
    columns: dict[str, None] = {}
    faults = []
    for name in names:
        found, fault = expand_name(key, name, known)
        columns.update(dict.fromkeys(found))
        if fault is not None:
            faults.append(fault)
    return tuple(columns), tuple(faults)


def _expand_range(
    key: str, name: str, match: re.Match[str], known: Sequence[str]
) -> tuple[tuple[str, ...], Fault | None]:
    prefix, first, last = match["prefix"], match["first"], match["last"]
    if int(first) > int(last):
        return (), Fault(key, "the range is empty", f"{prefix}{last}..{prefix}{first}", repr(name))
    width = len(first) if first.startswith("0") else 0
    wanted = [f"{prefix}{number:0{width}d}" for number in range(int(first), int(last) + 1)]
    missing = [each for each in wanted if each not in known]
    found = tuple(each for each in wanted if each in known)
    if not missing:
        return found, None
    if not found:
        return (), unknown_name(key, "column", name, known)
    listed = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
    return found, Fault(key, "columns of the range are missing", got=f"no {listed}", fix=f"Shorten the range {name!r}.")
