"""A layer of a transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape, build_layer


@keras.saving.register_keras_serializable("emrys")
class TransformerLayer(Block):
    """Self-attention and a feed-forward network, each with a residual connection and a normalization.

    Post-norm: `x ← norm(x + attention(x))`, `x ← norm(x + W₂ act(W₁ x))`. Pre-norm: `x ← x + attention(norm(x))`,
    `x ← x + W₂ act(W₁ norm(x))`. The inner layer has size 4 D.

    Args:
        d_model: Size D of the vectors.
        n_head: Number of attention heads; it divides D.
        causal: Whether a position attends only to itself and earlier ones. Default: False.
        norm_first: Whether the layer is pre-norm. Default: False.
        hidden_act: Activation of the inner layer. Default: `"gelu"`.
        dropout: Dropout rate of the attention weights and of both outputs. Default: 0.3.
        initializer_range: Standard deviation of the kernels' initial values. Default: 0.01.
        layer_norm_eps: Epsilon of the normalization. Default: 0.03.

    Input shape:
        (B, L, D); `valid` (B, L), bool, False at padding. Default: no padding.

    Output shape:
        (B, L, D)

    Source:
        Vaswani et al., "Attention is all you need", NeurIPS 2017; pre-norm: Radford et al., "Language
        models are unsupervised multitask learners", 2019.

    Example:
        >>> from emrys.blocks.transformer.transformer_layer import TransformerLayer
        >>> import numpy as np
        >>> tuple(TransformerLayer(4, 2)(np.ones((1, 3, 4), "float32")).shape)
        (1, 3, 4)
    """

    def __init__(
        self,
        d_model: int,
        n_head: int,
        causal: bool = False,
        norm_first: bool = False,
        hidden_act: str = "gelu",
        dropout: float = 0.3,
        initializer_range: float = 0.01,
        layer_norm_eps: float = 0.03,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.d_model = d_model
        self.n_head = n_head
        self.causal = causal
        self.norm_first = norm_first
        self.hidden_act = hidden_act
        self.dropout = dropout
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.attention = keras.layers.MultiHeadAttention(
            n_head, d_model // n_head, dropout=dropout, kernel_initializer=self._initializer(), dtype=self.dtype_policy
        )
        self.attention_norm = self._norm()
        self.inner = keras.layers.Dense(
            4 * d_model, hidden_act, kernel_initializer=self._initializer(), dtype=self.dtype_policy
        )
        self.outer = keras.layers.Dense(d_model, kernel_initializer=self._initializer(), dtype=self.dtype_policy)
        self.inner_norm = self._norm()
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def _initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.TruncatedNormal(stddev=self.initializer_range)

    def _norm(self) -> keras.layers.Layer:
        return keras.layers.LayerNormalization(epsilon=self.layer_norm_eps, dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        """Builds all weights."""
        shape = as_shape(input_shape)
        self.attention.build(shape, shape)
        for layer in (self.attention_norm, self.inner_norm, self.drop):
            build_layer(layer, shape)
        build_layer(self.outer, build_layer(self.inner, shape))
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        valid: tf.Tensor | tf.RaggedTensor | None = None,
        training: bool | None = None,
    ) -> Any:
        """Encodes `inputs`."""
        mask = None
        if valid is not None:
            mask = tf.logical_and(valid[:, tf.newaxis, :], tf.ones_like(valid, "bool")[:, :, tf.newaxis])
        if self.norm_first:
            middle = inputs + self._attend(self.attention_norm(inputs), mask, training)
            return middle + self._feed_forward(self.inner_norm(middle), training)
        middle = self.attention_norm(inputs + self._attend(inputs, mask, training))
        return self.inner_norm(middle + self._feed_forward(middle, training))

    def _attend(self, values: Any, mask: Any, training: bool | None) -> Any:
        attended = self.attention(
            values, values, attention_mask=mask, use_causal_mask=self.causal, training=bool(training)
        )
        return self.drop(attended, training=bool(training))

    def _feed_forward(self, values: Any, training: bool | None) -> Any:
        return self.drop(self.outer(self.inner(values)), training=bool(training))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "d_model": self.d_model,
            "n_head": self.n_head,
            "causal": self.causal,
            "norm_first": self.norm_first,
            "hidden_act": self.hidden_act,
            "dropout": self.dropout,
            "initializer_range": self.initializer_range,
            "layer_norm_eps": self.layer_norm_eps,
        }
