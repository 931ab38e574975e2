"""Multi-gate Mixture-of-Experts (MMoE): shared experts with a gate per task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import UnnamedBlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.multi_task.gated_experts import GatedExperts
from emrys.blocks.multi_task.tasks import task_names


@keras.saving.register_keras_serializable("emrys")
class MMOEBlock(GatedExperts):
    """Multi-gate Mixture-of-Experts: every task combines the same experts by its own gate.

    With x the input: y_task = sum over i of gate_task(x)_i expert_i(x), see `ExpertsGate`.

    Args:
        outputs: The tasks: an `OutputBlock`, another `ParallelBlock` of outputs, or a list of names.
        expert_block: Block that is copied for each expert, with separate weights.
        num_experts: Number of experts.
        gate_block: Block that is copied into each gate, before its weights. Default: none.
        gate_softmax_temperature: Temperature of the softmax of the gates. Default: 1.
        enable_gate_weights_metrics: Whether the mean gate weights are metrics of training and evaluation, as
            `gate_<task>_weight_<i>`. Default: False.
        name: Name of the block.

    Input shape:
        (B, D_in)

    Output shape:
        Dictionary of (B, D) by task.

    Raises:
        ConfigError: if an argument is invalid, or the output of an expert is not (B, D).

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> block = mm.MMOEBlock(["click", "like"], mm.MLPBlock([4]), num_experts=3)
        >>> {task: tuple(value.shape) for task, value in block(np.ones((2, 5), "float32")).items()}
        {'click': (2, 4), 'like': (2, 4)}

    Source:
        Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts, 2018.
    """

    def __init__(
        self,
        outputs: tf.Tensor | Mapping[str, tf.Tensor] | Prediction,
        expert_block: keras.layers.Layer,
        num_experts: int,
        gate_block: keras.layers.Layer | None = None,
        gate_softmax_temperature: float = 1.0,
        enable_gate_weights_metrics: bool = False,
        name: str | None = None,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        super().__init__(
            expert_block, gate_block, gate_softmax_temperature, enable_gate_weights_metrics, name, **kwargs
        )
        if not isinstance(num_experts, int) or num_experts < 1:
            raise ConfigError("MMOEBlock: num_experts", expected="a whole number above 0", got=repr(num_experts))
        self.task_names = task_names(outputs, "MMOEBlock")
        self.num_experts = num_experts
        self._add_experts(f"expert_{number}" for number in range(num_experts))
        for task in self.task_names:
            self._add_gate(task, f"gate_{task}", self.experts)

    def build(self, input_shape: Shape) -> None:
        """Builds experts and gates."""
        shape = as_shape(input_shape)
        self._build_parts(shape, dict.fromkeys(self.experts, shape))
        self.built = True

    def call(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool | None = None, testing: bool | None = None
    ) -> Any:
        """Combines the experts for every task."""
        return self._mix_experts(inputs, dict.fromkeys(self.experts, inputs), training=training, testing=testing)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D) by task."""
        return self._output_shapes(dict.fromkeys(self.experts, as_shape(input_shape)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "outputs": list(self.task_names), "num_experts": self.num_experts}
