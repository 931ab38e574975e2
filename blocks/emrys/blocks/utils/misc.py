"""Keyword arguments, JSON, memory."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def filter_kwargs(
    kwargs: Mapping[str, Any],
    thing_with_kwargs: Callable[..., Any],
    cascade_kwargs_if_possible: bool = False,
    argspec_fn: Callable[[Any], inspect.FullArgSpec] = inspect.getfullargspec,
) -> dict[str, Any]:
    """Keeps those keyword arguments that a function, a class or a callable object takes by name.

    Args:
        kwargs: Keyword arguments to choose from.
        thing_with_kwargs: What they are meant for; a class stands for its `__init__`, an object for its `__call__`.
        cascade_kwargs_if_possible: Whether to keep all of them if it takes any (`**kwargs`).
        argspec_fn: Gives the arguments that it takes.

    Returns:
        The arguments that were kept, in the order of `kwargs`.
    """
    described: Any = thing_with_kwargs
    if not inspect.isclass(described) and not inspect.isroutine(described):
        described = described.__call__
    argspec = argspec_fn(described)
    if cascade_kwargs_if_possible and argspec.varkw is not None:
        return dict(kwargs)
    taken = {*argspec.args, *argspec.kwonlyargs} - {"self"}
    return {name: value for name, value in kwargs.items() if name in taken}


def safe_json(data: Any) -> bool:
    """Tells whether JSON can hold something as it is.

    Args:
        data: Anything.

    Returns:
        True for None, booleans, Python's numbers, text, and for lists, tuples and dictionaries with string keys that
        are made of such. NaN and the infinities count as numbers.
    """
    if isinstance(data, Mapping):
        return all(isinstance(key, str) and safe_json(value) for key, value in data.items())
    if isinstance(data, (list, tuple)):
        return all(safe_json(value) for value in data)
    return data is None or isinstance(data, (bool, int, float, str))


def get_object_size(obj: Any, seen: set[int] | None = None) -> int:
    """Memory that an object and everything that it holds take up.

    What is held twice counts once. The buffer of an array counts, a view's does not, nor what a C extension hides.

    Args:
        obj: Object to measure.
        seen: Identities (`id`) of objects that are counted elsewhere; those met here are added. None for none.

    Returns:
        Size in bytes.
    """
    seen = set() if seen is None else seen
    size = 0
    todo = [obj]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        size += sys.getsizeof(item)
        todo.extend(_held(item))
    return size


def _held(item: Any) -> list[Any]:
    if isinstance(item, Mapping):
        return [*item.keys(), *item.values()]
    if isinstance(item, (list, tuple, set, frozenset)):
        return list(item)
    if isinstance(item, (str, bytes, bytearray, np.ndarray)) or inspect.isclass(item) or inspect.isroutine(item):
        return []
    held = [item.__dict__] if hasattr(item, "__dict__") else []
    slots = [name for cls in type(item).__mro__ for name in _names(getattr(cls, "__slots__", ()))]
    return held + [getattr(item, name) for name in slots if name != "__dict__" and hasattr(item, name)]


def _names(slots: Any) -> list[str]:
    return [slots] if isinstance(slots, str) else list(slots)
