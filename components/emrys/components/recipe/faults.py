"""Faults of a recipe, all reported together."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterable, Sequence

from emrys.blocks.errors import ConfigError

#: Maximum number of known names in a message.
_LISTED = 12


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something in a recipe that cannot be used; `str()` gives one line.

    Args:
        key: Dotted key in the recipe, such as `columns.time.unit`; empty for the whole file.
        problem: The problem, in a few words.
        expected: The expected value; empty for none.
        got: The actual value; empty for none.
        fix: What to change, as a sentence; empty for none.
    """

    key: str
    problem: str
    expected: str = ""
    got: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """The fault on one line."""
        text = f"{self.key}: {self.problem}" if self.key else self.problem
        if self.expected:
            text += f"; expected {self.expected}"
        if self.got:
            text += f"{',' if self.expected else ';'} got {self.got}"
        return " ".join(f"{text}. {self.fix}".split()) if self.fix else " ".join(text.split())


class RecipeError(ConfigError):
    """A recipe has faults; the message has one line for each.

    Args:
        faults: The faults.
        path: File of the recipe.
    """

    def __init__(self, faults: Iterable[Fault], path: str | os.PathLike[str] | None = None) -> None:
        self.faults = tuple(faults)
        super().__init__("the recipe cannot be used", path=path)

    def __str__(self) -> str:
        """The path with the number of faults, and one line for each."""
        number = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        head = f"{self.path}: {number}" if self.path else f"{number} in the recipe"
        return "\n".join([head, *(f"  {fault}" for fault in self.faults)])


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that equals a name but for case, separators or a typing error; None if there is none."""
    plain = {_plain(other): other for other in reversed(list(known))}
    close = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
    return plain[close[0]] if close else None


def unknown_name(key: str, kind: str, name: str, known: Sequence[str]) -> Fault:
    """The fault of a name that is none of the known ones.

    Args:
        key: Dotted key in the recipe.
        kind: Kind of the thing that is named, such as `column`.
        name: The name in the recipe.
        known: The known names.
    """
    near = nearest(name, known)
    return Fault(key, f"no such {kind}", one_of(known), repr(name), f"Did you mean {near!r}?" if near else "")


def one_of(known: Sequence[str]) -> str:
    """The known names as a text, of which only the first are listed."""
    if not known:
        return ""
    listed = ", ".join(known[:_LISTED])
    return f"one of {listed}, and {len(known) - _LISTED} more" if len(known) > _LISTED else f"one of {listed}"


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum() or not sign.isascii())
