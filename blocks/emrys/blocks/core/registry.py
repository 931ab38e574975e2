"""Blocks by the names that arguments accept instead of them."""

from __future__ import annotations

import difflib
import inspect
from typing import Any

import keras

from emrys.blocks.errors import ConfigError
from emrys.blocks.utils.registry import NamingError, Registry


def _make(name: str, block_class: Any) -> Any:
    # Of a class, some versions of Python look at `__new__` first, which Keras gives to layers.
    made_by = block_class.__init__ if inspect.isclass(block_class) else block_class
    needed = [
        parameter.name
        for parameter in inspect.signature(made_by).parameters.values()
        if parameter.default is parameter.empty
        and parameter.name != "self"
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise ConfigError(
            f"the block {name!r} cannot be made of its name alone",
            expected=f"{block_class.__name__}({', '.join(needed)})",
            got=repr(name),
            fix="Give the block itself.",
        )
    return block_class()


#: The blocks by the names that `pre=`, `post=`, `connect` and others accept.
block_registry: Any = Registry("block", value_transformer=_make)


def parse_layer(value: Any, owner: str, argument: str = "block") -> keras.layers.Layer:
    """Makes a layer of its name; a layer is given back as it is.

    Args:
        value: A layer, or a name in `block_registry`.
        owner: What wants the layer, for errors.
        argument: What it wants it as.

    Raises:
        ConfigError: if there is no block of that name, or it is neither a name nor a layer.
    """
    try:
        found = block_registry.parse(value)
    except NamingError as error:
        problem = f"{owner}: {argument}: {error.problem}"
        raise ConfigError(problem, expected=error.expected, fix=error.fix) from error
    if not isinstance(found, keras.layers.Layer):
        raise ConfigError(f"{owner}: {argument}", expected="a layer or the name of a block", got=repr(value))
    return found


def parse_activation(value: Any, owner: str) -> Any:
    """Makes a function of the name of an activation; a function or a layer is given back as it is.

    Raises:
        ConfigError: if Keras knows no such activation; it says which known name is nearest.
    """
    if isinstance(value, keras.layers.Layer):
        return value
    try:
        return keras.activations.get(value)
    except (TypeError, ValueError) as error:
        known = [name for name in dir(keras.activations) if not name.startswith("_")]
        near = difflib.get_close_matches(str(value), known, n=1)
        raise ConfigError(
            f"{owner}: activation",
            expected="an activation that Keras knows",
            got=repr(value),
            fix=f"Did you mean {near[0]!r}?" if near else None,
        ) from error
