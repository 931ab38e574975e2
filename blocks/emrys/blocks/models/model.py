"""A trainable model made of blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
from merlin.schema import Schema

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, build_layers, call_layer, has_targets, shape_behind
from emrys.blocks.core.features import prepare, prepared_shape
from emrys.blocks.core.model_context import ModelContext
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.serializing import from_config, sharing, to_config
from emrys.blocks.core.traversal import shared_layers
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.models.batch_schema import BatchSchema
from emrys.blocks.models.freezing import Freezer, blocks_by_name
from emrys.blocks.models.freezing_model import FreezingModel
from emrys.blocks.models.item_tables import tie_items
from emrys.blocks.models.sample_inputs import sample_inputs
from emrys.blocks.models.saving_model import SavingModel
from emrys.blocks.models.told import follow
from emrys.blocks.outputs.model_output import ModelOutput
from emrys.blocks.outputs.resolve import as_outputs


@keras.saving.register_keras_serializable("emrys")
class Model(FreezingModel, SavingModel):
    """Blocks one after the other, the last of which is an output or several.

    `fit`, `evaluate` and `predict` are those of Keras; they take a `Loader`, a `merlin.io.Dataset` or a folder of
    Parquet besides. What the outputs are compared by is theirs to say, unless `compile` names a loss or metrics.

    Args:
        *blocks: The blocks, from the inputs to the outputs.
        context: What the blocks share by name. Default: none.
        pre: Layer before all blocks; it may change targets too, see `fit`. Default: none.
        post: Layer behind the last one. Default: none.
        schema: The columns of a batch, which batches are held against. Default: those that the blocks say they read.
        prep_features: Whether scalars may come as (B,) and lists as two tensors, `<name>__values` and
            `<name>__offsets`. Default: True.
        name: Name of the model.

    Input shape:
        Dictionary of tensors by feature name, see `blocks`.

    Output shape:
        What the output gives, (B, 1) for a binary one; a dictionary by output name where there are several.

    Raises:
        ConfigError: if something else than layers is given.
        SchemaError: if the schema has targets, but not that of an output; when called, if a batch lacks a column of
            the schema, or has one that the schema does not know.
    """

    def __init__(
        self,
        *blocks: keras.layers.Layer,
        context: ModelContext | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        schema: Schema | None = None,
        prep_features: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        for block in blocks:
            if not isinstance(block, keras.layers.Layer):
                raise ConfigError("Model takes blocks", expected="layers", got=type(block).__name__)
        if not blocks:
            raise ConfigError("Model has no blocks", expected="at least one")
        self.context = context
        self.blocks = list(blocks)
        self.pre = pre
        self.post = post
        self.prep_features = prep_features
        self._schema = schema
        self._batch_schema = None if schema is None else BatchSchema(self.name, schema, self.model_outputs)
        self._freezer = Freezer(self._chain())
        tie_items(self._chain())
        for block in self._chain():
            if isinstance(block, Block) and schema is not None:
                block.set_schema(schema)
            if isinstance(block, Block) and context is not None:
                block.set_context(context)

    @classmethod
    def from_block(
        cls,
        block: keras.layers.Layer,
        schema: Schema,
        input_block: keras.layers.Layer | None = None,
        prediction_tasks: Any = None,
        aggregation: Any = "concat",
        **kwargs: Any,
    ) -> Self:
        """Makes a model of a block, with inputs before it and outputs behind it.

        Args:
            block: What stands between them.
            schema: The features and, where `prediction_tasks` is not given, the targets.
            input_block: The inputs. Default: an `InputBlockV2` of the features.
            prediction_tasks: An output or a task, a list of them, or a block of several. Default: those that the
                schema's targets ask for.
            aggregation: How the inputs become one tensor. Default: `"concat"`.
            **kwargs: The other arguments of `InputBlockV2`.

        Returns:
            The model, to be compiled.

        Raises:
            SchemaError: if there is neither an output nor a target in the schema.
        """
        outputs = as_outputs(prediction_tasks, schema)
        named = Model(outputs).model_outputs
        features = schema.excluding_by_name([output.target for output in named])
        inputs = InputBlockV2(features, aggregation=aggregation, **kwargs) if input_block is None else input_block
        return cls(inputs, block, outputs)

    @property
    def schema(self) -> Schema | None:
        """The columns of a batch: those given, else those that the blocks read."""
        if self._schema is not None:
            return self._schema
        found = (getattr(block, "schema", None) for block in self._chain())
        return next((schema for schema in found if schema is not None), None)

    @property
    def model_outputs(self) -> list[ModelOutput]:
        """The outputs."""
        last = self.blocks[-1]
        inner = last.parallel_values if isinstance(last, ParallelBlock) else [getattr(last, "last", last)]
        return [output for output in inner if isinstance(output, ModelOutput)]

    @property
    def first(self) -> keras.layers.Layer:
        """The first block."""
        return self.blocks[0]

    @property
    def last(self) -> keras.layers.Layer:
        """The last block."""
        return self.blocks[-1]

    def get_blocks_by_name(self, block_names: str | Sequence[str]) -> list[keras.layers.Layer]:
        """The blocks, at any depth, with these names.

        Args:
            block_names: Names of layers, or task names of outputs.

        Raises:
            ConfigError: if there is none of a name.
        """
        return blocks_by_name(self._chain(), block_names)

    def get_sample_inputs(self, batch_size: int | None = None) -> dict[str, Any]:
        """A random batch that fits the schema.

        Args:
            batch_size: Number of rows, B. Default: 2.

        Returns:
            Features by name: scalars (B, 1), lists ragged (B, None).

        Raises:
            SchemaError: if the model knows no schema.
        """
        schema = self.input_schema
        if schema is None:
            raise SchemaError(f"{self.name} knows no schema", fix="Give Model(..., schema=) the columns of a batch.")
        return sample_inputs(schema, 2 if batch_size is None else batch_size)

    def _chain(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.pre, *self.blocks, self.post) if layer is not None]

    def usual_loss_weights(self) -> Mapping[str, float] | None:
        """The weights that the last block gives its outputs' losses, if it does."""
        return getattr(self.last, "loss_weights", None) or None

    def prepared(self, features: Any) -> Any:
        """The features in the form that blocks take."""
        return prepare(features) if self.prep_features else features

    def build(self, input_shape: Shape) -> None:
        """Builds all blocks for a batch of `input_shape`."""
        shape = prepared_shape(input_shape) if self.prep_features else input_shape
        build_layers(self._chain(), shape)
        self._freezer.apply()
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, testing: bool | None = None) -> Any:
        """Runs a batch through the blocks; `evaluate` does so with `testing`."""
        features = self.prepared(inputs)
        if self._batch_schema is not None and self._ahead.layer is None:
            self._batch_schema.check(features)
        testing = testing or self._told.testing or None
        told = {"training": training, "testing": testing, "features": features, "targets": self._told.targets}
        outputs, weights = features, None
        *before, last = self._chain()
        for layer in before:
            outputs = call_layer(layer, outputs, **told)
            if has_targets(outputs):
                outputs = Prediction(*outputs)
            if isinstance(outputs, Prediction):
                told, weights = follow(outputs, told), outputs.sample_weight
                outputs = outputs.outputs
        outputs = call_layer(last, outputs, **told)
        return outputs if weights is None else self._weighted(outputs, weights)

    def _weighted(self, outputs: Any, weights: Any) -> Any:
        """The outputs with the weights that a layer before them gave the rows."""
        for output in self.model_outputs:
            found = outputs.get(output.task_name) if isinstance(outputs, Mapping) else outputs
            if not isinstance(found, Prediction):
                continue
            found = output.weighted(found, weights)
            outputs = {**outputs, output.task_name: found} if isinstance(outputs, Mapping) else found
        return outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the predictions."""
        shape = prepared_shape(input_shape) if self.prep_features else input_shape
        return shape_behind(self._chain(), shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        with sharing(shared_layers(self._chain())):
            return {
                "name": self.name,
                "context": to_config(self.context),
                "blocks": to_config(self.blocks),
                "pre": to_config(self.pre),
                "post": to_config(self.post),
                "schema": to_config(self._schema),
                "prep_features": self.prep_features,
                "frozen": self._freezer.numbers,
            }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Makes the model from what `get_config` gave."""
        given = dict(config)
        frozen = given.pop("frozen", [])
        with sharing():
            found = from_config(given)
        model = cls(*found.pop("blocks"), **found)
        model._freezer.freeze_numbers(frozen)
        return model
