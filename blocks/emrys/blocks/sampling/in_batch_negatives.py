"""In-batch negatives as additional rows, for models that score pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.features import prepare, prepared_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError


@keras.saving.register_keras_serializable("emrys")
class InBatchNegatives(Block):
    """Adds negative rows to a batch of positives: the user of a row with items of other rows, with target 0.

    It is for models that score one pair at a time on data with positives only. All columns of an item (tagged ITEM)
    come from one row. Draws of the positive's own item are dropped, so that there are at most `n_per_positive`
    negatives per positive.

    Use it as the `pre` of a `Model`; in `fit` and `evaluate` the other blocks get the longer batch.

    Args:
        schema: Schema with the column tagged ITEM_ID and those tagged ITEM.
        n_per_positive: Number of negatives drawn for each row.
        seed: Seed of the draws. Default: random.
        run_when_testing: Whether to add negatives in evaluation too. Default: True.
        prep_features: Whether to accept scalars as (B,) and lists as two tensors. Default: False.

    Input shape:
        Dictionary of features, and `targets`: one tensor (B, 1), or several in a dictionary, list or tuple.

    Output shape:
        `Prediction` with features and targets of B + (at most B · n_per_positive) rows, in training and testing;
        otherwise a tuple of both. Without targets, a `Prediction` of the unchanged features.

    Raises:
        SchemaError: if the schema does not have exactly one column tagged ITEM_ID.
        ConfigError: if `n_per_positive` is below 1; when called, if the ids are missing.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema, Tags
        >>> schema = Schema([mm.create_categorical_column("item", 9, tags=[Tags.ITEM_ID, Tags.ITEM])])
        >>> add = mm.InBatchNegatives(schema, n_per_positive=1, seed=0)
        >>> batch = {"item": np.array([[4], [4]])}
        >>> add(batch, targets=np.ones((2, 1)), training=True).targets.numpy().tolist()
        [[1.0], [1.0]]
    """

    def __init__(
        self,
        schema: Schema,
        n_per_positive: int,
        seed: int | None = None,
        run_when_testing: bool = True,
        prep_features: bool = False,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        ids = schema.select_by_tag(Tags.ITEM_ID).column_names
        if len(ids) != 1:
            raise SchemaError(
                "InBatchNegatives: schema", expected="one column tagged ITEM_ID", got=", ".join(ids) or "none"
            )
        if n_per_positive < 1:
            raise ConfigError("InBatchNegatives: n_per_positive", expected="a number from 1", got=str(n_per_positive))
        self._schema = schema
        self.item_id = str(ids[0])
        self.item_columns = {self.item_id, *schema.select_by_tag(Tags.ITEM).column_names}
        self.n_per_positive = n_per_positive
        self.seed = seed
        self.run_when_testing = run_when_testing
        self.prep_features = prep_features
        self._random = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # the number of rows varies
        self.built = True

    def call(
        self,
        inputs: Mapping[str, tf.Tensor],
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        training: bool | None = None,
        testing: bool | None = None,
    ) -> Any:
        """Adds the negative rows."""
        if self.prep_features:
            inputs = prepare(inputs)
        if targets is not None and not (testing and not self.run_when_testing):
            inputs, targets = self._extended(inputs, targets)
        return Prediction(inputs, targets) if training or testing or targets is None else (inputs, targets)

    def _extended(self, features: Any, targets: Any) -> tuple[Any, Any]:
        if self.item_id not in features:
            raise ConfigError(f"{self.name} needs the item ids", column=self.item_id, got=", ".join(features) or "none")
        ids = tf.reshape(tf.convert_to_tensor(features[self.item_id]), (-1,))
        rows = tf.size(ids)
        users = tf.repeat(tf.range(rows), self.n_per_positive)
        items = keras.random.randint(tf.shape(users), 0, rows, dtype="int32", seed=self._random)
        different = tf.not_equal(tf.gather(ids, users), tf.gather(ids, items))
        users, items = tf.boolean_mask(users, different), tf.boolean_mask(items, different)
        longer = {
            name: tf.concat([values, tf.gather(values, items if name in self.item_columns else users)], axis=0)
            for name, values in features.items()
        }
        added = tf.size(users)
        return longer, tf.nest.map_structure(lambda target: _with_zeros(target, added), targets)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shapes of the features, with an unknown number of rows."""
        shapes = prepared_shape(input_shape) if self.prep_features else as_shape(input_shape)
        return {name: (None, *shape[1:]) for name, shape in shapes.items()}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "schema": to_config(self._schema),
            "n_per_positive": self.n_per_positive,
            "seed": self.seed,
            "run_when_testing": self.run_when_testing,
            "prep_features": self.prep_features,
        }


def _with_zeros(target: Any, added: Any) -> Any:
    target = tf.convert_to_tensor(target)
    zeros = tf.zeros(tf.concat([[added], tf.shape(target)[1:]], axis=0), target.dtype)
    return tf.concat([target, zeros], axis=0)
