"""Telling a part of a user's items from the others."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.schema.functions import number_of_ids, select_targets


@keras.saving.register_keras_serializable("emrys")
class HoldOutItems(Block):
    """Holds items of every history out at random, anew for each batch; the model learns to tell them from the others.

    It is used as `fit(pre=...)` of a model that scores all items, with one row for each user. Unlike with the next item
    as target, a model learns from each user with as many different histories as there are epochs, and it cannot learn
    that an item goes with itself.

    Args:
        schema: The columns, the history among them: a list of ids.
        column: Name of the history. Default: the list that is tagged ITEM_ID.
        share: Probability of an item to be held out. Default: 0.5.
        target: Name of the target that is made. Default: that of the history.

    Input shape:
        Dictionary of features with the history, ragged (B, None).

    Output shape:
        A `Prediction`: the features, with what is left of the history, and the targets, 1 for each item held out and 0
        for all others, (B, N).

    Raises:
        SchemaError: if there is not one such list, or it has no domain.
        ConfigError: if the share is not between 0 and 1; when called, if the history is not ragged.

    Reference:
        Wu, DuBois, Zheng, Ester. Collaborative Denoising Auto-Encoders for Top-N Recommender Systems. WSDM 2016.
        Liang, Krishnan, Hoffman, Jebara. Variational Autoencoders for Collaborative Filtering. WWW 2018.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema, Tags
        >>> column = mm.create_categorical_column("items", 9, tags=[Tags.ITEM_ID], min_value_count=0)
        >>> found = mm.HoldOutItems(Schema([column]))({"items": tf.ragged.constant([[3, 5, 7], [2]])})
        >>> found.targets["items"].shape.as_list()
        [2, 10]
    """

    def __init__(
        self, schema: Schema, column: str | None = None, share: float = 0.5, target: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 < share < 1:
            raise ConfigError("HoldOutItems: share", expected="a number between 0 and 1", got=repr(share))
        lists = schema.excluding_by_name(select_targets(schema).column_names)
        named = [each for each in lists if each.name == column or (column is None and _is_history(each))]
        if len(named) != 1:
            raise SchemaError(
                "HoldOutItems looks for the history",
                expected="one list tagged ITEM_ID" if column is None else f"the column {column!r}",
                got=", ".join(each.name for each in named) or f"none among {', '.join(schema.column_names)}",
                fix="Name it as column=.",
            )
        self._schema = Schema(named)
        self.column = str(named[0].name)
        self.number = number_of_ids(named[0])
        self.share = share
        self.target = target or self.column

    @property
    def schema(self) -> Schema:
        """The history."""
        return self._schema

    def call(self, inputs: dict[str, Any], targets: Any = None) -> Prediction:
        """Draws the items."""
        history = inputs[self.column]
        if not isinstance(history, tf.RaggedTensor):
            raise ConfigError(f"{self.name}: {self.column}", expected="lists, ragged (B, None)", got="a dense tensor")
        ids, rows = tf.reshape(history.values, (-1,)), history.value_rowids()
        held = tf.random.uniform(tf.shape(ids)) < self.share
        places = tf.stack([rows, tf.cast(ids, rows.dtype)], 1)
        shape = tf.stack([history.nrows(), tf.constant(self.number, rows.dtype)])
        ones = tf.cast(held, "float32")
        right = tf.minimum(tf.scatter_nd(places, ones, shape), 1.0)
        right = tf.ensure_shape(right, (None, self.number))
        left = tf.ragged.boolean_mask(history, history.with_values(tf.reshape(~held, tf.shape(history.values))))
        return Prediction({**inputs, self.column: left}, {**(targets or {}), self.target: right})

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
    def from_config(cls, config: dict[str, Any]) -> HoldOutItems:
        """Makes the block from what `get_config` gave."""
        return cls(**from_config(config))


def _is_history(column: Any) -> bool:
    return bool(column.is_list) and len(Schema([column]).select_by_tag(Tags.ITEM_ID)) == 1
