"""`DotProduct`: scores of pairs of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class DotProduct(Block):
    """Scalar product of a query and a candidate, row by row: `q · c`.

    Args:
        query_name: Name of the query's tensor. Default: `"query"`.
        item_name: Name of the candidate's. Default: `"candidate"`.

    Input shape:
        Dictionary with both, (B, D) each; other entries are ignored.

    Output shape:
        (B, 1), float32 in every precision policy

    Raises:
        ConfigError: when built or called, if one is missing or both differ in D.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> batch = {"query": np.array([[1.0, 2.0]]), "candidate": np.array([[3.0, 4.0]])}
        >>> mm.DotProduct()(batch).numpy().tolist()
        [[11.0]]
    """

    def __init__(
        self, query_name: str = "query", item_name: str = "candidate", **kwargs: Unpack[BlockArguments]
    ) -> None:
        super().__init__(**kwargs)
        self.query_name = query_name
        self.item_name = item_name

    def _pair(self, inputs: Any) -> tuple[Any, Any]:
        names = (self.query_name, self.item_name)
        if not isinstance(inputs, dict) or not all(name in inputs for name in names):
            raise ConfigError(
                f"{self.name} compares {names[0]!r} with {names[1]!r}",
                expected="a dictionary with both",
                got=", ".join(map(repr, inputs)) if isinstance(inputs, dict) else "one tensor",
                fix="Rename the towers, or give query_name and item_name.",
            )
        return inputs[names[0]], inputs[names[1]]

    def build(self, input_shape: Shape) -> None:
        """Checks the shapes."""
        self.compute_output_shape(input_shape)
        self.built = True

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Returns the scores."""
        query, item = self._pair(inputs)
        return tf.cast(tf.reduce_sum(query * item, axis=-1, keepdims=True), "float32")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, 1)."""
        query, item = self._pair(as_shape(input_shape))
        if None not in (query[-1], item[-1]) and query[-1] != item[-1]:
            raise ConfigError(
                f"{self.name} compares vectors of one size",
                expected=f"{self.query_name} and {self.item_name} alike",
                got=f"{query[-1]} and {item[-1]}",
                fix="End both towers with the same dimension.",
            )
        return (*query[:-1], 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "query_name": self.query_name, "item_name": self.item_name}
