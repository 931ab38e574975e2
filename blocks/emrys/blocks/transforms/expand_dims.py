"""Adding an axis to features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.calling import Shape
from emrys.blocks.core.tabular import TabularArguments, TabularBlock
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class ExpandDims(TabularBlock):
    """Adds an axis of size 1 to features.

    Args:
        expand_dims: Position of the new axis: a number for all features, or a dictionary by name, in which case other
            features are unchanged. Default: -1, the end.

    Input shape:
        Dictionary by feature name, or one tensor.

    Output shape:
        The same with one more axis.

    Raises:
        ConfigError: if `expand_dims` is neither a number nor a dictionary of them, or is a dictionary for one tensor.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> layer = mm.ExpandDims({"b": 1})
        >>> {name: tuple(each.shape) for name, each in layer({"a": np.ones(2), "b": np.ones((2, 3))}).items()}
        {'a': (2,), 'b': (2, 1, 3)}
    """

    def __init__(self, expand_dims: int | Mapping[str, int] = -1, **kwargs: Unpack[TabularArguments]) -> None:
        super().__init__(**kwargs)
        axes = list(expand_dims.values()) if isinstance(expand_dims, Mapping) else [expand_dims]
        if not all(isinstance(axis, int) for axis in axes):
            raise ConfigError(
                "ExpandDims: expand_dims", expected="an axis, or a dictionary of axes", got=repr(expand_dims)
            )
        self.expand_dims = dict(expand_dims) if isinstance(expand_dims, Mapping) else expand_dims

    def _axis(self, name: str) -> int | None:
        return self.expand_dims.get(name) if isinstance(self.expand_dims, Mapping) else self.expand_dims

    def _only_axis(self) -> int:
        if isinstance(self.expand_dims, Mapping):
            raise ConfigError(
                f"{self.name} has axes by feature name", expected="a dictionary of features", got="a tensor"
            )
        return self.expand_dims

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> Any:
        """Adds the axis."""
        if not isinstance(inputs, dict):
            return tf.expand_dims(inputs, self._only_axis())
        axes = {name: self._axis(name) for name in inputs}
        return {
            name: tensor if axes[name] is None else tf.expand_dims(tensor, axes[name])
            for name, tensor in inputs.items()
        }

    def transform_shape(self, shape: Shape) -> Shape:
        """Shapes with the axis."""
        if not isinstance(shape, dict):
            return _expand(shape, self._only_axis())
        return {name: _expand(each, self._axis(name)) for name, each in shape.items()}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "expand_dims": self.expand_dims}


def _expand(shape: tuple[int | None, ...], axis: int | None) -> tuple[int | None, ...]:
    if axis is None:
        return shape
    position = axis if axis >= 0 else len(shape) + 1 + axis
    return (*shape[:position], 1, *shape[position:])
