"""Helpers for keyword arguments, JSON and object sizes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def filter_kwargs(
    kwargs: Mapping[str, Any],
    thing_with_kwargs: Callable[..., object],
    cascade_kwargs_if_possible: bool = False,
    argspec_fn: Callable[[Any], inspect.FullArgSpec] = inspect.getfullargspec,
) -> dict[str, Any]:
    """Filters keyword arguments to those that a function, a class or a callable object accepts.

    Args:
        kwargs: Keyword arguments to filter.
        thing_with_kwargs: The callable; for a class its `__init__` counts, for an object its `__call__`.
        cascade_kwargs_if_possible: Whether to keep all of them if it accepts `**kwargs`.
        argspec_fn: Returns the arguments that a callable accepts.

    Returns:
        The accepted arguments, in the order of `kwargs`.
    """
    target: Any = thing_with_kwargs
    if not inspect.isclass(target) and not inspect.isroutine(target):
        target = target.__call__
    argspec = argspec_fn(target)
    if cascade_kwargs_if_possible and argspec.varkw is not None:
        return dict(kwargs)
    accepted = {*argspec.args, *argspec.kwonlyargs} - {"self"}
    return {name: value for name, value in kwargs.items() if name in accepted}


def safe_json(data: object) -> bool:
    """Whether a value can be serialized as JSON.

    Args:
        data: Any value.

    Returns:
        True for None, booleans, Python's numbers, text, and for lists, tuples and dictionaries with string keys that
        contain only such values. NaN and infinities count as numbers.
    """
    if isinstance(data, Mapping):
        return all(isinstance(key, str) and safe_json(value) for key, value in data.items())
    if isinstance(data, (list, tuple)):
        return all(safe_json(value) for value in data)
    return data is None or isinstance(data, (bool, int, float, str))


def get_object_size(obj: object, seen: set[int] | None = None) -> int:
    """Memory of an object and all objects that it refers to.

    Every object counts once. The buffer of an array counts, that of a view does not, nor the memory of C extensions.

    Args:
        obj: Object to measure.
        seen: Identities (`id`) of objects to exclude; visited objects are added. None for none.

    Returns:
        Size in bytes.
    """
    seen = set() if seen is None else seen
    size = 0
    pending = [obj]
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        size += sys.getsizeof(item)
        pending.extend(_referenced(item))
    return size


def _referenced(item: Any) -> list[Any]:
    if isinstance(item, Mapping):
        return [*item.keys(), *item.values()]
    if isinstance(item, (list, tuple, set, frozenset)):
        return list(item)
    if isinstance(item, (str, bytes, bytearray, np.ndarray)) or inspect.isclass(item) or inspect.isroutine(item):
        return []
    referenced = [item.__dict__] if hasattr(item, "__dict__") else []
    slots = [name for cls in type(item).__mro__ for name in _names(getattr(cls, "__slots__", ()))]
    return referenced + [getattr(item, name) for name in slots if name != "__dict__" and hasattr(item, name)]


def _names(slots: Any) -> list[str]:
    return [slots] if isinstance(slots, str) else list(slots)
