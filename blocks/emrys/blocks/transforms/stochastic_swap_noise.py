"""Swap noise for sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import block_registry
from emrys.blocks.core.calling import Shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.core.tabular import TabularBlock, TransformArguments
from emrys.blocks.errors import ConfigError, SchemaError


@block_registry.register_with_multiple_names("stochastic-swap-noise", "ssn")
@keras.saving.register_keras_serializable("emrys")
class StochasticSwapNoise(TabularBlock):
    """Swaps random elements of sequences with each other, across the whole batch, in training.

    Each element except padding is selected with the same probability; the selected values are permuted, separately for
    each feature. Padding is determined by `input_mask`; by default by the item id of the schema, or without a schema by
    each feature itself. Beside sequences, features with one value per row, such as those of the user, are unchanged.

    Args:
        schema: The columns to swap; the one tagged ITEM_ID determines the padding. Default: all features.
        pad_token: Padding value. Default: 0.
        replacement_prob: Probability that an element is selected. Default: 0.1.
        **kwargs: The other arguments of `TabularBlock`, such as `pre`.

    Input shape:
        Dictionary by feature name, or one tensor: (B, L), (B, L, 1) or ragged, and (B,) or (B, 1) beside them;
        `input_mask` (B, L), True at elements, ragged if the features are.

    Output shape:
        That of the input.

    Raises:
        ConfigError: if the probability is invalid; if a mask and a feature are not both ragged or both dense.
        SchemaError: if the schema does not have exactly one column tagged ITEM_ID, or the batch lacks it.

    Source:
        Jahrer, "Porto Seguro's Safe Driver Prediction: 1st place", 2017 ("swap noise").

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> noise = mm.StochasticSwapNoise(replacement_prob=1.0)
        >>> swapped = noise({"items": np.array([[1, 2, 0], [3, 4, 5]])}, training=True)["items"].numpy()
        >>> int(swapped[0, 2]), sorted(int(item) for item in swapped.flatten())
        (0, [0, 1, 2, 3, 4, 5])
    """

    def __init__(
        self,
        schema: Schema | None = None,
        pad_token: int = 0,
        replacement_prob: float = 0.1,
        **kwargs: Unpack[TransformArguments],
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= replacement_prob <= 1:
            raise ConfigError(
                "StochasticSwapNoise: replacement_prob", expected="a probability", got=repr(replacement_prob)
            )
        if schema is not None and len(schema.select_by_tag(Tags.ITEM_ID)) != 1:
            raise SchemaError(
                "StochasticSwapNoise: the schema does not determine the padding",
                expected="one column tagged ITEM_ID",
                got=", ".join(schema.select_by_tag(Tags.ITEM_ID).column_names) or "none",
            )
        self._columns = schema
        self.pad_token = pad_token
        self.replacement_prob = replacement_prob

    @property
    def schema(self) -> Schema | None:
        """The columns to swap, None for all."""
        return self._columns

    def call(  # type: ignore[override]  # takes the mask of the elements too
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        input_mask: tf.Tensor | tf.RaggedTensor | None = None,
        training: bool | None = None,
    ) -> Any:
        """Swaps elements in training; otherwise returns the inputs."""
        if not training:
            return inputs
        if not isinstance(inputs, dict):
            return self.augment(inputs, input_mask)
        if input_mask is None and self._columns is not None:
            (item,) = self._columns.select_by_tag(Tags.ITEM_ID).column_names
            if item not in inputs:
                raise SchemaError(f"{self.name}: the item id column is missing", column=item, got=", ".join(inputs))
            input_mask = self._elements(inputs[item])
        names = list(inputs) if self._columns is None else self._columns.column_names
        of_lists = input_mask is not None and _is_list(input_mask)
        return {
            name: self.augment(tensor, input_mask) if name in names and (_is_list(tensor) or not of_lists) else tensor
            for name, tensor in inputs.items()
        }

    def transform_shape(self, shape: Shape) -> Shape:
        """Returns the shapes of the features."""
        return shape

    def _elements(self, tensor: Any) -> Any:
        if isinstance(tensor, tf.RaggedTensor):
            return tensor.with_flat_values(self._elements(tensor.flat_values))
        return tf.not_equal(tensor, tf.cast(self.pad_token, tensor.dtype))

    def augment(
        self,
        input_tensor: tf.Tensor | tf.RaggedTensor,
        mask: tf.Tensor | tf.RaggedTensor | None = None,
        **kwargs: object,
    ) -> Any:
        """Swaps elements of one feature.

        Args:
            input_tensor: The feature.
            mask: True at elements. Default: where the feature is not `pad_token`.
            **kwargs: Ignored.
        """
        mask = self._elements(input_tensor) if mask is None else mask
        ragged = isinstance(input_tensor, tf.RaggedTensor)
        if isinstance(mask, tf.RaggedTensor) != ragged:
            kinds = {True: "ragged", False: "dense"}
            raise ConfigError(
                f"{self.name}: the mask of a {kinds[ragged]} feature", expected=kinds[ragged], got=kinds[not ragged]
            )
        if ragged:
            return input_tensor.with_flat_values(self._swap(input_tensor.flat_values, mask.flat_values))
        return self._swap(input_tensor, mask)

    def _swap(self, values: Any, mask: Any) -> Any:
        mask = tf.reshape(tf.cast(mask, tf.bool), tf.shape(values))
        selected = tf.logical_and(mask, tf.random.uniform(tf.shape(values)) < self.replacement_prob)
        indices = tf.where(selected)
        return tf.tensor_scatter_nd_update(values, indices, tf.gather_nd(values, tf.random.shuffle(indices)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "schema": to_config(self._columns),
            "pad_token": self.pad_token,
            "replacement_prob": self.replacement_prob,
        }


def _is_list(tensor: Any) -> bool:
    return isinstance(tensor, tf.RaggedTensor) or len(tensor.shape) > 2 or tensor.shape[1:] not in ((), (1,))
