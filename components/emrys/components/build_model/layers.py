"""Layers of the session models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError

#: The id that marks an end of a history; no value has it.
MARK = 0


@keras.saving.register_keras_serializable("emrys")
class MarkedHistory(Block):
    """Keeps the last ids of a history and marks an end of it by the id 0, so that an empty history has an element too.

    Args:
        column: The history.
        end: `"first"`: the mark stands before the ids, `"last"`: behind them.
        max_length: Number of ids that are kept, the last ones.

    Input shape:
        Dictionary of features; the history (B, L), ragged or dense.

    Output shape:
        The dictionary; the history ragged (B, at most max_length + 1).

    Example:
        >>> import numpy as np
        >>> layer = MarkedHistory("recent", end="last", max_length=2)
        >>> layer({"recent": np.array([[7, 8, 9]])})["recent"].to_list()
        [[8, 9, 0]]
    """

    def __init__(self, column: str, end: str, max_length: int, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        if end not in ("first", "last"):
            raise ConfigError(f"{self.name}: end", expected="first or last", got=repr(end))
        self.column = column
        self.end = end
        self.max_length = max_length

    def call(self, inputs: Mapping[str, tf.Tensor | tf.RaggedTensor]) -> dict[str, Any]:
        """Marks the history."""
        ids = inputs[self.column]
        ids = ids if isinstance(ids, tf.RaggedTensor) else tf.RaggedTensor.from_tensor(ids)
        if len(ids.shape) == 3:
            ids = tf.squeeze(ids, axis=2)
        ids = ids[:, -self.max_length :]
        marks = tf.fill(tf.stack([ids.nrows(), tf.ones((), ids.row_splits.dtype)]), tf.cast(MARK, ids.dtype))
        mark = tf.RaggedTensor.from_tensor(marks, row_splits_dtype=ids.row_splits.dtype)
        return {**inputs, self.column: tf.concat([mark, ids] if self.end == "first" else [ids, mark], axis=1)}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shapes, that of the history (B, None)."""
        shapes = as_shape(input_shape)
        return {**shapes, self.column: (shapes[self.column][0], None)}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "column": self.column, "end": self.end, "max_length": self.max_length}
