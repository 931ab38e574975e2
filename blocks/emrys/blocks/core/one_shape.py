"""Checking that the tensors of a dictionary have one shape."""

from __future__ import annotations

import keras

from emrys.blocks.core.aggregation import shapes_in_order
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError


def one_shape(layer: keras.layers.Layer, input_shape: Shape) -> tuple[int | None, ...]:
    """The one shape that all tensors of a dictionary have; a size that is not known fits any.

    Raises:
        ConfigError: if ranks or known sizes differ.
    """
    sizes = list(zip(*shapes_in_order(layer, input_shape), strict=True))
    known = [{size for size in along if size is not None} for along in sizes]
    if any(len(different) > 1 for different in known):
        shapes = as_shape(input_shape)
        raise ConfigError(
            f"{layer.name} needs tensors of one shape",
            got=", ".join(f"{name} {shapes[name]}" for name in sorted(shapes)),
            fix="Give all embeddings one dimension.",
        )
    return tuple(next(iter(different), None) for different in known)
