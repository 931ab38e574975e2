"""One vector for a sequence: its first or last element, or the mean of its elements."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments, block_registry
from emrys.blocks.core.calling import Shape, as_shape


class SequenceSummary(Block, abc.ABC):
    """Base class of the layers that reduce a sequence to one vector; that of an empty sequence is zeros.

    A subclass implements `weights_of`.

    Input shape:
        (B, L, D), ragged; or dense, with a Keras mask, or the `mask` of the call, for padding.

    Output shape:
        (B, D)
    """

    def __init__(self, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True  # and the output has none

    @abc.abstractmethod
    def weights_of(self, position: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """Returns the weight of each element in the sum that is the output.

        Args:
            position: Position of each element in its row, padding not counted, (B, L), int32.
            length: Number of elements of each row, (B, 1), int32.

        Returns:
            (B, L), of booleans or numbers.
        """

    def call(self, inputs: tf.Tensor | tf.RaggedTensor, mask: tf.Tensor | tf.RaggedTensor | None = None) -> tf.Tensor:
        """Reduces the sequences."""
        if isinstance(inputs, tf.RaggedTensor):
            mask = tf.sequence_mask(inputs.row_lengths())
            inputs = inputs.to_tensor()
        valid = tf.ones(tf.shape(inputs)[:2], "int32") if mask is None else tf.cast(mask, "int32")
        length = tf.reduce_sum(valid, axis=1, keepdims=True)
        weights = tf.cast(self.weights_of(tf.cumsum(valid, axis=1) - 1, length), inputs.dtype)
        return tf.einsum("bl,bld->bd", weights * tf.cast(valid, inputs.dtype), inputs)

    def compute_mask(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        previous_mask: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> None:
        """None: the axis of the mask is reduced."""

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D)."""
        shape = as_shape(input_shape)
        return (shape[0], shape[2])


@block_registry.register("sequence_mean")
@keras.saving.register_keras_serializable("emrys")
class SequenceMean(SequenceSummary):
    """The mean of the elements of a sequence, `post="sequence_mean"` of a transformer.

    Input shape:
        (B, L, D), ragged; or dense, with a Keras mask, or the `mask` of the call, for padding.

    Output shape:
        (B, D)

    Example:
        >>> import numpy as np
        >>> SequenceMean()(np.array([[[1.0], [3.0], [9.0]]]), mask=np.array([[True, True, False]])).numpy().tolist()
        [[2.0]]
    """

    def weights_of(self, position: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """One over the number of elements."""
        return tf.ones_like(position, "float32") / tf.cast(tf.maximum(length, 1), "float32")


@block_registry.register("sequence_first")
@keras.saving.register_keras_serializable("emrys")
class SequenceFirst(SequenceSummary):
    """The first element of a sequence, `post="sequence_first"` of a transformer.

    Input shape:
        (B, L, D), ragged; or dense, with a Keras mask, or the `mask` of the call, for padding.

    Output shape:
        (B, D)

    Example:
        >>> import numpy as np
        >>> SequenceFirst()(np.array([[[1.0], [3.0], [9.0]]]), mask=np.array([[False, True, True]])).numpy().tolist()
        [[3.0]]
    """

    def weights_of(self, position: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """1 at position 0."""
        return tf.equal(position, 0)


@block_registry.register("sequence_last")
@keras.saving.register_keras_serializable("emrys")
class SequenceLast(SequenceSummary):
    """The last element of a sequence, `post="sequence_last"` of a transformer.

    Input shape:
        (B, L, D), ragged; or dense, with a Keras mask, or the `mask` of the call, for padding.

    Output shape:
        (B, D)

    Example:
        >>> import numpy as np
        >>> SequenceLast()(np.array([[[1.0], [3.0], [9.0]]]), mask=np.array([[True, True, False]])).numpy().tolist()
        [[3.0]]
    """

    def weights_of(self, position: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """1 at the last position."""
        return tf.equal(position, length - 1)
