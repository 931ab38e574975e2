"""What a model predicts about one target, and how that is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from merlin.schema import ColumnSchema

from blocks.core.block import Block
from blocks.core.calling import Shape, as_shape, build_layer, call_layer
from blocks.core.serializing import to_config
from blocks.errors import ConfigError
from blocks.utils.registry import camelcase_to_snakecase

Metrics = Callable[[], Sequence[keras.metrics.Metric]]


@keras.saving.register_keras_serializable("emrys")
class ModelOutput(Block):
    """One prediction of a model: a layer on what the model's body gives, a default loss, default metrics, a target.

    Args:
        to_call: Layer that makes the prediction.
        default_loss: Loss that is used when `compile` names none.
        default_metrics_fn: Gives the metrics that are used when `compile` names none.
        name: Task name of the output. Default: `<target>/<class in snake case>`.
        target: Name of the target column, or the column. Default: the batch's only target.
        pre: Layer before `to_call`. Default: none.
        post: Layer behind it. Default: none.
        logits_temperature: What logits are divided by. Default: 1.

    Input shape:
        (B, D)

    Output shape:
        What `to_call` gives, such as (B, 1).
    """

    def __init__(
        self,
        to_call: keras.layers.Layer,
        default_loss: Any,
        default_metrics_fn: Metrics,
        name: str | None = None,
        target: str | ColumnSchema | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        logits_temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        target_name = target.name if isinstance(target, ColumnSchema) else target
        self._task_name = name or self.get_task_name(target_name)
        # Keras 3 refuses a slash in a layer's name; the task name, which users see, keeps it.
        super().__init__(name=self._task_name.replace("/", "_"), **kwargs)
        if logits_temperature <= 0:
            raise ConfigError(
                f"{self.name}: logits_temperature", expected="a number above 0", got=str(logits_temperature)
            )
        self.to_call = to_call
        self.default_loss = default_loss
        self.default_metrics_fn = default_metrics_fn
        self.target: str | None = target_name
        self.pre = pre
        self.post = post
        self.logits_temperature = logits_temperature

    @classmethod
    def get_task_name(cls, target_name: str | None) -> str:
        """Name of an output of this class for `target_name`."""
        own = camelcase_to_snakecase(cls.__name__)
        return f"{target_name}/{own}" if target_name else own

    @property
    def task_name(self) -> str:
        """The name under which the output's predictions, losses and metrics appear: `<target>/<output>`."""
        return self._task_name

    def create_default_metrics(self) -> list[keras.metrics.Metric]:
        """Fresh default metrics."""
        return list(self.default_metrics_fn())

    def _chain(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.pre, self.to_call, self.post) if layer is not None]

    def build(self, input_shape: Shape) -> None:
        """Builds the layers."""
        shape = as_shape(input_shape)
        for layer in self._chain():
            shape = build_layer(layer, shape)
        self.built = True

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        testing: bool | None = None,
        features: Any = None,
        targets: Any = None,
    ) -> Any:
        """Gives the prediction."""
        for layer in self._chain():
            inputs = call_layer(layer, inputs, training=training, testing=testing, features=features, targets=targets)
            if layer is self.to_call:
                inputs = self.scale(inputs)
        return inputs

    def scale(self, predictions: Any) -> Any:
        """Applies the temperature to what `to_call` gives."""
        return predictions if self.logits_temperature == 1.0 else predictions / self.logits_temperature

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the prediction."""
        shape = as_shape(input_shape)
        for layer in self._chain():
            shape = as_shape(layer.compute_output_shape(shape))
        return shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that every output has; a subclass adds or drops its own."""
        return {
            **super().get_config(),
            "name": self.task_name,
            "target": self.target,
            "pre": to_config(self.pre),
            "post": to_config(self.post),
            "logits_temperature": self.logits_temperature,
        }


def with_judges(output: ModelOutput, config: dict[str, Any], usual: Metrics) -> dict[str, Any]:
    """Adds the default loss and, where it is not the `usual` one, the function that makes the metrics."""
    config["default_loss"] = to_config(output.default_loss)
    if output.default_metrics_fn is not usual:
        config["default_metrics_fn"] = to_config(output.default_metrics_fn)
    return config
