"""Making one tensor of several."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError
from emrys.blocks.utils.registry import Registry

#: The aggregations by the names that `aggregation=` accepts.
aggregation_registry: Any = Registry.class_registry("aggregation")


class TabularAggregation(Block):
    """Base of the layers that make one tensor of a dictionary of them.

    A subclass writes `combine`, which gets the tensors in alphabetical order of their names.
    """

    #: The aggregations by the names that `aggregation=` accepts.
    registry: ClassVar[Any] = aggregation_registry

    def get_values(self, inputs: dict[str, Any]) -> list[Any]:
        """The tensors of a dictionary in alphabetical order of their names."""
        return [inputs[name] for name in sorted(inputs)]

    def combine(self, values: list[Any]) -> Any:
        """Makes one tensor of `values`."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """Aggregates a dictionary; a tensor alone is given back as it is."""
        if not isinstance(inputs, dict):
            return inputs
        return self.combine(self.get_values(inputs))


def parse_aggregation(value: Any) -> keras.layers.Layer | None:
    """Makes an aggregation of its name.

    Raises:
        ConfigError: if there is none of that name.
    """
    found = aggregation_registry.parse(value)
    if found is not None and not isinstance(found, keras.layers.Layer):
        raise ConfigError("aggregation", expected="None, a name or a layer", got=repr(value))
    return found


def shapes_in_order(layer: keras.layers.Layer, input_shape: Shape) -> list[tuple[int | None, ...]]:
    """The shapes of a dictionary in alphabetical order of its keys, all of one rank."""
    shapes = as_shape(input_shape)
    ordered = [shapes[name] for name in sorted(shapes)]
    if len({len(shape) for shape in ordered}) > 1:
        raise ConfigError(
            f"{layer.name} needs tensors of one rank",
            got=", ".join(f"{name} {shapes[name]}" for name in sorted(shapes)),
            fix="Reduce list features first, with a sequence_combiner for one.",
        )
    return ordered


def any_mask(previous_mask: Any) -> Any:
    """The mask of lists side by side: True where that of any of them is; None where none has one."""
    masks = previous_mask.values() if isinstance(previous_mask, dict) else [previous_mask]
    found = [mask for mask in masks if mask is not None]
    return functools.reduce(tf.logical_or, found) if found else None
