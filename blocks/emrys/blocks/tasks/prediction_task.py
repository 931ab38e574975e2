"""Base of the first generation's outputs."""

from __future__ import annotations

from typing import Any, Self

import keras

from emrys.blocks.core.no_op import NoOp
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError
from emrys.blocks.outputs.model_output import Metrics, ModelOutput
from emrys.blocks.tasks.deprecation import quietly, warn_deprecated


@keras.saving.register_keras_serializable("emrys")
def no_metrics() -> tuple[keras.metrics.Metric, ...]:
    """No metrics."""
    return ()


@keras.saving.register_keras_serializable("emrys")
class PredictionTask(ModelOutput):
    """An output of the first generation: `head(pre(task_block(x)))`. Deprecated: use `ModelOutput` or its subclasses.

    A subclass says what is learned by its class attributes, and writes `head`.

    Args:
        target_name: Name of the target column. Default: the batch's only target.
        task_name: Name of the output, of its losses and metrics. Default: `<target>/<class in snake case>`.
        pre: Layer behind `task_block`. Default: none.
        pre_eval_topk: Accepted as None only: a top-k evaluation is a model of its own, a `TopKEncoder`.
        task_block: Layer that the input goes through first. Default: none.
        name: The same as `task_name`, which counts first.

    Input shape:
        (B, D)

    Output shape:
        What the head gives; without one, what the blocks before it give.
    """

    #: Loss that is used when `compile` names none.
    DEFAULT_LOSS: Any = "mse"
    #: Gives the metrics that are used when `compile` names none.
    DEFAULT_METRICS: Metrics = no_metrics
    #: What users are told to use instead.
    SUCCESSOR = "ModelOutput"

    metric_separator = "_"

    def __init__(
        self,
        target_name: str | None = None,
        task_name: str | None = None,
        pre: keras.layers.Layer | None = None,
        pre_eval_topk: Any = None,
        task_block: keras.layers.Layer | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        own = type(self)
        if own is PredictionTask:
            warn_deprecated("PredictionTask", self.SUCCESSOR)
        if pre_eval_topk is not None:
            raise ConfigError(
                f"{own.__name__}: pre_eval_topk",
                expected="None",
                got=type(pre_eval_topk).__name__,
                fix="Evaluate top-k lists with the model's to_top_k_encoder().",
            )
        head = own.head()
        super().__init__(
            to_call=head if pre is None else SequentialBlock(pre, head),
            default_loss=own.DEFAULT_LOSS,
            default_metrics_fn=own.DEFAULT_METRICS,
            name=task_name or name,
            target=target_name,
            pre=task_block,
            **kwargs,
        )
        self._has_pre = pre is not None

    @classmethod
    def head(cls) -> keras.layers.Layer:
        """A new last layer."""
        return NoOp()

    @property
    def target_name(self) -> str | None:
        """Name of the target column."""
        return self.target

    @property
    def task_block(self) -> keras.layers.Layer | None:
        """The layer that the input goes through first."""
        return self.pre

    @task_block.setter
    def task_block(self, block: keras.layers.Layer | None) -> None:
        self.pre = block

    def with_bias(self, outputs: Any, bias: Any) -> Any:
        """The prediction with a number a row, (B, 1), added to it."""
        return outputs + bias

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        for fixed in ("to_call", "default_loss", "default_metrics_fn", "post", "logits_temperature"):
            config.pop(fixed)
        task_block, target, task_name = config.pop("pre"), config.pop("target"), config.pop("name")
        return {
            **config,
            "target_name": target,
            "task_name": task_name,
            "pre": to_config(self.to_call.layers[0]) if self._has_pre else None,
            "task_block": task_block,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the task from what `get_config` gave."""
        with quietly():
            return super().from_config(config)
