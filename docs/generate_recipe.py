"""Writes the tables of docs/recipe.md from the models of a recipe: `python docs/generate_recipe.py`."""

from __future__ import annotations

import enum
import inspect
import json
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role
from emrys.components.recipe import evaluation
from emrys.components.recipe.models import MODELS, ModelKind
from emrys.components.recipe.operators import OPERATORS, Operator
from emrys.components.recipe.recipe import (
    Columns,
    DataSource,
    Difference,
    Evaluation,
    EventTargets,
    FeatureSteps,
    History,
    Model,
    Negatives,
    Recipe,
    Serving,
    SideTable,
    Split,
    TargetColumn,
    TimeColumn,
    Training,
    Validation,
)

PAGE = Path(__file__).with_name("recipe.md")
#: What follows this line in the page is generated.
MARKER = "<!-- What follows is made from the code by `make docs`. -->"

#: Sections by their key in a recipe, in the order of the page.
_SECTIONS: Mapping[str, type[BaseModel]] = {
    "data": DataSource,
    "tables.items, tables.users": SideTable,
    "columns": Columns,
    "columns.time": TimeColumn,
    "columns.events": EventTargets,
    "columns.targets.NAME": TargetColumn,
    "split": Split,
    "split.negatives": Negatives,
    "features.NAME, a history": History,
    "features.NAME, a difference": Difference,
    "model": Model,
    "validate": Validation,
    "train": Training,
    "evaluate": Evaluation,
    "serve": Serving,
}
#: Some metrics need a user, and some baselines an item.
_WITH_ALL_ROLES = DataSchema((DataColumn("user", "string", Role.USER_ID), DataColumn("item", "string", Role.ITEM_ID)))
_LINKS = {section: key for key, section in _SECTIONS.items()}
_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_LIMITS = ((annotated_types.Ge, "ge", "at least"), (annotated_types.Gt, "gt", "more than"))
_UPPER_LIMITS = ((annotated_types.Le, "le", "at most"), (annotated_types.Lt, "lt", "less than"))


def tables() -> str:
    """The generated part of the page."""
    lines = ["## All keys", ""]
    lines += _table(Recipe)
    for key, section in _SECTIONS.items():
        lines += ["", f"### `{key}`", "", _summary(section), "", *_table(section)]
    lines += ["", "## All operators", "", *_operator_lines()]
    lines += ["", "## All models", "", *_model_lines()]
    lines += ["", "## All metrics and baselines", "", *_metric_lines()]
    return "\n".join(lines) + "\n"


def page(written: str) -> str:
    """The page with its generated part made anew.

    Args:
        written: The page as it is.
    """
    introduction, marker, _ = written.partition(MARKER)
    if not marker:
        raise ValueError(f"{PAGE.name} lacks the line {MARKER}")
    return f"{introduction}{MARKER}\n\n{tables()}"


def _table(section: type[BaseModel]) -> list[str]:
    lines = ["| Key | Value | Default | |", "| --- | --- | --- | --- |"]
    for name, field in section.model_fields.items():
        lines.append(f"| `{field.alias or name}` | {_value(field)} | {_default(field)} | {_meaning(field)} |")
    return lines


def _summary(section: type[BaseModel]) -> str:
    return " ".join((inspect.getdoc(section) or "").partition("\n\n")[0].split())


def _meaning(field: FieldInfo) -> str:
    return (field.description or "").replace("|", r"\|")


def _value(field: FieldInfo) -> str:
    """The type of a field in words, with its limits."""
    return _with_limits(_type(field.annotation), field.metadata)


