"""Writes docs/api.md from the docstrings of `blocks`: `python docs/generate_api.py`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docstring_parser
from docstring_parser.google import DEFAULT_SECTIONS, GoogleParser, Section, SectionType

from emrys import blocks

PAGE = Path(__file__).with_name("api.md")
HEAD = """\
# The public names of `emrys.blocks`

Made from the docstrings by `python docs/generate_api.py`. Everything here is used as `import emrys.blocks as mm`.
"""
EXTRA_SECTIONS = ("Input shape", "Output shape", "Source", "Sources", "Reference", "References", "Note", "Notes")
PARSER = GoogleParser([*DEFAULT_SECTIONS, *(Section(name, name, SectionType.SINGULAR) for name in EXTRA_SECTIONS)])


def page() -> str:
    """The whole page."""
    families = list(_families())
    contents = [f"- [{family}](#{_anchor(family)}): " + ", ".join(f"`{name}`" for name in names)
                for family, names in families]  # fmt: skip
    parts = [HEAD, "\n".join(contents) + "\n"]
    for family, names in families:
        parts.append(f"## {family}\n")
        parts += [_entry(name, getattr(blocks, name)) for name in names]
    return "\n".join(parts)


def _families() -> Iterator[tuple[str, list[str]]]:
    """Families and their names, as `emrys.blocks.api.__all__` writes them: a comment, then the names."""
    listing = inspect.getsource(blocks.api).split("__all__ = [")[1].split("]")[0]
    family, names = "", []
    for line in listing.strip().splitlines():
        if line.strip().startswith("#"):
            if names:
                yield family, names
            family, names = line.strip(" #"), []
        else:
            names.append(line.strip(' ",'))
    yield family, names


def _entry(name: str, thing: Any) -> str:
    if inspect.ismodule(thing):
        heading, text = name, inspect.getdoc(thing) or ""
    elif inspect.isclass(thing) or inspect.isfunction(thing):
        heading, text = f"{name}{_signature(thing)}", inspect.getdoc(thing) or ""
    else:
        heading, text = name, inspect.getdoc(type(thing)) or ""
    parts = [f"### `{name}`\n", f"```text\n{heading}\n```\n", _body(text)]
    if inspect.isclass(thing):
        parts += _methods(thing)
    return "\n".join(parts)


def _signature(thing: Any) -> str:
    # The constructor itself: of a class, some versions of Python look at `__new__` first, which Keras gives to layers.
    built = inspect.isclass(thing) and inspect.isfunction(thing.__init__)
    try:
        signature = inspect.signature(thing.__init__ if built else thing)
    except (TypeError, ValueError):
        return "(...)"
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty, default=_Shown.of(parameter.default))
        for parameter in list(signature.parameters.values())[int(built) :]
    ]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


class _Shown:
    """A default that is shown the same in every process: no addresses."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    @classmethod
    def of(cls, default: Any) -> Any:
        if default is inspect.Parameter.empty:
            return default
        if inspect.isfunction(default) or inspect.isclass(default):
            return cls(default.__name__)
        return cls(re.sub(r" at 0x[0-9a-f]+", "", repr(default)))


def _methods(thing: type) -> list[str]:
    """The public methods and properties that the class itself documents, a line each."""
    lines = []
    for name, member in sorted(vars(thing).items()):
        if name.startswith("_") or name in _USUAL:
            continue
        inner = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
        text = inspect.getdoc(inner)
        if not text or not (inspect.isfunction(inner) or isinstance(inner, property)):
            continue
        shown = name if isinstance(inner, property) else f"{name}()"
        lines.append(f"- `{shown}`: {_one_line(docstring_parser.parse(text).short_description or '')}")
    return ["Methods and properties:\n", "\n".join(lines) + "\n"] if lines else []


#: What every layer has.
_USUAL = {"build", "call", "compute_output_shape", "get_config", "from_config"}


def _body(text: str) -> str:
    found = PARSER.parse(text)
    parts = [f"{found.short_description or ''}\n"]
    if found.long_description:
        parts.append(f"{found.long_description}\n")
    if found.params:
        parts.append("\n".join(f"- `{param.arg_name}`: {_one_line(param.description or '')}" for param in found.params))
        parts[-1] += "\n"
    for meta in found.meta:
        if meta.args and meta.args[0] in EXTRA_SECTIONS:
            parts.append(f"**{meta.args[0]}**: {_one_line(meta.description or '')}\n")
    if found.returns and found.returns.description:
        parts.append(f"**Returns**: {_one_line(found.returns.description)}\n")
    for error in found.raises:
        parts.append(f"**Raises** `{error.type_name}`: {_one_line(error.description or '')}\n")
    for example in found.examples:
        parts.append(f"```pycon\n{inspect.cleandoc(example.description or '')}\n```\n")
    return "\n".join(parts)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
