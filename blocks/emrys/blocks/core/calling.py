"""Calls of layers with the keyword arguments that they accept, and the shapes that result."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras

from emrys.blocks.errors import ConfigError

#: A shape, or a dictionary of shapes by feature name.
Shape = Any


@dataclass(frozen=True)
class StepContext:
    """Per-step context of a model's `call`: one object, since Keras would cast the tensors of a dictionary.

    Attributes:
        targets: Targets by name, or the only one. Default: none.
        testing: Whether it is an evaluation step. Default: False.
        check_columns: Whether the features are checked against the model's schema. Default: True.
    """

    targets: Any = None
    testing: bool = False
    check_columns: bool = True


@functools.cache
def _accepted(call: Callable[..., Any]) -> frozenset[str] | None:
    """Keyword arguments that a layer's `call` takes; None when it takes any."""
    parameters = inspect.signature(call).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    # Without `self` and the inputs, whatever their name.
    return frozenset(parameter.name for parameter in list(parameters)[2:])


def call_layer(layer: keras.layers.Layer, inputs: Any, **kwargs: Any) -> Any:
    """Calls `layer` with the `kwargs` that it accepts and that are not None.

    Blocks pass `training`, `testing`, `features` and `targets` on to all inner layers; a plain Keras layer accepts
    `training` at most.
    """
    accepted = _accepted(type(layer).call)
    passed = {
        key: value for key, value in kwargs.items() if value is not None and (accepted is None or key in accepted)
    }
    return layer(inputs, **passed)


def as_shape(shape: Any) -> Shape:
    """Returns shapes as tuples; the configuration of a saved model holds lists."""
    if isinstance(shape, dict):
        return {name: as_shape(value) for name, value in shape.items()}
    if isinstance(shape, tuple) and hasattr(shape, "_fields"):  # a named tuple of shapes, as of scores and identifiers
        return type(shape)(*map(as_shape, shape))
    return tuple(None if size is None else int(size) for size in shape)


def call_layers(layers: Iterable[keras.layers.Layer], inputs: Any, **kwargs: Any) -> Any:
    """Calls `layers` one after the other; see `call_layer`.

    If a layer that accepts targets returns a pair of features and targets, as `PrepareFeatures` does, the following
    layers get these features and targets.
    """
    for layer in layers:
        if has_targets(inputs):
            inputs, kwargs["targets"] = inputs
        inputs = call_layer(layer, inputs, **kwargs)
    return inputs


def has_targets(outputs: Any) -> bool:
    """Whether the output of a layer is a pair of features and targets."""
    return type(outputs) is tuple and len(outputs) == 2 and isinstance(outputs[0], dict)


def build_layer(layer: keras.layers.Layer, shape: Shape) -> Shape:
    """Builds `layer` for inputs of `shape`, unless it is built, and returns the shape of its output."""
    if not layer.built:
        layer.build(shape)
    return as_shape(layer.compute_output_shape(shape))


def build_layers(layers: Iterable[keras.layers.Layer], shape: Shape) -> Shape:
    """Builds a chain of layers and returns the shape of the last one's output."""
    shape = as_shape(shape)
    for layer in layers:
        shape = build_layer(layer, shape)
    return shape


def shape_behind(layers: Iterable[keras.layers.Layer], shape: Shape) -> Shape:
    """Returns the output shape of a chain of layers for an input of `shape`."""
    shape = as_shape(shape)
    for layer in layers:
        shape = as_shape(layer.compute_output_shape(shape))
    return shape


def check_shape(what: str, got: Any, expected: Any) -> None:
    """Checks a shape against the expected one; unknown sizes match any size.

    Raises:
        ConfigError: if they differ, with both shapes.
    """
    got, expected = tuple(got), tuple(expected)
    same = all(a is None or b is None or a == b for a, b in zip(got, expected, strict=False))
    if len(got) != len(expected) or not same:
        raise ConfigError(f"the shape of {what} does not fit", expected=str(expected), got=str(got))
