"""Calling layers that take different keyword arguments, and working out shapes through them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras

#: A shape, or a dictionary of shapes by feature name.
Shape = Any


@functools.cache
def _accepted(call: Callable[..., Any]) -> frozenset[str] | None:
    """Keyword arguments that a layer's `call` takes; None when it takes any."""
    parameters = inspect.signature(call).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return frozenset(parameter.name for parameter in list(parameters)[1:])


def call_layer(layer: keras.layers.Layer, inputs: Any, **kwargs: Any) -> Any:
    """Calls `layer` with those of `kwargs` that it knows and that are not None.

    Blocks hand `training`, `testing`, `features` and `targets` down without asking who needs them; a plain Keras layer
    takes `training` at most.
    """
    accepted = _accepted(type(layer).call)
    passed = {
        key: value for key, value in kwargs.items() if value is not None and (accepted is None or key in accepted)
    }
    return layer(inputs, **passed)


def as_shape(shape: Any) -> Shape:
    """Shapes as tuples, whatever they came as: a saved model's configuration holds them as lists."""
    if isinstance(shape, dict):
        return {name: as_shape(value) for name, value in shape.items()}
    return tuple(None if size is None else int(size) for size in shape)


def build_layer(layer: keras.layers.Layer, shape: Shape) -> Shape:
    """Builds `layer` for inputs of `shape`, once, and gives the shape of its output."""
    if not layer.built:
        layer.build(shape)
    return as_shape(layer.compute_output_shape(shape))
