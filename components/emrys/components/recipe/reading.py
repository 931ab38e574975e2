"""Reads a recipe from a file or from JSON values, and finds all its faults that show without the data."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic
import yaml

from emrys.blocks.errors import ConfigError
from emrys.components.recipe.contradictions import contradictions
from emrys.components.recipe.faults import Fault, RecipeError, nearest, one_of
from emrys.components.recipe.recipe import VERSION, Recipe
from emrys.components.recipe.yaml_reader import read_yaml

Key = tuple[str | int, ...]

#: Sections whose keys are targets.
_TARGETS = (("columns", "targets"), ("columns", "events", "targets"))
#: Expected values by type of pydantic's errors.
_EXPECTED = {
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
}
#: Expected values by type, with the limit.
_LIMITS = {
    "greater_than_equal": ("at least {}", "ge"),
    "greater_than": ("more than {}", "gt"),
    "less_than_equal": ("at most {}", "le"),
    "less_than": ("less than {}", "lt"),
}


@dataclasses.dataclass(frozen=True)
class Draft:
    """A recipe as far as it can be read.

    Args:
        recipe: The recipe without the parts that have a fault of their own.
        faults: All faults.
        removed: Keys of the parts that are left out.
    """

    recipe: Recipe
    faults: tuple[Fault, ...]
    removed: tuple[Key, ...] = ()

    def concerns(self, key: str) -> bool:
        """Whether a part of the recipe that was left out lies at, above or below a dotted key."""
        return _overlaps(key, self.removed)


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Reads the recipe of a YAML file.

    Args:
        path: The file.

    Returns:
        The recipe, with paths as they are in the file.

    Raises:
        RecipeError: if the recipe has faults; it lists all of them.
        ConfigError: if the file is missing or not YAML.
    """
    return _without_faults(draft_of(load_recipe(path)), path)


def recipe_of(content: Mapping[str, Any]) -> Recipe:
    """The recipe of JSON values.

    Raises:
        RecipeError: if the recipe has faults; it lists all of them.
    """
    return _without_faults(draft_of(content), None)


