"""Aggregation of the vectors of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError

_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "mean": tf.reduce_mean,
    "sum": tf.reduce_sum,
    "max": tf.reduce_max,
    "min": tf.reduce_min,
}
COMBINERS = (*_REDUCTIONS, "masked_mean")


@keras.saving.register_keras_serializable("emrys")
class SequenceAggregator(Block):
    """Reduces one axis of a tensor: the mean, sum, maximum or minimum of a list of vectors; zeros for an empty list.

    Args:
        combiner: `"mean"`, `"sum"`, `"max"`, `"min"`, `"masked_mean"` (the mean of the positions where the Keras mask
            or the `mask` of the call is True), or a function of a tensor and an `axis`.
            Default: `"mean"`.
        axis: The axis. Default: 1.

    Input shape:
        (B, L, D), dense or ragged; or a dictionary, whose tensors of more than `axis` + 1 axes are reduced and
        others are unchanged.

    Output shape:
        (B, D)

    Raises:
        ConfigError: if the combiner is unknown; when called, if `"masked_mean"` has no mask.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> lists = np.array([[[1.0, 2.0], [3.0, 4.0]]])
        >>> mm.SequenceAggregator("max")(lists).numpy().tolist()
        [[3.0, 4.0]]
    """

    def __init__(
        self, combiner: str | Callable[..., tf.Tensor] = "mean", axis: int = 1, **kwargs: Unpack[BlockArguments]
    ) -> None:
        super().__init__(**kwargs)
        if combiner not in COMBINERS and not callable(combiner):
            raise ConfigError(
                "SequenceAggregator: combiner",
                expected=f"a function or one of {', '.join(map(repr, COMBINERS))}",
                got=repr(combiner),
            )
        self.combiner = combiner
        self.axis = axis
        self.supports_masking = True  # and the output has none

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], mask: tf.Tensor | tf.RaggedTensor | None = None) -> Any:
        """Reduces `inputs`."""
        if not isinstance(inputs, dict):
            return self._reduce(inputs, mask)
        masks = mask if isinstance(mask, dict) else dict.fromkeys(inputs, mask)
        return {
            name: self._reduce(value, masks.get(name)) if self._is_reduced(value.shape) else value
            for name, value in inputs.items()
        }

    def compute_mask(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        previous_mask: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> None:
        """None: the axis of the mask is reduced."""

    def _is_reduced(self, shape: Any) -> bool:
        return len(shape) > self.axis + 1

    def _reduce(self, values: Any, mask: Any) -> Any:
        if self.combiner == "masked_mean":
            return self._masked_mean(values, mask)
        lists = isinstance(values, tf.RaggedTensor) and self.axis == 1
        if self.combiner == "mean" and lists:
            total = tf.reduce_sum(values, axis=1)
            return total / _per_row(tf.cast(tf.maximum(values.row_lengths(), 1), values.dtype), total)
        reduce = _REDUCTIONS[self.combiner] if isinstance(self.combiner, str) else self.combiner
        reduced = reduce(values, axis=self.axis)
        if self.combiner in ("max", "min") and lists:
            return tf.where(_per_row(values.row_lengths() > 0, reduced), reduced, tf.zeros_like(reduced))
        return reduced

    def _masked_mean(self, values: Any, mask: Any) -> Any:
        if mask is None:
            raise ConfigError(f"{self.name}: 'masked_mean' needs a mask", fix="Mask the input, or use 'mean'.")
        weights = tf.expand_dims(tf.cast(mask, values.dtype), -1) if len(mask.shape) < len(values.shape) else mask
        weights = tf.cast(weights, values.dtype)
        total = tf.reduce_sum(values * weights, axis=self.axis)
        return total / tf.maximum(tf.reduce_sum(weights, axis=self.axis), 1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape without the axis."""
        shapes = as_shape(input_shape)
        if isinstance(shapes, dict):
            return {
                name: self._without_axis(shape) if self._is_reduced(shape) else shape for name, shape in shapes.items()
            }
        return self._without_axis(shapes)

    def _without_axis(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        axis = self.axis % len(shape)
        return shape[:axis] + shape[axis + 1 :]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "combiner": to_config(self.combiner), "axis": self.axis}


def _per_row(rows: Any, values: Any) -> Any:
    """Reshapes one value per row to as many axes as `values`, for broadcasting."""
    return tf.reshape(rows, [-1] + [1] * (len(values.shape) - 1))
