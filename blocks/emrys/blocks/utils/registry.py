"""Registries of classes and functions by name, and conversion of names between camel and snake case."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, ValuesView
from typing import Any, ClassVar, Generic, TypeVar

from emrys.blocks.errors import ConfigError

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])

_BEFORE_A_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=.)(?=[A-Z][a-z0-9])")


class NamingError(ConfigError, KeyError, IndexError):
    """A name is unknown, already registered, or invalid.

    It is also a `KeyError` and an `IndexError`, which callers of dictionaries and strings catch.
    """


def camelcase_to_snakecase(name: str) -> str:
    """Turns `TwoTowerModelV2` into `two_tower_model_v2`."""
    return _BEFORE_A_WORD.sub("_", name).lower()


def snakecase_to_camelcase(name: str) -> str:
    """Turns `two_tower_model_v2` into `TwoTowerModelV2`; the other letters are unchanged.

    Raises:
        NamingError: if a part between two underscores is empty.
    """
    parts = name.split("_")
    if not all(parts):
        raise NamingError(
            "the name cannot be converted to camel case", expected="parts with one underscore between", got=name
        )
    return "".join(part[0].upper() + part[1:] for part in parts)


def default_name(class_or_fn: Callable[..., object]) -> str:
    """The name of a class or function, in snake case.

    Args:
        class_or_fn: The class or function.

    Raises:
        NamingError: if it has no name.
    """
    name = getattr(class_or_fn, "__name__", None)
    if name is None:
        raise NamingError(
            "the object has no name to register",
            expected="a class or a function",
            got=repr(class_or_fn),
            fix="Pass a name: register('name').",
        )
    return camelcase_to_snakecase(name)


def default_object_name(obj: object) -> str:
    """The name of an object's class, in snake case.

    Args:
        obj: The object.
    """
    return default_name(type(obj))


def display_list_by_prefix(names_list: Iterable[str], starting_spaces: int = 0) -> str:
    """Lists names, sorted and grouped by the prefix before their first underscore.

    Args:
        names_list: Names to list.
        starting_spaces: Number of spaces before each line.

    Returns:
        A line `prefix:` for each prefix, followed by a line `  * name` for each name.
    """
    margin = " " * starting_spaces
    lines = []
    prefixes = itertools.groupby(sorted(names_list, key=lambda name: (_prefix(name), name)), key=_prefix)
    for prefix, names in prefixes:
        lines.append(f"{margin}{prefix}:")
        lines.extend(f"{margin}  * {name}" for name in names)
    return "\n".join(lines)


def _prefix(name: str) -> str:
    return name.split("_", 1)[0]


class Registry(Generic[T]):
    """A registry of objects by name.

    Example:
        >>> losses = Registry.class_registry("loss")
        >>> @losses.register_with_multiple_names("bpr", "bpr_loss")
        ... class BPRLoss: ...
        >>> type(losses.parse("bpr_loss")).__name__
        'BPRLoss'

    Args:
        registry_name: Description of the objects, for errors: "aggregation", "loss".
        default_key_fn: Returns the name of an object that is registered without one.
        validator: Called with name and value before registration; raises to reject it.
        on_set: Called with name and value after registration.
        value_transformer: Called with name and value at every lookup; returns the result.
    """

    def __init__(
        self,
        registry_name: str,
        default_key_fn: Callable[[Any], str] = default_name,
        validator: Callable[[str, object], object] | None = None,
        on_set: Callable[[str, object], object] | None = None,
        value_transformer: Callable[[str, Any], T] | None = None,
    ) -> None:
        self._name = registry_name
        self._default_key_fn = default_key_fn
        self._validator = validator
        self._on_set = on_set
        self._value_transformer = value_transformer
        self._registered: dict[str, Any] = {}

    @classmethod
    def class_registry(
        cls,
        registry_name: str,
        default_key_fn: Callable[[Any], str] = default_name,
        validator: Callable[[str, object], object] | None = None,
        on_set: Callable[[str, object], object] | None = None,
    ) -> Registry[T]:
        """A registry of classes (or functions) whose lookups return a new instance (or result)."""
        return cls(registry_name, default_key_fn, validator, on_set, lambda _, value: value())

    @property
    def name(self) -> str:
        """Description of the registered objects."""
        return self._name

    def default_key(self, value: object) -> str:
        """The name of `value` if it is registered without one."""
        return self._default_key_fn(value)

    def validate(self, key: str, value: object) -> None:
        """Calls the validator of the registry."""
        if self._validator is not None:
            self._validator(key, value)

    def on_set(self, key: str, value: object) -> None:
        """Calls the `on_set` callback of the registry."""
        if self._on_set is not None:
            self._on_set(key, value)

    def register(self, key_or_value: Any = None) -> Any:
        """Registers a class or function, as `@register`, `@register()`, `@register("name")` or `register(value)`.

        Args:
            key_or_value: The name, or the value itself with its default name; None for the default name.

        Returns:
            The value, or a decorator that returns it.
        """
        if callable(key_or_value):
            self[self.default_key(key_or_value)] = key_or_value
            return key_or_value
        return self.register_with_multiple_names(key_or_value)

    def register_with_multiple_names(self, *names: str | None) -> Callable[[C], C]:
        """A decorator that registers a class or function under each of `names`; None for its default name."""

        def decorate(value: C) -> C:
            for name in names:
                self[self.default_key(value) if name is None else name] = value
            return value

        return decorate

    def keys(self) -> KeysView[str]:
        """The names, in the order of registration."""
        return self._registered.keys()

    def values(self) -> ValuesView[T]:
        """The results of the lookup of each name."""
        return self._lookup_all().values()

    def items(self) -> ItemsView[str, T]:
        """The names with the results of their lookup."""
        return self._lookup_all().items()

    def get(self, key: str, default: object = None) -> Any:
        """The result of the lookup of `key`; `default` if it is not registered."""
        if key not in self._registered:
            return default
        return self[key]

    def parse(self, class_or_str: str | Any) -> Any:
        """Looks up a name; other values than strings are returned unchanged.

        Raises:
            NamingError: if the name is not registered.
        """
        return self[class_or_str] if isinstance(class_or_str, str) else class_or_str

    def _lookup_all(self) -> dict[str, T]:
        return {key: self[key] for key in self._registered}

    def __getitem__(self, key: str) -> T:
        if key not in self._registered:
            near = difflib.get_close_matches(str(key), map(str, self._registered), n=1)
            raise NamingError(
                f"unknown {self._name} {key!r}",
                expected=f"one of {', '.join(sorted(map(repr, self._registered)))}" if self._registered else None,
                fix=f"Did you mean {near[0]!r}?" if near else None,
            )
        value = self._registered[key]
        return value if self._value_transformer is None else self._value_transformer(key, value)

    def __setitem__(self, key: str, value: object) -> None:
        if not callable(value):
            raise ConfigError(f"the {self._name} {key!r} must be a class or a function", got=repr(value))
        if key in self._registered:
            raise NamingError(f"the {self._name} {key!r} is registered already", got=repr(value))
        self.validate(key, value)
        self._registered[key] = value
        self.on_set(key, value)

    def __contains__(self, key: object) -> bool:
        return key in self._registered

    def __iter__(self) -> Iterator[str]:
        return iter(self._registered)

    def __len__(self) -> int:
        return len(self._registered)

    def __repr__(self) -> str:
        return f"Registry({self._name!r}, {len(self)} names)"


class RegistryMixin(Generic[T]):
    """Adds `parse` to a class, which looks up names in its attribute `registry`."""

    #: The registry of `parse`; a subclass sets its own.
    registry: ClassVar[Registry[Any]]

    @classmethod
    def parse(cls, class_or_str: str | Any) -> Any:
        """Looks up a name; other values than strings are returned unchanged.

        Raises:
            NamingError: if the name is not registered.
        """
        return cls.registry.parse(class_or_str)
