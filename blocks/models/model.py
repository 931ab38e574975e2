"""A trainable model made of blocks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
from merlin.schema import Schema
from typing_extensions import Self

from blocks.core.block import Block
from blocks.core.calling import Shape, as_shape, build_layer, call_layer
from blocks.core.parallel import ParallelBlock
from blocks.core.serializing import from_config, to_config
from blocks.errors import ConfigError
from blocks.inputs.prepare import prepare, prepared_shape
from blocks.models.batches import batches
from blocks.models.judging import Judge
from blocks.models.tying import tied_blocks, tied_tables
from blocks.outputs.model_output import ModelOutput


@dataclass(frozen=True)
class _Told:
    """What blocks are told in a step; an object of its own, since Keras takes what a model's dictionaries hold."""

    targets: Any = None
    testing: bool = False


@keras.saving.register_keras_serializable("emrys")
class Model(keras.Model):
    """Blocks one after the other, the last of which is an output or several.

    `fit`, `evaluate` and `predict` are those of Keras; they take a `Loader`, a `merlin.io.Dataset` or a folder of
    Parquet besides. What the outputs are compared by is theirs to say, unless `compile` names a loss or metrics.

    Args:
        *blocks: The blocks, from the inputs to the outputs.
        pre: Layer before all blocks. Default: none.
        post: Layer behind the last one. Default: none.
        schema: The columns of a batch. Default: those that the blocks say they read.
        prep_features: Whether scalars may come as (B,) and lists as two tensors, `<name>__values` and
            `<name>__offsets`. Default: True.
        name: Name of the model.

    Input shape:
        Dictionary of tensors by feature name, see `blocks`.

    Output shape:
        What the output gives, (B, 1) for a binary one; a dictionary by output name where there are several.

    Raises:
        ConfigError: if something else than layers is given.
    """

    def __init__(
        self,
        *blocks: keras.layers.Layer,
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
        self.blocks = list(blocks)
        self.pre = pre
        self.post = post
        self.prep_features = prep_features
        self._schema = schema
        self._judge: Judge | None = None
        self._told = _Told()
        self._metrics_steps = 1
        if schema is not None:
            for block in self._chain():
                if isinstance(block, Block):
                    block.set_schema(schema)

    @property
    def schema(self) -> Schema | None:
        """The columns of a batch: those given, else those that the blocks read."""
        if self._schema is not None:
            return self._schema
        found = (getattr(block, "schema", None) for block in self._chain())
        return next((schema for schema in found if schema is not None), None)

    @property
    def input_schema(self) -> Schema | None:
        """The columns that the model reads, targets left out."""
        schema = self.schema
        return None if schema is None else schema.excluding_by_name([output.target for output in self.model_outputs])

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

    def _chain(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.pre, *self.blocks, self.post) if layer is not None]

    def build(self, input_shape: Shape) -> None:
        """Builds all blocks for a batch of `input_shape`."""
        shape = prepared_shape(input_shape) if self.prep_features else as_shape(input_shape)
        for layer in self._chain():
            shape = build_layer(layer, shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, testing: bool | None = None) -> Any:
        """Runs a batch through the blocks; `evaluate` does so with `testing`."""
        features = self._prepared(inputs)
        outputs = features
        told = {
            "training": training,
            "testing": testing or self._told.testing or None,
            "features": features,
            "targets": self._told.targets,
        }
        for layer in self._chain():
            outputs = call_layer(layer, outputs, **told)
        return outputs

    def _prepared(self, inputs: Any) -> Any:
        return prepare(inputs) if self.prep_features else inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the predictions."""
        shape = prepared_shape(input_shape) if self.prep_features else as_shape(input_shape)
        for layer in self._chain():
            shape = as_shape(layer.compute_output_shape(shape))
        return shape

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """Says how the model is trained.

        Args:
            optimizer: Optimizer, or its name. Default: `"rmsprop"`.
            loss: One loss, or a dictionary by output or target. Default: what the outputs say.
            metrics: A list, or a dictionary by output or target. Default: what the outputs say.
            loss_weights: Weights of the losses by output or target. Default: 1.
            weighted_metrics: Metrics that take the sample weights.
            **kwargs: The other arguments of `keras.Model.compile`.
        """
        super().compile(optimizer=optimizer, **kwargs)
        self._compile_options = kwargs
        self._judge = Judge(
            self.model_outputs,
            loss=loss,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            loss_weights=loss_weights,
        )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All metrics that training and evaluation report."""
        return super().metrics + ([] if self._judge is None else self._judge.metrics)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch, regularisation included."""
        return self._judging().loss(y, y_pred, sample_weight, self._prepared(x), self.losses)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Updates the metrics with a batch and gives their values."""
        steps = 1 if self._told.testing else self._metrics_steps
        self._judging().update_every(steps, y, y_pred, sample_weight, self._prepared(x))
        return self.get_metrics_result()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Trains on a batch, with blocks told its targets: negatives are drawn beside them."""
        with self._telling(data, testing=False):
            return super().train_step(data)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Judges a batch, with blocks told its targets and that it is `testing`: they may differ from serving there."""
        with self._telling(data, testing=True):
            return super().test_step(data)

    @contextlib.contextmanager
    def _telling(self, data: Any, testing: bool) -> Iterator[None]:
        """What `call` tells the blocks besides the features, for the length of a step."""
        _, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        self._told = _Told(targets, testing)
        try:
            yield
        finally:
            self._told = _Told()

    def _judging(self) -> Judge:
        if self._judge is None:
            raise ConfigError("the model is not compiled", fix="Call compile() first.")
        return self._judge

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        train_metrics_steps: int = 1,
        **kwargs: Any,
    ) -> Any:
        """Trains the model: `keras.Model.fit` on a `Loader`, a `Dataset`, Parquet files or what Keras takes.

        Args:
            x: The data, see `blocks.models.batches`.
            y: Targets, where `x` holds the features alone.
            batch_size: Rows of a batch, for what is not batched yet.
            train_metrics_steps: Metrics of training are computed for the first batch of an epoch and every so many
                batches after it; 0 for never. The loss is that of all batches. Default: 1.
            **kwargs: The other arguments of `keras.Model.fit`.

        Returns:
            The history of losses and metrics.
        """
        if not isinstance(train_metrics_steps, int) or train_metrics_steps < 0:
            raise ConfigError("fit: train_metrics_steps", expected="a number from 0", got=repr(train_metrics_steps))
        if train_metrics_steps != self._metrics_steps:
            self._metrics_steps = train_metrics_steps
            self.train_function = None  # the step is compiled with the number in it
        shuffle = kwargs.pop("shuffle", True)
        validation = kwargs.pop("validation_data", None)
        with contextlib.ExitStack() as sources:
            data = sources.enter_context(batches(x, y, batch_size=batch_size, schema=self.schema, shuffle=shuffle))
            if validation is not None:
                size = kwargs.pop("validation_batch_size", None) or batch_size
                kwargs["validation_data"] = sources.enter_context(
                    batches(validation, batch_size=size, schema=self.schema)
                )
            # The rows are shuffled by whoever makes the batches; Keras would only warn that it cannot.
            return super().fit(data, shuffle=False, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Judges the model: `keras.Model.evaluate`, on what `fit` takes."""
        with batches(x, y, batch_size=batch_size, schema=self.schema) as data:
            return super().evaluate(data, **kwargs)

    def predict(self, x: Any, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Predicts for every row: `keras.Model.predict`, on what `fit` takes."""
        with batches(x, batch_size=batch_size, schema=self.schema) as data:
            return super().predict(data, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "name": self.name,
            "blocks": to_config(self.blocks),
            "pre": to_config(self.pre),
            "post": to_config(self.post),
            "schema": to_config(self._schema),
            "prep_features": self.prep_features,
            "tied_tables": tied_tables(self.blocks),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Makes the model from what `get_config` gave."""
        given = dict(config)
        blocks = tied_blocks(given.pop("blocks"), given.pop("tied_tables", {}))
        return cls(*blocks, **from_config(given))

    def get_compile_config(self) -> dict[str, Any]:
        """What `compile` was called with."""
        if not self.compiled:
            return {}
        arguments = {**self._judging().arguments, **self._compile_options}
        return {"optimizer": to_config(self.optimizer), **to_config(arguments)}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Calls `compile` with what `get_compile_config` gave."""
        self.compile(**from_config(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    @classmethod
    def load(cls, path: Any) -> Self:
        """Loads a model that `save` wrote, a `.keras` file.

        Args:
            path: The file.

        Returns:
            The model, compiled as it was, with its optimizer's state.
        """
        model = keras.saving.load_model(path)
        if not isinstance(model, cls):
            raise ConfigError(
                "the file holds another model", path=path, expected=cls.__name__, got=type(model).__name__
            )
        return model
