"""Dot products of all pairs of features."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf

from emrys.blocks.core.aggregation import StackFeatures
from emrys.blocks.core.block import Block, UnnamedBlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import ConfigError

INTERACTION_TYPES = ("field_all", "field_each", "field_interaction")


@keras.saving.register_keras_serializable("emrys")
class DotProductInteraction(Block):
    """Dot product of every pair of F feature vectors: `v_i · v_j` for `i < j`, row by row.

    With an `interaction_type`, one side of each pair is multiplied by a trained matrix first:

    - `"field_all"`: `(v_i W) · v_j`, one matrix for all pairs;
    - `"field_each"`: `(W_i v_i) · v_j`, one matrix for each left feature;
    - `"field_interaction"`: `v_i · (W_ij v_j)`, one matrix for each pair.

    Args:
        interaction_type: One of the above. Default: none, plain dot products.
        self_interaction: Whether to include pairs `i = j`. Default: False.
        name: Name of the layer.

    Input shape:
        (B, F, D)

    Output shape:
        (B, F (F - 1) / 2), or (B, F (F + 1) / 2) with `self_interaction`

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> v = np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]], "float32")
        >>> mm.DotProductInteraction()(v).numpy().tolist()
        [[11.0, 17.0, 39.0]]

    Reference:
        Naumov et al., "Deep Learning Recommendation Model for Personalization and Recommendation Systems", 2019,
        https://arxiv.org/abs/1906.00091; the trained forms: Huang et al., "FiBiNET", RecSys 2019.
    """

    def __init__(
        self,
        interaction_type: str | None = None,
        self_interaction: bool = False,
        name: str | None = None,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        super().__init__(name=name, **kwargs)
        if interaction_type is not None and interaction_type not in INTERACTION_TYPES:
            raise ConfigError(
                "DotProductInteraction: interaction_type",
                expected=f"None or one of {', '.join(map(repr, INTERACTION_TYPES))}",
                got=repr(interaction_type),
            )
        self.interaction_type = interaction_type
        self.self_interaction = self_interaction
        self.kernel: Any = None

    def build(self, input_shape: Shape) -> None:
        """Creates the matrices of the interaction type."""
        fields, dim = self._sizes(input_shape)
        shapes = {"field_all": (dim, dim), "field_each": (fields, dim, dim)}
        if self.interaction_type is not None:
            shape = shapes.get(self.interaction_type, (fields, fields, dim, dim))
            self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        self.built = True

    def call(self, inputs: tf.Tensor) -> Any:
        """Computes the dot products of all pairs."""
        fields, _ = self._sizes(inputs.shape)
        left, right = np.triu_indices(fields, k=0 if self.self_interaction else 1)
        if self.interaction_type == "field_interaction":
            kernel = tf.gather_nd(tf.convert_to_tensor(self.kernel), np.stack([left, right], axis=1))
            projected = tf.einsum("pij,bpj->bpi", kernel, tf.gather(inputs, right, axis=1))
            return tf.reduce_sum(tf.gather(inputs, left, axis=1) * projected, axis=-1)
        if self.interaction_type == "field_all":
            products = tf.matmul(tf.matmul(inputs, self.kernel), inputs, transpose_b=True)
        elif self.interaction_type == "field_each":
            products = tf.matmul(tf.einsum("fij,bfj->bfi", self.kernel, inputs), inputs, transpose_b=True)
        else:
            products = tf.matmul(inputs, inputs, transpose_b=True)
        # One gather over the flattened matrix: a boolean mask has no static shape and is slower.
        return tf.gather(tf.reshape(products, (-1, fields * fields)), left * fields + right, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, number of pairs)."""
        fields, _ = self._sizes(input_shape)
        return (as_shape(input_shape)[0], fields * (fields + (1 if self.self_interaction else -1)) // 2)

    def _sizes(self, shape: Any) -> tuple[int, int]:
        sizes = as_shape(shape)
        if len(sizes) != 3 or sizes[1] is None or sizes[2] is None:
            raise ConfigError(f"{self.name}: input shape", expected="shape (B, F, D)", got=str(sizes))
        return sizes[1], sizes[2]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "interaction_type": self.interaction_type,
            "self_interaction": self.self_interaction,
        }


def DotProductInteractionBlock() -> SequentialBlock:  # noqa: N802 - named like a class, as in Merlin Models
    """Creates a block that stacks F embeddings (B, D) and computes all dot products, (B, F (F - 1) / 2)."""
    return SequentialBlock(StackFeatures(axis=1), DotProductInteraction(), block_name="dot_product_interaction")
