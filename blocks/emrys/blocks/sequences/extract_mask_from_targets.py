"""`ExtractMaskFromTargets`: a block that programs for Merlin Models put before masked outputs."""

from __future__ import annotations

from typing import Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments


@keras.saving.register_keras_serializable("emrys")
class ExtractMaskFromTargets(Block):
    """Returns its input.

    In Merlin Models it restores the mask of predicted elements that an earlier block lost. Here that mask is a feature
    of the batch, which transformers and outputs read themselves, see `emrys.blocks.sequences.masked_positions`.

    Input shape:
        (B, L, D), dense or ragged.

    Output shape:
        The input's.

    Example:
        >>> import numpy as np
        >>> ExtractMaskFromTargets()(np.array([[[1.0], [2.0]]])).numpy().tolist()
        [[[1.0], [2.0]]]
    """

    def __init__(self, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: tf.Tensor | tf.RaggedTensor) -> tf.Tensor | tf.RaggedTensor:
        """Returns the input."""
        return inputs