def _with_limits(text: str, metadata: typing.Iterable[object]) -> str:
    limits = [
        f"{words} {getattr(each, name)}"
        for each in metadata
        for kind, name, words in (*_LIMITS, *_UPPER_LIMITS)
        if isinstance(each, kind)
    ]
    return ", ".join([text, " and ".join(limits)]) if limits else text


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        inner, *metadata = arguments
        limits = [limit for each in metadata for limit in getattr(each, "metadata", (each,))]
        return _with_limits(_type(inner), limits)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in arguments if each != "")
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(each) for each in arguments if each is not type(None)))
    if annotation == FeatureSteps:
        return "list of operators"
    if origin is tuple:
        return f"list of {_plural(_type(arguments[0]))}"
    if origin is dict:
        return f"by name: {_type(arguments[1])}"
    if annotation is Any:
        return "value"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return " or ".join(f"`{each.value}`" for each in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[`{_LINKS[annotation]}`](#{_anchor(_LINKS[annotation])})"
    return _WORDS[annotation]


def _plural(text: str) -> str:
    first, comma, limits = text.partition(", ")
    known = {word: f"{word}s" for word in (*_WORDS.values(), "value")} | {"true or false": "true or false"}
    parts = [known.get(part, part) for part in first.split(" or ")]
    return known.get(first) or (" or ".join(parts) + comma + limits)


def _anchor(key: str) -> str:
    """Anchor of a heading, as GitHub makes it."""
    return "".join(sign for sign in key.lower().replace(" ", "-") if sign.isalnum() or sign in "-_")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None or default in ("", (), {}) or isinstance(default, BaseModel):
        return ""
    if isinstance(default, enum.Enum):
        default = default.value
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _operator_lines() -> Iterator[str]:
    yield "| Operator | Options | |"
    yield "| --- | --- | --- |"
    for name, operator in OPERATORS.items():
        yield f"| `{name}` | {_options(operator)} | {_summary(operator)} |"


def _options(operator: type[Operator]) -> str:
    """The options of an operator in one cell; that of the short form comes first."""
    fields = sorted(operator.model_fields.items(), key=lambda each: each[0] != operator.value)
    found = []
    for name, field in fields:
        default = _default(field)
        end = f" ({default})" if default == "required" else f" (default {default})" if default else ""
        found.append(f"`{field.alias or name}`: {_value(field)}{end}. {_meaning(field)}")
    short = f"`{{{operator.name}: {operator.value.upper()}}}` sets `{operator.value}`." if operator.value else ""
    return "<br>".join([*found, *([short] if short else [])])


def _model_lines() -> Iterator[str]:
    yield "| Model | Task | Targets | Needs |"
    yield "| --- | --- | --- | --- |"
    for name, kind in MODELS.items():
        yield f"| [`{name}`](#{_anchor(name)}) | {kind.task} | {_targets(kind)} | {_needs(kind)} |"
    for name, kind in MODELS.items():
        yield from ("", f"### `{name}`", "", *_table(kind.options))


def _targets(kind: ModelKind) -> str:
    kinds = ", ".join(sorted(each.value for each in kind.targets))
    if kind.most_targets == kind.fewest_targets:
        return f"one: {kinds}"
    if kind.most_targets is not None:
        return f"none, or one: {kinds}"
    return f"{'any number' if kind.fewest_targets < 2 else f'{kind.fewest_targets} or more'}: {kinds}"


def _needs(kind: ModelKind) -> str:
    roles = {"history": "a history of the item id"}
    needs = [roles.get(role.value, f"`{role.value}`") for role in kind.needs]
    return ", ".join(needs)


def _metric_lines() -> Iterator[str]:
    yield "| Of | Metrics; the first is the main one | Baselines |"
    yield "| --- | --- | --- |"
    kinds: tuple[evaluation.Kind, ...] = (*evaluation.KINDS.values(), "retrieval")
    for kind in kinds:
        names = evaluation.metrics_of(kind, (), _WITH_ALL_ROLES, recall_k=50 if kind == "retrieval" else None)
        metrics = ", ".join(f"`{name.replace('_at_', '@')}`" for name in names)
        baselines = ", ".join(f"`{name}`" for name in evaluation.baselines_of(kind, None, _WITH_ALL_ROLES))
        yield f"| {kind} | {metrics} | {baselines} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
