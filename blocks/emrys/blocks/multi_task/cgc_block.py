"""Customized Gate Control (CGC): task-specific and shared experts."""

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
from emrys.blocks.multi_task.tasks import SHARED, SHORTCUT, task_names


@keras.saving.register_keras_serializable("emrys")
class CGCBlock(GatedExperts):
    """Customized Gate Control: every task has its own experts and combines them with shared ones.

    With x the input: y_task = sum over i of gate_task(x)_i expert_i(x), over the experts of the task and the shared
    ones. The shared gate, if there is one, combines all experts. The weights of a gate are ordered by the owner of the
    expert, a task or `"shared"`.

    Args:
        outputs: The tasks: an `OutputBlock`, another `ParallelBlock` of outputs, or a list of names; `"shared"` and
            `"shortcut"` are reserved.
        expert_block: Block that is copied for each expert, with separate weights.
        num_task_experts: Number of experts of each task. Default: 1.
        num_shared_experts: Number of shared experts. Default: 1.
        add_shared_gate: Whether there is an output `"shared"`, the input of a next `CGCBlock`. Default: False.
        gate_block: Block that is copied into each gate, before its weights. Default: none.
        gate_softmax_temperature: Temperature of the softmax of the gates. Default: 1.
        enable_gate_weights_metrics: Whether the mean gate weights are metrics of training and evaluation, as
            `gate_<task>_weight_<i>`, and `shared_gate_weight_<i>`. Default: False.
        name: Name of the block.
        gate_prefix: Prefix of the names of the gates. Default: none.

    Input shape:
        (B, D_in), or the output of a `CGCBlock` with a shared gate: then the input of the experts is the output of
        their task or `"shared"`, and that of the gates is the shortcut.

    Output shape:
        Dictionary of (B, D) by task; the input (B, D_in) under `"shortcut"`, with `add_shared_gate` also
        (B, D) under `"shared"`.

    Raises:
        ConfigError: if an argument is invalid, or the output of an expert is not (B, D).

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> block = mm.CGCBlock(["click", "like"], mm.MLPBlock([4]), num_shared_experts=2)
        >>> {name: tuple(value.shape) for name, value in block(np.ones((2, 5), "float32")).items()}
        {'shortcut': (2, 5), 'click': (2, 4), 'like': (2, 4)}

    Source:
        Tang et al., Progressive Layered Extraction: A Novel Multi-Task Learning Model for Personalized
        Recommendations, 2020.
    """

    def __init__(
        self,
        outputs: tf.Tensor | Mapping[str, tf.Tensor] | Prediction,
        expert_block: keras.layers.Layer,
        num_task_experts: int = 1,
        num_shared_experts: int = 1,
        add_shared_gate: bool = False,
        gate_block: keras.layers.Layer | None = None,
        gate_softmax_temperature: float = 1.0,
        enable_gate_weights_metrics: bool = False,
        name: str | None = None,
        gate_prefix: str = "",
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        super().__init__(
            expert_block, gate_block, gate_softmax_temperature, enable_gate_weights_metrics, name, **kwargs
        )
        for argument, number in (("num_task_experts", num_task_experts), ("num_shared_experts", num_shared_experts)):
            if not isinstance(number, int) or number < 1:
                raise ConfigError(f"CGCBlock: {argument}", expected="a whole number above 0", got=repr(number))
        self.task_names = task_names(outputs, "CGCBlock")
        self.num_task_experts = num_task_experts
        self.num_shared_experts = num_shared_experts
        self.add_shared_gate = add_shared_gate
        self.gate_prefix = gate_prefix
        #: Names of the experts of each task, and of the shared ones.
        self.owned = {task: _experts(task, num_task_experts) for task in self.task_names}
        self.owned[SHARED] = _experts(SHARED, num_shared_experts)
        for names in self.owned.values():
            self._add_experts(names)
        for task in self.task_names:
            self._add_gate(task, f"{gate_prefix}gate_{task}", [*self.owned[task], *self.owned[SHARED]])
        if add_shared_gate:
            self._add_gate(SHARED, f"{gate_prefix}shared_gate", self.experts)

    def _inputs_of_experts(self, inputs: Any) -> tuple[Any, dict[str, Any]]:
        """The shortcut, and the input of each expert: tensors when called, shapes when built."""
        if not isinstance(inputs, dict):
            return inputs, dict.fromkeys(self.experts, inputs)
        missing = [name for name in (SHORTCUT, *self.owned) if name not in inputs]
        if missing:
            raise ConfigError(
                f"{self.name}: the input has no {missing[0]!r}",
                got=", ".join(map(repr, inputs)),
                fix='Pass one tensor (aggregation="concat"), or the output of a CGCBlock with a shared gate.',
            )
        return inputs[SHORTCUT], {name: inputs[owner] for owner, names in self.owned.items() for name in names}

    def build(self, input_shape: Shape) -> None:
        """Builds experts and gates."""
        self._build_parts(*self._inputs_of_experts(as_shape(input_shape)))
        self.built = True

    def call(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool | None = None, testing: bool | None = None
    ) -> Any:
        """Combines the experts for every task."""
        shortcut, expert_inputs = self._inputs_of_experts(inputs)
        return {SHORTCUT: shortcut, **self._mix_experts(shortcut, expert_inputs, training=training, testing=testing)}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D) by task, and the shape of the shortcut."""
        shortcut, expert_inputs = self._inputs_of_experts(as_shape(input_shape))
        return {SHORTCUT: shortcut, **self._output_shapes(expert_inputs)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "outputs": list(self.task_names),
            "num_task_experts": self.num_task_experts,
            "num_shared_experts": self.num_shared_experts,
            "add_shared_gate": self.add_shared_gate,
            "gate_prefix": self.gate_prefix,
        }


def _experts(owner: str, number: int) -> list[str]:
    return [f"{owner}/expert_{index}" for index in range(number)]
