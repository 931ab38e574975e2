"""Classes and functions by name, so that an argument can be a string; and the names themselves."""

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
    """A name is unknown, taken, or cannot be made.

    It is a `KeyError` and an `IndexError` too, which programs may catch where a dictionary or a string is indexed.
    """


def camelcase_to_snakecase(name: str) -> str:
    """Turns `TwoTowerModelV2` into `two_tower_model_v2`."""
    return _BEFORE_A_WORD.sub("_", name).lower()


def snakecase_to_camelcase(name: str) -> str:
    """Turns `two_tower_model_v2` into `TwoTowerModelV2`; letters after the first of a part stay as they are.

    Raises:
        NamingError: if a part between two underscores is empty.
    """
    parts = name.split("_")
    if not all(parts):
        raise NamingError("a name in camel case cannot be made", expected="parts with one underscore between", got=name)
    return "".join(part[0].upper() + part[1:] for part in parts)


def default_name(class_or_fn: Callable[..., Any]) -> str:
    """The name of a class or function, in snake case.

    Args:
        class_or_fn: The class or function.

    Raises:
        NamingError: if it has no name.
    """
    name = getattr(class_or_fn, "__name__", None)
    if name is None:
        raise NamingError(
            "there is no name to register under",
            expected="a class or a function",
            got=repr(class_or_fn),
            fix="Give the name: register('name').",
        )
    return camelcase_to_snakecase(name)


def default_object_name(obj: Any) -> str:
    """The name of an object's class, in snake case.

    Args:
        obj: The object.
    """
    return default_name(type(obj))


def display_list_by_prefix(names_list: Iterable[str], starting_spaces: int = 0) -> str:
    """Lists names, sorted, under what stands before their first underscore.

    Args:
        names_list: Names to list.
        starting_spaces: Number of spaces before each line.

    Returns:
        One line a prefix, `prefix:`, followed by one line a name, `  * name`.
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
    """Things by name.

    Example:
        >>> losses = Registry.class_registry("loss")
        >>> @losses.register_with_multiple_names("bpr", "bpr_loss")
        ... class BPRLoss: ...
        >>> type(losses.parse("bpr_loss")).__name__
        'BPRLoss'

    Args:
        registry_name: What the registry holds, for errors: "aggregation", "loss".
        default_key_fn: Gives the name of something that is registered without one.
        validator: Called with name and value before the value is taken; raises to refuse it.
        on_set: Called with name and value after the value was taken.
        value_transformer: Called with name and value at every look-up; what it returns is what is found.
    """

    def __init__(
        self,
        registry_name: str,
        default_key_fn: Callable[[Any], str] = default_name,
        validator: Callable[[str, Any], Any] | None = None,
        on_set: Callable[[str, Any], Any] | None = None,
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
        validator: Callable[[str, Any], Any] | None = None,
        on_set: Callable[[str, Any], Any] | None = None,
    ) -> Registry[T]:
        """A registry of classes (or functions) in which a look-up gives a new instance (or result) each time."""
        return cls(registry_name, default_key_fn, validator, on_set, lambda _, value: value())

    @property
    def name(self) -> str:
        """What the registry holds."""
        return self._name

    def default_key(self, value: Any) -> str:
        """The name under which `value` is registered when none is given."""
        return self._default_key_fn(value)

    def validate(self, key: str, value: Any) -> None:
        """Refuses a value, by raising, if the registry's validator does."""
        if self._validator is not None:
            self._validator(key, value)

    def on_set(self, key: str, value: Any) -> None:
        """Does what the registry does after taking a value."""
        if self._on_set is not None:
            self._on_set(key, value)

    def register(self, key_or_value: Any = None) -> Any:
        """Registers a class or function, as `@register`, `@register()`, `@register("name")` or `register(value)`.

        Args:
            key_or_value: The name, or the value itself, which then has its default name, as it has with None.

        Returns:
            The value, or a decorator that takes and returns it.
        """
        if callable(key_or_value):
            self[self.default_key(key_or_value)] = key_or_value
            return key_or_value
        return self.register_with_multiple_names(key_or_value)

    def register_with_multiple_names(self, *names: str | None) -> Callable[[C], C]:
        """Decorates a class or function to be found under each of `names`; None stands for its default name."""

        def decorate(value: C) -> C:
            for name in names:
                self[self.default_key(value) if name is None else name] = value
            return value

        return decorate

    def keys(self) -> KeysView[str]:
        """The names, in the order in which they were registered."""
        return self._registered.keys()

    def values(self) -> ValuesView[T]:
        """What a look-up of each name gives."""
        return self._found().values()

    def items(self) -> ItemsView[str, T]:
        """Each name with what a look-up of it gives."""
        return self._found().items()

    def get(self, key: str, default: Any = None) -> Any:
        """What is registered as `key`; `default` if nothing is."""
        if key not in self._registered:
            return default
        return self[key]

    def parse(self, class_or_str: str | Any) -> Any:
        """Looks a name up; gives anything but a string back as it is.

        Raises:
            NamingError: if nothing is registered under the name.
        """
        return self[class_or_str] if isinstance(class_or_str, str) else class_or_str

    def _found(self) -> dict[str, T]:
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

    def __setitem__(self, key: str, value: Any) -> None:
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
    """Gives a class `parse`, which looks a name up in the registry that the class states as `registry`."""

    #: Names of what `parse` can make; a subclass states its own.
    registry: ClassVar[Registry[Any]]

    @classmethod
    def parse(cls, class_or_str: str | Any) -> Any:
        """What is registered under a name; anything but a string comes back as it is.

        Raises:
            NamingError: if nothing is registered under the name.
        """
        return cls.registry.parse(class_or_str)