def load_recipe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a YAML file with a recipe, as JSON values that are not checked.

    Raises:
        ConfigError: if the file is missing or not YAML.
    """
    try:
        content = read_yaml(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError("the recipe is missing", path=path, fix="`emrys init` writes one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the recipe cannot be read ({error})", path=path) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not a YAML file ({error})", path=path) from None
    if not isinstance(content, dict):
        got = "nothing" if content is None else type(content).__name__
        raise ConfigError("not a recipe", path=path, expected="a mapping with the key data", got=got)
    return typing.cast(dict[str, Any], _json_values(content))


def draft_of(content: Mapping[str, Any]) -> Draft:
    """Reads a recipe as far as possible, so that the rest can be checked too.

    Args:
        content: The recipe as JSON values.
    """
    content = typing.cast(dict[str, Any], _json_values(content))
    faults: list[Fault] = []
    removed: list[Key] = []
    remaining = copy.deepcopy(content)
    while True:
        try:
            recipe = Recipe.model_validate_json(json.dumps(remaining), strict=True)
            break
        except pydantic.ValidationError as error:
            chosen = _chosen_errors(error, remaining)
            if not removed:
                faults += _faults(chosen)
            for each in chosen:
                if each.kind == "missing" or not any(each.key[: len(key)] == key for key in removed):
                    removed.append(_remove(remaining, each.key))
    contradicting = [fault for fault in contradictions(recipe) if not _overlaps(fault.key, removed)]
    return Draft(recipe, tuple(faults + contradicting), tuple(removed))


def _without_faults(draft: Draft, path: str | os.PathLike[str] | None) -> Recipe:
    if draft.faults:
        raise RecipeError(draft.faults, path)
    return draft.recipe


def _json_values(value: Any) -> Any:
    """YAML's dates, sets and keys that are no text, as JSON has them; whole numbers as such.

    Kubeflow Pipelines passes every number of a mapping as a float.
    """
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key).lower(): _json_values(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_json_values(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


@dataclasses.dataclass(frozen=True)
class _Error:
    """An error of pydantic.

    Args:
        key: Where it is in the content.
        branches: Branch of each union on the way, with the number of keys before it.
        kind: Type of the error.
        context: Details of pydantic.
        value: The value there.
    """

    key: Key
    branches: tuple[tuple[int, str], ...]
    kind: str
    context: Mapping[str, Any]
    value: Any

    @property
    def expected(self) -> str:
        """The expected value."""
        if self.kind in ("literal_error", "enum"):
            values = [value for value in re.findall(r"'([^']*)'|(\d+)", str(self.context["expected"])) if any(value)]
            return " or ".join(["".join(value) for value in values])
        if self.kind in _LIMITS:
            text, limit = _LIMITS[self.kind]
            return text.format(self.context[limit])
        return _EXPECTED.get(self.kind, "")


def _chosen_errors(error: pydantic.ValidationError, content: Any) -> list[_Error]:
    """Errors of the branch of each union that fits best; those of a value that fits no branch are all kept."""
    errors = [_located(each, content) for each in error.errors(include_url=False)]
    depth = 0
    while any(len(each.branches) > depth for each in errors):
        places: dict[tuple[Key, tuple[tuple[int, str], ...]], dict[str, list[_Error]]] = {}
        for each in errors:
            if len(each.branches) > depth:
                length, branch = each.branches[depth]
                place = places.setdefault((each.key[:length], each.branches[:depth]), {})
                place.setdefault(branch, []).append(each)
        dropped: list[_Error] = []
        for (key, _), branches in places.items():
            fitting = {
                branch: found
                for branch, found in branches.items()
                if any(len(each.key) > len(key) or each.branches[depth + 1 :] for each in found)
            }
            best = min(fitting, key=lambda branch, among=fitting: len(among[branch])) if fitting else None  # type: ignore[misc]
            dropped += [each for branch, found in branches.items() if best not in (None, branch) for each in found]
        errors = [each for each in errors if not any(each is other for other in dropped)]
        depth += 1
    return errors


def _located(error: Any, content: Any) -> _Error:
    """Tells the keys of the content from the names of branches in the location of an error."""
    key: list[str | int] = []
    branches: list[tuple[int, str]] = []
    value = content
    for i, part in enumerate(error["loc"]):
        inside = (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        )
        if inside:
            value = value[part]
        if inside or (error["type"] == "missing" and i == len(error["loc"]) - 1):
            key.append(part)
        else:
            branches.append((len(key), str(part)))
    return _Error(tuple(key), tuple(branches), error["type"], error.get("ctx", {}), value)


def _faults(errors: Sequence[_Error]) -> list[Fault]:
    """One fault for each place; a key that is only misspelt is not missing too."""
    places: dict[Key, list[_Error]] = {}
    for error in errors:
        places.setdefault(error.key, []).append(error)
    meant = {
        (
            *key[:-1],
            nearest(
                str(key[-1]),
                [
                    str(other[-1])
                    for other, missing in places.items()
                    if missing[0].kind == "missing" and other[:-1] == key[:-1]
                ],
            ),
        )
        for key, found in places.items()
        if found[0].kind == "extra_forbidden"
    }
    return [_fault(key, found) for key, found in places.items() if found[0].kind != "missing" or key not in meant]


def _fault(key: Key, errors: Sequence[_Error]) -> Fault:
    first = errors[0]
    dotted = _dotted(key)
    if first.kind == "extra_forbidden":
        known = _keys_at(key[:-1], [branch for _, branch in first.branches])
        near = nearest(str(key[-1]), known)
        fix = f"Did you mean {_dotted([*key[:-1], near])!r}?" if near else ""
        return Fault(dotted, "no such key", one_of(known), fix=fix)
    if first.kind == "missing":
        return Fault(dotted, "the key is missing", fix=f"Add {key[-1]!r} to {_dotted(key[:-1]) or 'the recipe'}.")
    expected = " or ".join(dict.fromkeys(error.expected for error in errors if error.expected))
    got = json.dumps(first.value, ensure_ascii=False)
    got = got if len(got) <= 60 else f"{got[:57]}…"
    if key == ("version",):
        fix = f"Install a release that reads version {got}, or rewrite the recipe for version {VERSION}."
        return Fault(dotted, "a recipe of this version cannot be read", expected, got, fix)
    return Fault(dotted, "the value cannot be used", expected, got, _fix(key, first.value, expected))


def _fix(key: Key, value: Any, expected: str) -> str:
    if isinstance(value, str):
        near = nearest(value, expected.split(" or ")) if value else None
        if near is not None and near not in _EXPECTED.values():
            return f"Did you mean {near!r}?"
        if key in (("model",), ("data",)):
            return f"Write {key[0]}: {{{'name' if key[0] == 'model' else 'path'}: {value}}}."
        if "a list" in expected and "text" not in expected:
            return f"Write [{value}]."
        if re.fullmatch(r"[-+]?[\d_.]+", value) and "number" in expected:
            return "Write it without quotes."
    if isinstance(value, bool | int | float) and "text" in expected:
        return "Write it in quotes." if not isinstance(value, bool) else "YAML reads yes, no, on and off so: quote it."
    return ""


def _keys_at(key: Key, branches: Sequence[str]) -> list[str]:
    """Keys that are known at a place."""
    sections: list[type[pydantic.BaseModel]] = [Recipe]
    for part in key:
        fields = [
            field.annotation
            for section in sections
            for name, field in section.model_fields.items()
            if part in (name, field.alias)
        ]
        if fields:
            sections = [section for kind in fields for section in _sections_in(kind)]
        named = [section for section in sections if section.__name__ in branches]
        sections = named or sections
    return [field.alias or name for section in sections for name, field in section.model_fields.items()]


def _sections_in(kind: Any) -> list[type[pydantic.BaseModel]]:
    """Sections that a type holds: itself, members of a union, elements and values."""
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias):
        return [kind] if issubclass(kind, pydantic.BaseModel) else []
    return [section for part in typing.get_args(kind) for section in _sections_in(part)]


def _remove(content: dict[str, Any], key: Key) -> Key:
    """Removes the value at a key, or what holds it if it is missing or in a list, and returns the key of that."""
    path: list[str | int] = []
    owner: Any = content
    value: Any = content
    for part in key:
        if not isinstance(value, dict) or part not in value:
            break
        path.append(part)
        owner, value = value, value[part]
    if not path:
        content[str(key[0])] = {}  # a section that every recipe has
        return key[:1]
    if tuple(path[:-1]) in _TARGETS:
        owner[path[-1]] = "binary"  # or the event of this name: the other sections name targets
    else:
        del owner[path[-1]]
    return tuple(path)


def _overlaps(dotted: str, keys: Sequence[Key]) -> bool:
    for key in keys:
        other = _dotted(key)
        if dotted == other or dotted.startswith(f"{other}.") or other.startswith(f"{dotted}."):
            return True
    return False


def _dotted(key: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in key)
