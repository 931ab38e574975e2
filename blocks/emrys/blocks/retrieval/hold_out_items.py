"""Random hold-out of items of a history, as training targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.schema.functions import number_of_ids, select_targets


@keras.saving.register_keras_serializable("emrys")
class HoldOutItems(Block):
    """Holds out random items of each history as targets, drawn again for each batch.

    Use it as `fit(pre=...)` of a model that scores all items, with one row for each user. In contrast to next-item
    targets, each epoch trains on a different split of each history.
    If a history holds each item once, a target is never among the inputs.

    Args:
        schema: The columns, the history among them: a list of ids.
        column: Name of the history. Default: the list that is tagged ITEM_ID.
        share: Probability of an item to be held out. Default: 0.5.
        target: Name of the created target. Default: that of the history.

    Input shape:
        Dictionary of features with the history, ragged (B, None).

    Output shape:
        A `Prediction` of the features, with the rest of the history, and of targets (B, N): 1 for held-out items and 0
        for all others.

    Raises:
        SchemaError: if there is not exactly one such list, or it has no domain.
        ConfigError: if the share is not between 0 and 1; when called, if the history is not ragged.

    Reference:
        Wu, DuBois, Zheng, Ester. Collaborative Denoising Auto-Encoders for Top-N Recommender Systems. WSDM 2016.
        Liang, Krishnan, Hoffman, Jebara. Variational Autoencoders for Collaborative Filtering. WWW 2018.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema, Tags
        >>> column = mm.create_categorical_column("items", 9, tags=[Tags.ITEM_ID], min_value_count=0)
        >>> outputs = mm.HoldOutItems(Schema([column]))({"items": tf.ragged.constant([[3, 5, 7], [2]])})
        >>> outputs.targets["items"].shape.as_list()
        [2, 10]
    """

    def __init__(
        self, schema: Schema, column: str | None = None, share: float = 0.5, target: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 < share < 1:
            raise ConfigError("HoldOutItems: share", expected="a number between 0 and 1", got=repr(share))
        lists = schema.excluding_by_name(select_targets(schema).column_names)
        matches = [each for each in lists if each.name == column or (column is None and _is_history(each))]
        if len(matches) != 1:
            raise SchemaError(
                "HoldOutItems: the schema must contain the history",
                expected="one list tagged ITEM_ID" if column is None else f"the column {column!r}",
                got=", ".join(each.name for each in matches) or f"none among {', '.join(schema.column_names)}",
                fix="Pass its name as column=.",
            )
        self._schema = Schema(matches)
        self.column = str(matches[0].name)
        self.number = number_of_ids(matches[0])
        self.share = share
        self.target = target or self.column

    @property
    def schema(self) -> Schema:
        """The column of the history."""
        return self._schema

    def call(self, inputs: dict[str, Any], targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None) -> Prediction:
        """Draws the held-out items."""
        history = inputs[self.column]
        if not isinstance(history, tf.RaggedTensor):
            raise ConfigError(f"{self.name}: {self.column}", expected="lists, ragged (B, None)", got="a dense tensor")
        ids, rows = tf.reshape(history.values, (-1,)), history.value_rowids()
        held_out = tf.random.uniform(tf.shape(ids)) < self.share
        indices = tf.stack([rows, tf.cast(ids, rows.dtype)], 1)
        shape = tf.stack([history.nrows(), tf.constant(self.number, rows.dtype)])
        target = tf.minimum(tf.scatter_nd(indices, tf.cast(held_out, "float32"), shape), 1.0)
        target = tf.ensure_shape(target, (None, self.number))
        rest = tf.ragged.boolean_mask(history, history.with_values(tf.reshape(~held_out, tf.shape(history.values))))
        return Prediction({**inputs, self.column: rest}, {**(targets or {}), self.target: target})

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shapes of the features."""
        return as_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "schema": to_config(self._schema),
            "column": self.column,
            "share": self.share,
            "target": self.target,
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> HoldOutItems:
        """Creates the block from `get_config`."""
        return cls(**from_config(config))


def _is_history(column: ColumnSchema) -> bool:
    return bool(column.is_list) and len(Schema([column]).select_by_tag(Tags.ITEM_ID)) == 1
