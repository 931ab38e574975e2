"""`Model`: the trainable model of this library."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, StepContext, as_shape, build_layers, call_layer, has_targets, shape_behind
from emrys.blocks.core.features import BatchSchema, prepare, prepared_shape
from emrys.blocks.core.gather import distinct_rows, use_gather_nd
from emrys.blocks.core.model_context import ModelContext
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.serializing import from_config, sharing, to_config
from emrys.blocks.core.traversal import layers_inside, shared_layers
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.embedding_table import embedding_tables
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.loader import Loader
from emrys.blocks.models.compiled_metrics import CompiledLossAndMetrics, MetricsArgument
from emrys.blocks.models.export import save_serving
from emrys.blocks.models.fit_data import (
    BatchTransform,
    Data,
    all_rows,
    batches,
    is_read,
    split_validation,
    transforms_of,
    with_class_weights,
)
from emrys.blocks.models.freezing import Freezer, blocks_by_name
from emrys.blocks.models.sample_inputs import sample_inputs
from emrys.blocks.models.saving import load_model, save_model
from emrys.blocks.optimizers.get_optimizer import chosen_optimizer
from emrys.blocks.outputs.items_prediction_weight_tying import ItemsPredictionWeightTying
from emrys.blocks.outputs.model_output import ModelOutput, OutputsArgument
from emrys.blocks.outputs.resolve import resolve_outputs
from emrys.blocks.schema.functions import select_targets
from emrys.blocks.sequences.sequence_transform import SequenceTransform

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class Model(keras.Model):
    """A chain of blocks that ends with one output or several in parallel.

    `fit`, `evaluate` and `predict` are those of Keras; they also take a `Loader`, a `merlin.io.Dataset` or a folder of
    Parquet files. Losses and metrics are those of the outputs, unless `compile` gets others.

    A training step is `train_step`: the forward pass (`call`), the loss of every output (`compute_loss`), the gradients
    and the metrics (`compute_metrics`). Data preparation is in `fit_data`, losses and metrics in `compiled_metrics`,
    frozen blocks in `freezing`, files in `saving`.

    A subclass may implement `call` instead of passing blocks: its layers are attributes, and what `call` returns is
    compared with the targets of the outputs among them. Without an output, `compile` takes a loss and metrics as in
    Keras.

    Args:
        *blocks: The blocks, from the inputs to the outputs.
        context: Embedding tables and variables that the blocks share. Default: none.
        pre: Layer before all blocks; it may change targets too, see `fit`. Default: none.
        post: Layer after the last one. Default: none.
        schema: The columns of a batch that the blocks get; further ones are ignored. Default: all.
        prep_features: Whether scalars may come as (B,) and lists as two tensors, `<name>__values` and
            `<name>__offsets`. Default: True.
        name: Name of the model.

    Input shape:
        Dictionary of tensors by feature name, see `blocks`.

    Output shape:
        The shape of the output, (B, 1) for a binary one; a dictionary by output name for several outputs.

    Raises:
        ConfigError: if a block is not a layer.
        SchemaError: if the schema has targets, but not that of an output; when called, if a batch lacks a column of
            the schema.
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
        **kwargs: object,
    ) -> None:
        super().__init__(name=name, **kwargs)
        for block in blocks:
            if not isinstance(block, keras.layers.Layer):
                raise ConfigError("Model takes blocks", expected="layers", got=type(block).__name__)
        if not blocks and type(self).call is Model.call:
            raise ConfigError("Model has no blocks", expected="at least one")
        self.context = context
        self.blocks = list(blocks)
        self.pre = pre
        self.post = post
        self.prep_features = prep_features
        self._schema = schema
        self._batch_schema = (
            None
            if schema is None
            else BatchSchema(self.name, schema, {output.task_name: output.target for output in self.model_outputs})
        )
        self._frozen_layers: Freezer | None = None
        self._compiled: CompiledLossAndMetrics | None = None
        self._batch_transform: BatchTransform | None = None
        self._train_metrics_steps = 1
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
        prediction_tasks: OutputsArgument = None,
        aggregation: str | keras.layers.Layer | None = "concat",
        **kwargs: Unpack[BlockArguments],
    ) -> Self:
        """Creates a model with a block between its inputs and outputs.

        Args:
            block: The layers between inputs and outputs.
            schema: The features and, without `prediction_tasks`, the targets.
            input_block: The inputs. Default: an `InputBlockV2` of the features.
            prediction_tasks: An output or a task, a list of them, or a block of several. Default: those that the
                schema's targets ask for.
            aggregation: Aggregation of the inputs to one tensor. Default: `"concat"`.
            **kwargs: The other arguments of `InputBlockV2`.

        Returns:
            The model, to be compiled.

        Raises:
            SchemaError: if there is neither an output nor a target in the schema.
        """
        outputs = resolve_outputs(prediction_tasks, schema)
        model_outputs = Model(outputs).model_outputs
        targets = [name for name in (output.target for output in model_outputs) if name in schema.column_names]
        # The item ids of a session are input and target at once.
        features = schema.excluding_by_name([name for name in targets if not schema[name].is_list])
        inputs = InputBlockV2(features, aggregation=aggregation, **kwargs) if input_block is None else input_block
        return cls(inputs, block, outputs)

    @property
    def schema(self) -> Schema | None:
        """The schema of the constructor; without one, the columns that the blocks read."""
        if self._schema is not None:
            return self._schema
        schemas = (getattr(block, "schema", None) for block in self._parts())
        known = (schema for schema in schemas if schema is not None)
        if self.blocks:
            return next(known, None)
        columns = {column.name: column for schema in known for column in schema}
        return Schema(list(columns.values())) if columns else None

    @property
    def model_outputs(self) -> list[ModelOutput]:
        """The outputs of the model."""
        if not self.blocks:
            return [layer for layer in layers_inside(self._parts()) if isinstance(layer, ModelOutput)]
        last = self.last
        inner = last.parallel_values if isinstance(last, ParallelBlock) else [getattr(last, "last", last)]
        return [output for output in inner if isinstance(output, ModelOutput)]

    @property
    def input_schema(self) -> Schema | None:
        """The columns that the model reads.

        A target is one of them only if it is not tagged as a target and the blocks read it: the item ids of a session
        are input and target at once.
        """
        schema = self.schema
        if schema is None:
            return None
        targets = [output.target for output in self.model_outputs if output.target in schema.column_names]
        if not targets:
            return schema
        parts = self._parts()[:-1] if self.blocks else self._parts()
        schemas = (getattr(block, "schema", None) for block in parts)
        read = {name for each in schemas if each is not None for name in each.column_names}
        if read.intersection(targets):
            read -= set(select_targets(schema).column_names)
        return schema.excluding_by_name([target for target in targets if target not in read])

    @property
    def prediction_tasks(self) -> list[ModelOutput]:
        """The outputs that are tasks of the first generation."""
        return [output for output in self.model_outputs if output.first_generation]

    def prediction_tasks_by_name(self) -> dict[str, ModelOutput]:
        """Returns the tasks by task name."""
        return {task.task_name: task for task in self.prediction_tasks}

    def prediction_tasks_by_target(self) -> dict[str | None, Any]:
        """Returns the tasks by target; a list if several have the same target."""
        return _by_target(self.prediction_tasks)

    def outputs_by_name(self) -> dict[str, ModelOutput]:
        """Returns the outputs by task name, without the tasks of the first generation."""
        return {output.task_name: output for output in self._second_generation()}

    def outputs_by_target(self) -> dict[str | None, Any]:
        """Returns the outputs by target; a list if several have the same target."""
        return _by_target(self._second_generation())

    def _second_generation(self) -> list[ModelOutput]:
        return [output for output in self.model_outputs if not output.first_generation]

    @property
    def first(self) -> keras.layers.Layer | None:
        """The first block."""
        return next(iter(self.blocks), None)

    @property
    def last(self) -> keras.layers.Layer | None:
        """The last block."""
        return self.blocks[-1] if self.blocks else None

    def get_blocks_by_name(self, block_names: str | Sequence[str]) -> list[keras.layers.Layer]:
        """Returns the blocks, at any depth, with these names.

        Args:
            block_names: Names of layers, or task names of outputs.

        Raises:
            ConfigError: if there is none of a name.
        """
        return blocks_by_name(self._parts(), block_names)

    def get_sample_inputs(self, batch_size: int | None = None) -> dict[str, Any]:
        """Returns a random batch that fits the schema.

        Args:
            batch_size: Number of rows, B. Default: 2.

        Returns:
            Features by name: scalars (B, 1), lists ragged (B, None).

        Raises:
            SchemaError: if the model has no schema.
        """
        schema = self.input_schema
        if schema is None:
            raise SchemaError(f"{self.name} knows no schema", fix="Give Model(..., schema=) the columns of a batch.")
        return sample_inputs(schema, 2 if batch_size is None else batch_size)

    def _chain(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.pre, *self.blocks, self.post) if layer is not None]

    def _parts(self) -> list[keras.layers.Layer]:
        """The chain or, in a subclass with a `call` of its own, its layers."""
        return self._chain() or list(self.layers)

    def build(self, input_shape: Shape) -> None:
        """Builds all blocks for a batch of `input_shape`."""
        for output in self.model_outputs:
            for layer in (output.to_call, *getattr(output.to_call, "layers", ())):
                if isinstance(layer, ItemsPredictionWeightTying):
                    layer.tie(embedding_tables(self._parts()))
        shape = prepared_shape(input_shape) if self.prep_features else input_shape
        if self._batch_schema is not None and self._batch_transform is None:
            shape = self._batch_schema.select(shape)
        build_layers(self._chain(), shape)
        if self._frozen_layers is not None:
            self._frozen_layers.apply()
        self.built = True

    def build_from_config(self, config: dict[str, object]) -> None:
        """Builds a loaded model; one with a `call` of its own by a call on random features."""
        if self.blocks:
            super().build_from_config(config)
            return
        shapes = as_shape(config["input_shape"])
        if not isinstance(shapes, dict):
            self(tf.zeros([size or 2 for size in shapes]))
            return
        columns = {} if self.input_schema is None else self.get_sample_inputs()
        self({name: columns.get(name, tf.zeros([size or 2 for size in shape])) for name, shape in shapes.items()})

    def prepared(self, features: Mapping[str, tf.Tensor] | None) -> Any:
        """Returns the features in the form that blocks take."""
        return prepare(features) if self.prep_features else features

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        context: StepContext | None = None,
    ) -> Any:
        """Runs a batch through the blocks.

        Args:
            inputs: Features by name.
            training: Whether it is a training step.
            testing: Whether it is an evaluation step.
            targets: Targets by name, or the only one.
            context: The same as an object, from `train_step`, `test_step` and `predict_step`.

        Returns:
            The output, or a dictionary by output name. With targets, an output that changes or weighs them returns a
            `Prediction`; in a step, all outputs do.
        """
        context = StepContext() if context is None else context
        features = self.prepared(inputs)
        columns = features
        if self._batch_schema is not None and context.check_columns:
            self._batch_schema.check(features)
            columns = self._batch_schema.select(features)
        arguments = {
            "training": training,
            "testing": testing or context.testing or None,
            "features": features,
            "targets": context.targets if targets is None else targets,
        }
        outputs, weights = columns, None
        *layers, last = self._chain()
        for layer in layers:
            outputs = call_layer(layer, outputs, **arguments)
            if has_targets(outputs):
                outputs = Prediction(*outputs)
            if isinstance(outputs, Prediction):  # transformed batch: its features and targets replace the others
                weights = outputs.sample_weight
                batch = outputs.outputs if isinstance(outputs.outputs, Mapping) else outputs.features
                if batch is not None:
                    arguments["features"] = batch
                    if outputs.targets is not None:
                        arguments["targets"] = outputs.targets
                outputs = outputs.outputs
        outputs = call_layer(last, outputs, **arguments)
        if weights is not None:
            return self._weighted(outputs, weights)
        return outputs if targets is None else self._without_given_targets(outputs)

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer | None = None,
        loss: str | keras.losses.Loss | Mapping[str, str | keras.losses.Loss] | None = None,
        metrics: MetricsArgument = None,
        loss_weights: Mapping[str, float] | None = None,
        weighted_metrics: MetricsArgument = None,
        run_eagerly: bool | None = None,
        steps_per_execution: int | None = None,
        jit_compile: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        """Configures training and evaluation.

        Args:
            optimizer: Optimizer, or its name; `"sgd"` and `"adagrad"` are the lazy ones. Default: `LazyAdam` for a
                model with embeddings (`"adam"` is the dense one, whose steps take longer the larger the tables are),
                RMSprop for others.
            loss: One loss, or a dictionary by output or target. Default: the losses of the outputs.
            metrics: A list, or a dictionary by output or target. Default: the metrics of the outputs.
            loss_weights: Weights of the losses by output or target. Default: those of a `ParallelPredictionBlock`,
                or else 1.
            weighted_metrics: Metrics that are computed with the sample weights.
            run_eagerly: Whether steps run without a graph. Default: False.
            steps_per_execution: Batches in one call of the graph. Default: 1.
            jit_compile: Whether XLA compiles the steps, `"auto"` to leave it to Keras. With ragged lists it compiles
                them again for each number of elements, and it drops the check of ids. Default: False.
            **kwargs: The other arguments of `keras.Model.compile`.

        Raises:
            ConfigError: if an argument has an unknown output, loss or metric.
        """
        options = {
            "run_eagerly": bool(run_eagerly),
            "steps_per_execution": steps_per_execution or 1,
            "jit_compile": False if jit_compile is None else jit_compile,
            **kwargs,
        }
        chosen = chosen_optimizer(optimizer, self, scale_loss=options.get("auto_scale_loss", True))
        self._compile_options = options
        arguments: dict[str, Any] = {
            "loss": loss,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "loss_weights": getattr(self.last, "loss_weights", None) or None if loss_weights is None else loss_weights,
        }
        self._compiled = CompiledLossAndMetrics(self.model_outputs, **arguments)
        super().compile(optimizer=chosen, **(arguments if self._compiled.by_keras else {}), **options)

    def train_step(self, data: tf.data.Dataset | keras.utils.PyDataset | tuple[object, ...]) -> dict[str, Any]:
        """Trains on a batch.

        Args:
            data: `(features, targets, sample weights)`, the last two optional.

        Returns:
            The values of loss and metrics by name.
        """
        features, targets, weights = self._unpack(data, training=True)
        with use_gather_nd(not self.jit_compile):
            with tf.GradientTape() as tape:
                outputs = self._step(features, targets, training=True)
                loss = self.compute_loss(features, targets, outputs, weights, training=True)
                scaled_loss = self.optimizer.scale_loss(loss)
            variables = self.trainable_weights
            if variables:
                gradients = distinct_rows(tape.gradient(scaled_loss, variables), self.optimizer)
                self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self._update_mean_loss(loss, features)
        compiled = self._compiled_parts
        if compiled.by_keras:
            return self.compute_metrics(features, targets, outputs, weights)
        compiled.update_every(self._train_metrics_steps, targets, outputs, weights, self.prepared(features))
        return self.get_metrics_result()

    def test_step(self, data: tf.data.Dataset | keras.utils.PyDataset | tuple[object, ...]) -> dict[str, Any]:
        """Evaluates a batch; blocks get its targets and `testing=True`."""
        features, targets, weights = self._unpack(data, testing=True)
        outputs = self._step(features, targets, testing=True)
        self._update_mean_loss(self.compute_loss(features, targets, outputs, weights, training=False), features)
        return self.compute_metrics(features, targets, outputs, weights)

    def predict_step(self, data: tf.data.Dataset | keras.utils.PyDataset | tuple[object, ...]) -> Any:
        """Predicts for a batch."""
        features, _, _ = self._unpack(data)
        return self._step(features)

    def _step(self, features: Any, targets: Any = None, training: bool = False, testing: bool = False) -> Any:
        """Calls the model on a batch, with the arguments that its `call` takes."""
        mode: dict[str, Any] = {"training": training}
        if self.blocks:
            mode["context"] = StepContext(targets, testing, check_columns=self._batch_transform is None)
        else:
            mode.update(testing=testing or None, targets=self._targets_by_name(targets))
        return call_layer(self, features, **mode)

    def _targets_by_name(self, targets: Any) -> _Targets | None:
        if targets is None or isinstance(targets, Mapping):
            return None if targets is None else _Targets(targets)
        names = [output.target or output.task_name for output in self.model_outputs]
        return _Targets({name: targets for name in names or ["target"]})

    def compute_loss(
        self,
        x: Any = None,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        y_pred: tf.Tensor | Mapping[str, tf.Tensor] | Prediction | None = None,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        training: bool = True,
    ) -> Any:
        """Returns the loss of a batch: the weighted sum of the outputs' losses, plus regularization."""
        if self._compiled_parts.by_keras:
            return super().compute_loss(x, _as_predicted(y, y_pred), y_pred, sample_weight, training)
        return self._compiled_parts.loss(y, y_pred, sample_weight, self.prepared(x), self.losses)

    def compute_metrics(
        self,
        x: Any,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None,
        y_pred: tf.Tensor | Mapping[str, tf.Tensor] | Prediction,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> dict[str, Any]:
        """Updates the metrics with a batch and returns their values."""
        if self._compiled_parts.by_keras:
            return super().compute_metrics(x, _as_predicted(y, y_pred), y_pred, sample_weight)
        self._compiled_parts.update(y, y_pred, sample_weight, self.prepared(x))
        return self.get_metrics_result()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All metrics that training and evaluation report, the mean loss first."""
        return super().metrics + ([] if self._compiled is None else self._compiled.metrics)

    def metrics_results(self) -> dict[str, Any]:
        """The values of all metrics by name."""
        return self.get_metrics_result()

    def _unpack(self, data: Any, **mode: bool) -> tuple[Any, Any, Any]:
        if self._batch_transform is not None:
            data = self._batch_transform(data, prepared=self.prepared, **mode)
        return keras.utils.unpack_x_y_sample_weight(data)

    def _update_mean_loss(self, loss: Any, features: Any) -> None:
        rows = tf.shape(next(tensor for tensor in keras.tree.flatten(features) if tensor is not None))[0]
        super().metrics[0].update_state(loss, sample_weight=rows)

    @property
    def _compiled_parts(self) -> CompiledLossAndMetrics:
        if self._compiled is None:
            raise ConfigError("the model is not compiled", fix="Call compile() first.")
        return self._compiled

    def fit(
        self,
        x: Data = None,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: list[keras.callbacks.Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Data = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        train_metrics_steps: int = 1,
        pre: keras.layers.Layer | None = None,
        **kwargs: object,
    ) -> Any:
        """Trains the model: `keras.Model.fit` on a `Loader`, a `Dataset`, Parquet files or what Keras takes.

        Args:
            x: The data, see `emrys.blocks.models.fit_data`.
            y: Targets, if `x` holds only the features.
            batch_size: Rows of a batch, for data that is not batched yet.
            epochs: Number of the last epoch.
            verbose: Verbosity: `"auto"`, 0, 1 or 2.
            callbacks: Callbacks of Keras.
            validation_split: Share of the rows, the last ones, to evaluate after each epoch, for data in memory.
            validation_data: Data to evaluate after each epoch, of any kind that `x` can be. It goes through `pre` too.
            shuffle: Whether rows are shuffled, for data that is not batched yet.
            class_weight: Weight of each class in the loss, for models with one target.
            sample_weight: Weights of the rows, for data in memory.
            initial_epoch: Number of the first epoch, from 0.
            steps_per_epoch: Batches of an epoch. Default: all.
            validation_steps: Number of batches to evaluate. Default: all.
            validation_batch_size: Rows of a batch of `validation_data`. Default: `batch_size`.
            validation_freq: Number of epochs between evaluations.
            train_metrics_steps: Number of batches between two updates of the training metrics, from the first batch of
                an epoch on; 0 for no updates. The loss is that of all batches. Default: 1.
            pre: Layer applied to batches before the model, which does not become a part of it: called with the
                features, `targets` and `training` (`testing`), it returns features, or a `Prediction` of features,
                targets and weights. Default: none.
            **kwargs: Further arguments of the `Loader` that reads a `Dataset` or files, such as `drop_last` or
                `transform`; they count for `validation_data` too.

        Returns:
            The history of losses and metrics.

        Raises:
            ConfigError: if an argument has an invalid value, or requires data in memory.
            DataError: if a file is damaged.
        """
        if not isinstance(train_metrics_steps, int) or train_metrics_steps < 0:
            raise ConfigError("fit: train_metrics_steps", expected="a number from 0", got=repr(train_metrics_steps))
        if train_metrics_steps != self._train_metrics_steps:
            self._train_metrics_steps = train_metrics_steps
            self._retrace()  # the compiled step contains the number
        if validation_split and validation_data is None:
            x, validation_data = split_validation(all_rows(x, y, sample_weight), validation_split)
            y = sample_weight = None
        validation: dict[str, Any] = {}
        with contextlib.ExitStack() as stack:
            options: dict[str, Any] = {"schema": self.schema, "pre": pre}
            data = stack.enter_context(
                batches(
                    x,
                    y,
                    sample_weight=sample_weight,
                    batch_size=batch_size,
                    shuffle=shuffle,
                    loader_options=kwargs,
                    **options,
                )
            )
            if class_weight is not None:
                data = with_class_weights(data, class_weight)
            if validation_data is not None:
                size = validation_batch_size or batch_size
                options["loader_options"] = kwargs if is_read(validation_data) else None
                validation["validation_data"] = stack.enter_context(
                    batches(validation_data, batch_size=size, **options)
                )
            for transform in self._sequence_transforms(pre, x, kwargs):
                transform.configure_for_train()
            stack.enter_context(self._transformed_by(pre, data))
            # Batches are shuffled already; Keras would only warn that it cannot shuffle them.
            return super().fit(
                data,
                shuffle=False,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                validation_freq=validation_freq,
                **validation,
            )

    def evaluate(
        self,
        x: Data = None,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        batch_size: int | None = None,
        verbose: str | int = 1,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        steps: int | None = None,
        callbacks: list[keras.callbacks.Callback] | None = None,
        return_dict: bool = False,
        pre: keras.layers.Layer | None = None,
        **kwargs: object,
    ) -> Any:
        """Evaluates the model: `keras.Model.evaluate`, on what `fit` takes.

        Args:
            x: The data, see `fit`.
            y: Targets, if `x` holds only the features.
            batch_size: Rows of a batch, for data that is not batched yet.
            verbose: Verbosity: `"auto"`, 0, 1 or 2.
            sample_weight: Weights of the rows, for data in memory.
            steps: Number of batches to evaluate. Default: all.
            callbacks: Callbacks of Keras.
            return_dict: Whether to return a dictionary by name instead of a list.
            pre: Layer applied to batches before the model, see `fit`.
            **kwargs: Further arguments of the `Loader` that reads a `Dataset` or files, such as `drop_last` or
                `shuffle` (default: False).

        Returns:
            The loss and the metrics.
        """
        # Keras evaluates between epochs with an argument of its own.
        own = {name: kwargs.pop(name) for name in list(kwargs) if name.startswith("_")}
        for transform in self._sequence_transforms(pre, x, kwargs):
            transform.configure_for_test()
        options: dict[str, Any] = {"schema": self.schema, "pre": pre, "loader_options": kwargs}
        with (
            batches(x, y, sample_weight=sample_weight, batch_size=batch_size, **options) as data,
            self._transformed_by(pre, data),
        ):
            return super().evaluate(
                data, verbose=verbose, steps=steps, callbacks=callbacks, return_dict=return_dict, **own
            )

    def predict(
        self,
        x: Data,
        batch_size: int | None = None,
        verbose: str | int = 0,
        steps: int | None = None,
        callbacks: list[keras.callbacks.Callback] | None = None,
        pre: keras.layers.Layer | None = None,
        **kwargs: object,
    ) -> Any:
        """Predicts for every row: `keras.Model.predict`, on what `fit` takes.

        Args:
            x: The data, see `fit`.
            batch_size: Rows of a batch, for data that is not batched yet.
            verbose: Verbosity: `"auto"`, 0, 1 or 2.
            steps: Number of batches. Default: all.
            callbacks: Callbacks of Keras.
            pre: Layer applied to batches before the model, see `fit`.
            **kwargs: Further arguments of the `Loader` that reads a `Dataset` or files, such as `drop_last` or
                `shuffle` (default: False).

        Returns:
            The outputs of all rows, as arrays.
        """
        with (
            batches(x, batch_size=batch_size, schema=self.input_schema, pre=pre, loader_options=kwargs) as data,
            self._transformed_by(pre, data),
        ):
            return super().predict(data, verbose=verbose, steps=steps, callbacks=callbacks)

    def batch_predict(self, dataset: Dataset, batch_size: int, **kwargs: object) -> Dataset:
        """Returns a data set with columns for the predictions.

        Args:
            dataset: A `merlin.io.Dataset`.
            batch_size: Rows of a batch.
            **kwargs: The arguments of `predict`.

        Returns:
            A `merlin.io.Dataset` with one column more for each output, by its task name; lists of numbers for an
            output with several values a row. It is computed lazily, by partition.

        Raises:
            ConfigError: if `dataset` has another type.
        """
        from emrys.blocks.models.prediction_columns import with_predictions

        return with_predictions(self, dataset, batch_size, kwargs)

    def call_train_test(
        self,
        x: Any,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
        testing: bool = False,
    ) -> Prediction:
        """Runs a batch in training or testing mode.

        Args:
            x: Features by name.
            y: Targets by name, or the only one.
            sample_weight: Weights by target, or for all. Default: none.
            training: Whether blocks get `training`.
            testing: Whether blocks get `testing`.

        Returns:
            A `Prediction` whose fields are dictionaries by task name.
        """
        outputs = self(x, training=training, context=StepContext(y, testing))
        predictions = {}
        for output in self.model_outputs:
            prediction = outputs[output.task_name] if isinstance(outputs, Mapping) else outputs
            if isinstance(prediction, Prediction):
                predictions[output.task_name] = output.weighted(prediction, sample_weight)
            elif y is None:
                predictions[output.task_name] = Prediction(prediction)
            else:
                predictions[output.task_name] = output.with_target(prediction, y, self.prepared(x), sample_weight)
        fields = ("outputs", "targets", "sample_weight")
        return Prediction(*({name: getattr(each, field) for name, each in predictions.items()} for field in fields))

    def _sequence_transforms(self, pre: Any, x: Any, loader_options: Mapping[str, Any]) -> list[SequenceTransform]:
        """The sequence transforms before the model, in the loader, and inside the model."""
        loaded = x.transforms if isinstance(x, Loader) else transforms_of(loader_options)
        layers = [each for each in (pre, *loaded, self) if isinstance(each, keras.layers.Layer)]
        return [layer for layer in layers_inside(layers) if isinstance(layer, SequenceTransform)]

    @contextlib.contextmanager
    def _transformed_by(self, pre: Any, data: Any) -> Iterator[None]:
        """Context manager in which `fit`, `evaluate` or `predict` apply `pre` to batches."""
        if pre is None:  # in the validation of `fit`, the transform of `fit` applies
            yield
            return
        previous, self._batch_transform = self._batch_transform, BatchTransform.from_argument(pre)
        self._retrace()
        try:
            shapes = None if self.built else self._batch_transform.output_shapes(data, self.prepared)
            if shapes is not None:
                self.build(shapes)
            yield
        finally:
            self._batch_transform = previous
            self._retrace()

    def _retrace(self) -> None:
        """Discards the compiled steps: a setting that they contain has changed."""
        self.train_function = self.test_function = self.predict_function = None

    def _freezer(self) -> Freezer:
        if self._frozen_layers is None:
            self._frozen_layers = Freezer(self._parts())
        return self._frozen_layers

    @property
    def frozen_blocks(self) -> list[keras.layers.Layer]:
        """The frozen blocks."""
        return [] if self._frozen_layers is None else self._frozen_layers.frozen

    def freeze_blocks(self, blocks: str | keras.layers.Layer | Sequence[str | keras.layers.Layer]) -> None:
        """Freezes blocks with all their inner layers: their weights are no longer trained.

        Args:
            blocks: Blocks, or their names, at any depth; one, or a list.

        Raises:
            ConfigError: if one is not in the model.
        """
        self._freezer().record_build(getattr(self, "optimizer", None))
        self._freezer().freeze(blocks)
        self._retrace()

    def unfreeze_blocks(self, blocks: str | keras.layers.Layer | Sequence[str | keras.layers.Layer]) -> None:
        """Unfreezes blocks with all their inner layers. `compile` the model afterwards, as in Keras.

        Args:
            blocks: Blocks, or their names, at any depth; one, or a list.

        Raises:
            ConfigError: if one is not in the model.
        """
        self._freezer().record_build(getattr(self, "optimizer", None))
        self._freezer().unfreeze(blocks)
        self._retrace()

    def unfreeze_all_frozen_blocks(self) -> None:
        """Unfreezes all blocks. `compile` the model afterwards, as in Keras."""
        self._freezer().record_build(getattr(self, "optimizer", None))
        self._freezer().unfreeze_all()
        self._retrace()

    def save(
        self,
        export_path: str | os.PathLike[str],
        include_optimizer: bool = True,
        overwrite: bool = True,
        zipped: bool | None = None,
    ) -> None:
        """Saves the model to a file that `load` reads.

        Args:
            export_path: A file that ends with `.keras`, or a folder for such a file.
            include_optimizer: Whether the arguments of `compile` and the optimizer's state are saved too, so that
                training can be resumed. Default: True.
            overwrite: Whether an existing file or folder is replaced. Default: True.
            zipped: Whether the file is an archive. Default: True.

        Raises:
            ConfigError: if the path exists and `overwrite` is False.
        """
        save_model(self, export_path, include_optimizer, overwrite, zipped)

    def export(
        self,
        filepath: str | os.PathLike[str],
        format: str = "tf_saved_model",
        verbose: str | int | None = None,
        input_signature: Any = None,
        **kwargs: object,
    ) -> None:
        """Writes a SavedModel for serving, see `save_serving`; other formats and signatures are those of Keras.

        Args:
            filepath: Folder to write.
            format: `"tf_saved_model"`, or another format of Keras.
            verbose: Whether Keras prints what it writes.
            input_signature: The tensors to take. Default: the columns of the schema by name.
            **kwargs: The other arguments of `keras.Model.export`.
        """
        if format == "tf_saved_model" and input_signature is None and not kwargs:
            save_serving(self, filepath)
        else:
            super().export(filepath, format=format, verbose=verbose, input_signature=input_signature, **kwargs)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Loads a model that `save` has written.

        Args:
            path: A `.keras` file, or a folder with one.

        Returns:
            The model, compiled as it was, with its optimizer's state.

        Raises:
            ConfigError: if the file holds a model of another class.
        """
        return load_model(cls, path)

    def _without_given_targets(self, outputs: Any) -> Any:
        """The outputs that only repeat the targets of the caller, as tensors."""
        if isinstance(outputs, Mapping):
            return {name: self._without_given_targets(output) for name, output in outputs.items()}
        if not isinstance(outputs, Prediction) or any(each is not None for each in outputs[2:]):
            return outputs
        repeats = not any(output.returns_prediction for output in self.model_outputs)
        return outputs.outputs if repeats else outputs

    def _weighted(self, outputs: Any, weights: Any) -> Any:
        """The outputs with the sample weights of a layer before them."""
        for output in self.model_outputs:
            prediction = outputs.get(output.task_name) if isinstance(outputs, Mapping) else outputs
            if not isinstance(prediction, Prediction):
                continue
            prediction = output.weighted(prediction, weights)
            outputs = {**outputs, output.task_name: prediction} if isinstance(outputs, Mapping) else prediction
        return outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the predictions."""
        if not self.blocks:
            return super().compute_output_shape(input_shape)
        shape = prepared_shape(input_shape) if self.prep_features else input_shape
        return shape_behind(self._chain(), shape)

    def get_compile_config(self) -> dict[str, Any]:
        """Returns the arguments of `compile`, and the blocks that were frozen when the optimizer was built."""
        if not self.compiled:
            return {}
        arguments = to_config({**self._compiled_parts.arguments, **self._compile_options})
        frozen = [] if self._frozen_layers is None else self._frozen_layers.indices_at_build(self.optimizer)
        return {"optimizer": to_config(self.optimizer), **arguments, "frozen": frozen}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Calls `compile` with the result of `get_compile_config`, and builds the optimizer for the same weights."""
        arguments = dict(config)
        frozen = arguments.pop("frozen", None)
        with contextlib.ExitStack() as stack:
            if frozen or self._frozen_layers is not None:
                stack.enter_context(
                    self._freezer().frozen_as(self._freezer().layer_indices if frozen is None else frozen)
                )
            self.compile(**from_config(arguments))
            if self.built:
                self.optimizer.build(self.trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        with sharing(shared_layers(self._parts())):
            return {
                "name": self.name,
                "context": to_config(self.context),
                "blocks": to_config(self.blocks),
                "pre": to_config(self.pre),
                "post": to_config(self.post),
                "schema": to_config(self._schema),
                "prep_features": self.prep_features,
                "frozen": [] if self._frozen_layers is None else self._frozen_layers.layer_indices,
            }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """Creates the model from the configuration that `get_config` returned."""
        config_values = dict(config)
        frozen = config_values.pop("frozen", [])
        with sharing():
            arguments = from_config(config_values)
        model = cls(*arguments.pop("blocks"), **arguments)
        if frozen:
            model._freezer().freeze_indices(frozen)
        return model


class _Targets(dict[str, Any]):
    """Targets by name as one value: in a `**kwargs`, Keras refuses a dictionary of tensors beside flags."""


def _as_predicted(targets: Any, predictions: Any) -> Any:
    """The only target by itself if the prediction is one tensor, as Keras compares them."""
    alone = isinstance(targets, Mapping) and len(targets) == 1 and not isinstance(predictions, Mapping)
    return next(iter(targets.values())) if alone else targets


def _by_target(outputs: Any) -> dict[str | None, Any]:
    by_target: dict[str | None, list[Any]] = {}
    for output in outputs:
        by_target.setdefault(output.target, []).append(output)
    return {target: each[0] if len(each) == 1 else each for target, each in by_target.items()}
