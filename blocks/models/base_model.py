"""Training, judging and predicting with outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import keras
from merlin.schema import Schema

from blocks.core.prediction import Prediction
from blocks.core.serializing import from_config, to_config
from blocks.errors import ConfigError
from blocks.models.batches import all_rows, batches, split_off, with_class_weights
from blocks.models.judging import Judge
from blocks.models.told import Told, as_ahead, shapes_behind
from blocks.optimizers.default import chosen_optimizer
from blocks.outputs.model_output import ModelOutput
from blocks.sequences.sequence_transform import SequenceTransform
from blocks.tasks.prediction_task import PredictionTask

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class BaseModel(keras.Model):
    """A Keras model with outputs, which say what is compared, by which loss and which metrics.

    `fit`, `evaluate` and `predict` are those of Keras; they take a `Loader`, a `merlin.io.Dataset` or a folder of
    Parquet besides. A subclass has a `call`, and says what its `model_outputs` are.

    Args:
        **kwargs: The arguments of `keras.Model`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._judge: Judge | None = None
        self._told = Told()
        self._ahead = as_ahead(None)
        self._metrics_steps = 1

    @property
    def model_outputs(self) -> list[ModelOutput]:
        """The outputs."""
        return []

    @property
    def schema(self) -> Schema | None:
        """The columns of a batch, targets included, as far as they are known."""
        return None

    @property
    def input_schema(self) -> Schema | None:
        """The columns that the model reads, targets left out."""
        schema = self.schema
        return None if schema is None else schema.excluding_by_name([output.target for output in self.model_outputs])

    @property
    def prediction_tasks(self) -> list[PredictionTask]:
        """The outputs that are tasks of the first generation."""
        return [output for output in self.model_outputs if isinstance(output, PredictionTask)]

    def prediction_tasks_by_name(self) -> dict[str, PredictionTask]:
        """The tasks by task name."""
        return {task.task_name: task for task in self.prediction_tasks}

    def prediction_tasks_by_target(self) -> dict[str | None, Any]:
        """The tasks by target; a list where several have one target."""
        return _by_target(self.prediction_tasks)

    def outputs_by_name(self) -> dict[str, ModelOutput]:
        """The outputs by task name, tasks of the first generation left out."""
        return {output.task_name: output for output in self._second_generation()}

    def outputs_by_target(self) -> dict[str | None, Any]:
        """The outputs by target; a list where several have one target."""
        return _by_target(self._second_generation())

    def _second_generation(self) -> list[ModelOutput]:
        return [output for output in self.model_outputs if not isinstance(output, PredictionTask)]

    def prepared(self, features: Any) -> Any:
        """The features in the form that blocks take."""
        return features

    def compile(
        self,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool | None = None,
        steps_per_execution: int | None = None,
        jit_compile: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        """Says how the model is trained.

        Args:
            optimizer: Optimizer, or its name; `"sgd"` and `"adagrad"` are the lazy ones. Default: `LazyAdam` for a
                model with embeddings (`"adam"` is the dense one, whose steps take longer the larger the tables are),
                RMSprop for others.
            loss: One loss, or a dictionary by output or target. Default: what the outputs say.
            metrics: A list, or a dictionary by output or target. Default: what the outputs say.
            loss_weights: Weights of the losses by output or target. Default: those of a `ParallelPredictionBlock`,
                else 1.
            weighted_metrics: Metrics that take the sample weights.
            run_eagerly: Whether steps run without a graph. Default: False.
            steps_per_execution: Batches in one call of the graph. Default: 1.
            jit_compile: Whether XLA compiles the steps, `"auto"` to leave it to Keras. With ragged lists it compiles
                them anew for each number of elements, and it leaves out the check of ids. Default: False.
            **kwargs: The other arguments of `keras.Model.compile`.

        Raises:
            ConfigError: if an argument names an output, a loss or a metric that is not there.
        """
        options = {
            "run_eagerly": bool(run_eagerly),
            "steps_per_execution": steps_per_execution or 1,
            "jit_compile": False if jit_compile is None else jit_compile,
            **kwargs,
        }
        chosen = chosen_optimizer(optimizer, self, scale_loss=options.get("auto_scale_loss", True))
        super().compile(optimizer=chosen, **options)
        self._compile_options = options
        self._judge = Judge(
            self.model_outputs,
            loss=loss,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            loss_weights=self.usual_loss_weights() if loss_weights is None else loss_weights,
        )

    def usual_loss_weights(self) -> Mapping[str, float] | None:
        """The weights of the losses where `compile` names none."""
        return None

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All metrics that training and evaluation report."""
        return super().metrics + ([] if self._judge is None else self._judge.metrics)

    def metrics_results(self) -> dict[str, Any]:
        """The values of all metrics by name."""
        return self.get_metrics_result()

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch, regularisation included."""
        return self._judging().loss(y, y_pred, sample_weight, self.prepared(x), self.losses)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Updates the metrics with a batch and gives their values."""
        steps = 1 if self._told.testing else self._metrics_steps
        self._judging().update_every(steps, y, y_pred, sample_weight, self.prepared(x))
        return self.get_metrics_result()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Trains on a batch, with blocks told its targets: negatives are drawn beside them."""
        data = self._ahead(data, prepared=self.prepared, training=True)
        with self._telling(data, testing=False):
            return super().train_step(data)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Judges a batch, with blocks told its targets and that it is `testing`: they may differ from serving there."""
        data = self._ahead(data, prepared=self.prepared, testing=True)
        with self._telling(data, testing=True):
            return super().test_step(data)

    def predict_step(self, data: Any) -> Any:
        """Predicts for a batch."""
        return super().predict_step(self._ahead(data, prepared=self.prepared))

    @contextlib.contextmanager
    def _telling(self, data: Any, testing: bool) -> Iterator[None]:
        """What `call` tells the blocks besides the features, for the length of a step."""
        _, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        self._told = Told(targets, testing)
        try:
            yield
        finally:
            self._told = Told()

    @contextlib.contextmanager
    def _through(self, pre: Any, data: Any) -> Iterator[None]:
        """Sends batches through `pre` first; without one they go on as before, as in the validation of `fit`."""
        if pre is None:
            yield
            return
        before, self._ahead = self._ahead, as_ahead(pre)
        self._forget_steps()
        try:
            shapes = None if self.built else shapes_behind(self._ahead, data, self.prepared)
            if shapes is not None:
                self.build(shapes)
            yield
        finally:
            self._ahead = before
            self._forget_steps()

    def _forget_steps(self) -> None:
        """Has the steps compiled anew: what they read from the model has changed."""
        self.train_function = self.test_function = self.predict_function = None

    def call_train_test(
        self, x: Any, y: Any = None, sample_weight: Any = None, training: bool = False, testing: bool = False
    ) -> Prediction:
        """Runs a batch as training or testing does.

        Args:
            x: Features by name.
            y: Targets by name, or the only one.
            sample_weight: Weights by target, or for all. Default: none.
            training: Whether blocks are told that it is training.
            testing: Whether blocks are told that it is testing.

        Returns:
            A `Prediction` whose fields are dictionaries by task name.
        """
        with self._telling((x, y), testing):
            outputs = self(x, training=training)
        found = {}
        for output in self.model_outputs:
            own = outputs[output.task_name] if isinstance(outputs, Mapping) else outputs
            if isinstance(own, Prediction):
                found[output.task_name] = output.weighted(own, sample_weight)
            elif y is None:
                found[output.task_name] = Prediction(own)
            else:
                found[output.task_name] = output.judged(own, y, self.prepared(x), sample_weight)
        fields = ("outputs", "targets", "sample_weight")
        return Prediction(*({name: getattr(each, field) for name, each in found.items()} for field in fields))

    def _judging(self) -> Judge:
        if self._judge is None:
            raise ConfigError("the model is not compiled", fix="Call compile() first.")
        return self._judge

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        train_metrics_steps: int = 1,
        pre: keras.layers.Layer | None = None,
    ) -> Any:
        """Trains the model: `keras.Model.fit` on a `Loader`, a `Dataset`, Parquet files or what Keras takes.

        Args:
            x: The data, see `blocks.models.batches`.
            y: Targets, where `x` holds the features alone.
            batch_size: Rows of a batch, for what is not batched yet.
            epochs: Number of the last epoch.
            verbose: What is printed: `"auto"`, 0, 1 or 2.
            callbacks: Callbacks of Keras.
            validation_split: Share of the rows, the last ones, to judge by after each epoch, where all are in memory.
            validation_data: Data to judge by after each epoch, of any kind that `x` can be. It goes through `pre` too.
            shuffle: Whether rows are shuffled, where the batches are made here.
            class_weight: Weight of each class in the loss, where there is one target.
            sample_weight: Weights of the rows, where all are in memory.
            initial_epoch: Number of the first epoch, from 0.
            steps_per_epoch: Batches of an epoch. Default: all.
            validation_steps: Batches to judge by. Default: all.
            validation_batch_size: Rows of a batch of `validation_data`. Default: `batch_size`.
            validation_freq: After how many epochs the model is judged.
            train_metrics_steps: Metrics of training are computed for the first batch of an epoch and every so many
                batches after it; 0 for never. The loss is that of all batches. Default: 1.
            pre: Layer that batches go through before they reach the model, whose part it does not become: called with
                the features, `targets` and `training` (`testing`), it gives other features, or a `Prediction` of
                features, targets and weights. Default: none.

        Returns:
            The history of losses and metrics.

        Raises:
            ConfigError: if an argument has a value that cannot be, or needs rows in memory and has none.
            DataError: if a file turns out to be damaged while it is read.
        """
        if not isinstance(train_metrics_steps, int) or train_metrics_steps < 0:
            raise ConfigError("fit: train_metrics_steps", expected="a number from 0", got=repr(train_metrics_steps))
        if train_metrics_steps != self._metrics_steps:
            self._metrics_steps = train_metrics_steps
            self._forget_steps()  # the step is compiled with the number in it
        if validation_split and validation_data is None:
            x, validation_data = split_off(all_rows(x, y, sample_weight), validation_split)
            y = sample_weight = None
        kwargs: dict[str, Any] = {}
        with contextlib.ExitStack() as open_:
            data = open_.enter_context(
                batches(x, y, sample_weight=sample_weight, batch_size=batch_size, schema=self.schema, shuffle=shuffle)
            )
            if class_weight is not None:
                data = with_class_weights(data, class_weight)
            if validation_data is not None:
                size = validation_batch_size or batch_size
                kwargs["validation_data"] = open_.enter_context(
                    batches(validation_data, batch_size=size, schema=self.schema)
                )
            if isinstance(pre, SequenceTransform):
                pre.configure_for_train()
            open_.enter_context(self._through(pre, data))
            # The rows are shuffled by whoever makes the batches; Keras would only warn that it cannot.
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
                **kwargs,
            )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = 1,
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        pre: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> Any:
        """Judges the model: `keras.Model.evaluate`, on what `fit` takes.

        Args:
            x: The data, see `fit`.
            y: Targets, where `x` holds the features alone.
            batch_size: Rows of a batch, for what is not batched yet.
            verbose: What is printed: `"auto"`, 0, 1 or 2.
            sample_weight: Weights of the rows, where all are in memory.
            steps: Batches to judge by. Default: all.
            callbacks: Callbacks of Keras.
            return_dict: Whether to give a dictionary by name instead of a list.
            pre: Layer that batches go through first, see `fit`.
            **kwargs: What Keras hands over when it judges the model between two epochs.

        Returns:
            The loss and the metrics.
        """
        if isinstance(pre, SequenceTransform):
            pre.configure_for_test()
        with (
            batches(x, y, sample_weight=sample_weight, batch_size=batch_size, schema=self.schema) as data,
            self._through(pre, data),
        ):
            return super().evaluate(
                data, verbose=verbose, steps=steps, callbacks=callbacks, return_dict=return_dict, **kwargs
            )

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = 0,
        steps: int | None = None,
        callbacks: Any = None,
        pre: keras.layers.Layer | None = None,
    ) -> Any:
        """Predicts for every row: `keras.Model.predict`, on what `fit` takes.

        Args:
            x: The data, see `fit`.
            batch_size: Rows of a batch, for what is not batched yet.
            verbose: What is printed: `"auto"`, 0, 1 or 2.
            steps: Batches to predict for. Default: all.
            callbacks: Callbacks of Keras.
            pre: Layer that batches go through first, see `fit`.

        Returns:
            What the model gives for all rows, as arrays.
        """
        with batches(x, batch_size=batch_size, schema=self.input_schema) as data, self._through(pre, data):
            return super().predict(data, verbose=verbose, steps=steps, callbacks=callbacks)

    def batch_predict(self, dataset: Dataset, batch_size: int, **kwargs: Any) -> Dataset:
        """The rows of a data set with the predictions beside them.

        Args:
            dataset: A `merlin.io.Dataset`.
            batch_size: Rows of a batch.
            **kwargs: The arguments of `predict`.

        Returns:
            A `merlin.io.Dataset` with one column more for each output, by its task name; lists of numbers where an
            output gives several a row. It is computed when it is read, part by part.

        Raises:
            ConfigError: if `dataset` is something else.
        """
        from blocks.models.prediction_columns import with_predictions

        return with_predictions(self, dataset, batch_size, kwargs)

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


def _by_target(outputs: Any) -> dict[str | None, Any]:
    found: dict[str | None, list[Any]] = {}
    for output in outputs:
        found.setdefault(output.target, []).append(output)
    return {target: each[0] if len(each) == 1 else each for target, each in found.items()}
