"""What a model does with one batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError
from emrys.blocks.models.judging import Judge
from emrys.blocks.models.outputs_model import OutputsModel
from emrys.blocks.models.told import Told, as_ahead, shapes_behind
from emrys.blocks.optimizers.default import chosen_optimizer


class SteppingModel(OutputsModel):
    """How a `BaseModel` is compiled, and its steps: training on a batch, judging one, predicting for one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._judge: Judge | None = None
        self._told = Told()
        self._ahead = as_ahead(None)
        self._metrics_steps = 1

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
