"""`ReplaceMaskedEmbeddings`: a trained vector at the masked positions of a sequence."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class ReplaceMaskedEmbeddings(Block):
    """Replaces the embeddings at masked positions by one trained vector: `x_l ← v where mask_l`.

    A model that guesses masked items must not see them. The mask is the one that Keras carries along with the tensor,
    or the call's `mask`; without one nothing is replaced. It is passed on with the result.

    Input shape:
        Embeddings (B, L, D), dense or ragged; the mask (B, L), ragged as they are.

    Output shape:
        (B, L, D)

    Raises:
        ConfigError: when built, if the input has not three axes, the last of a known size; when called, if the mask
            has not one axis less, or either of both is ragged and the other not.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> layer = mm.ReplaceMaskedEmbeddings()
        >>> layer.build((None, None, 1))
        >>> layer.set_weights([np.array([-1.0])])
        >>> layer(np.array([[[5.0], [6.0]]]), mask=np.array([[False, True]])).numpy().tolist()
        [[[5.0], [-1.0]]]
    """

    def __init__(self, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.masked_embedding: Any = None

    def build(self, input_shape: Shape) -> None:
        """Creates the vector."""
        shape = as_shape(input_shape)
        if len(shape) != 3 or shape[-1] is None:
            raise ConfigError(f"{self.name} takes lists of embeddings", expected="shape (B, L, D)", got=str(shape))
        self.masked_embedding = self.add_weight(
            shape=(shape[-1],), initializer=keras.initializers.RandomNormal(stddev=0.001), name="masked_embedding"
        )
        self.built = True

    def call(self, inputs: tf.Tensor | tf.RaggedTensor, mask: tf.Tensor | tf.RaggedTensor | None = None) -> Any:
        """Replaces the embeddings at masked positions."""
        if mask is None:
            return inputs
        ragged = isinstance(inputs, tf.RaggedTensor)
        if len(mask.shape) != len(inputs.shape) - 1 or isinstance(mask, tf.RaggedTensor) != ragged:
            raise ConfigError(
                f"{self.name}: the mask",
                expected=f"{'ragged' if ragged else 'dense'} (B, L)",
                got=f"{'ragged' if isinstance(mask, tf.RaggedTensor) else 'dense'} {tuple(mask.shape)}",
            )
        if ragged:
            return inputs.with_flat_values(self._replaced(inputs.flat_values, mask.flat_values))
        return self._replaced(inputs, mask)

    def _replaced(self, values: Any, mask: Any) -> Any:
        vector = tf.cast(self.masked_embedding, values.dtype)
        return tf.where(tf.expand_dims(tf.cast(mask, tf.bool), -1), vector, values)
