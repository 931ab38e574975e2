"""Base class of the multi-task blocks: experts, and gates that combine them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, build_layer, call_layer, output_shape
from emrys.blocks.errors import ConfigError
from emrys.blocks.multi_task.experts_gate import ExpertsGate
from emrys.blocks.multi_task.layer_template import LayerTemplate
from emrys.blocks.multi_task.tasks import layer_name


class GatedExperts(Block):
    """Experts and gates, which a subclass adds in `__init__`.

    Args:
        expert_block: Block that is copied for each expert.
        gate_block: Block that is copied into each gate, before its weights. Default: none.
        gate_softmax_temperature: Temperature of the gates. Default: 1.
        enable_gate_weights_metrics: Whether the mean gate weights are metrics. Default: False.
    """

    def __init__(
        self,
        expert_block: keras.layers.Layer,
        gate_block: keras.layers.Layer | None,
        gate_softmax_temperature: float,
        enable_gate_weights_metrics: bool,
        name: str | None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("schema", None)  # accepted, as released: experts take one tensor, whose columns have no names
        super().__init__(name=name, **kwargs)
        self.experts: dict[str, keras.layers.Layer] = {}
        self.gates: dict[str, ExpertsGate] = {}
        #: Names of the experts of each gate, in the order of its weights.
        self.gate_experts: dict[str, list[str]] = {}
        self.gate_softmax_temperature = gate_softmax_temperature
        self.enable_gate_weights_metrics = enable_gate_weights_metrics
        self._expert = LayerTemplate.of(expert_block, f"{type(self).__name__}: expert_block")
        self._gate = None if gate_block is None else LayerTemplate.of(gate_block, f"{type(self).__name__}: gate_block")

    def _add_experts(self, names: Iterable[str]) -> None:
        for name in names:
            self.experts[name] = self._expert.create(layer_name(name))

    def _add_gate(self, task: str, name: str, experts: Iterable[str]) -> None:
        self.gate_experts[task] = sorted(experts, key=_owner_and_number)
        self.gates[task] = ExpertsGate(
            len(self.gate_experts[task]),
            gate_block=None if self._gate is None else self._gate.create(),
            softmax_temperature=self.gate_softmax_temperature,
            enable_gate_weights_metrics=self.enable_gate_weights_metrics,
            name=name,
        )

    def _build_parts(self, shortcut: Shape, expert_inputs: dict[str, Shape]) -> None:
        """Builds the experts, each for its input shape, and the gates."""
        shapes = {name: build_layer(expert, expert_inputs[name]) for name, expert in self.experts.items()}
        different = sorted({str(shape) for shape in shapes.values()})
        if len(different) > 1 or isinstance(next(iter(shapes.values())), dict):
            raise ConfigError(
                f"{self.name}: all experts must have one output of the same shape", got=", ".join(different)
            )
        for task, gate in self.gates.items():
            build_layer(gate, {"shortcut": shortcut, "experts": self._stacked_shape(task, shapes)})

    def _stacked_shape(self, task: str, shapes: dict[str, Shape]) -> Shape:
        batch, size = shapes[self.gate_experts[task][0]]
        return (batch, len(self.gate_experts[task]), size)

    def _mix_experts(self, shortcut: Any, expert_inputs: dict[str, Any], **context: Any) -> dict[str, Any]:
        """Combines the experts by the gate of each task."""
        outputs = {name: call_layer(expert, expert_inputs[name], **context) for name, expert in self.experts.items()}
        return {
            task: call_layer(
                gate,
                {"shortcut": shortcut, "experts": tf.stack([outputs[name] for name in self.gate_experts[task]], 1)},
                **context,
            )
            for task, gate in self.gates.items()
        }

    def _output_shapes(self, expert_inputs: dict[str, Shape]) -> dict[str, Shape]:
        shapes = {name: output_shape(expert, expert_inputs[name]) for name, expert in self.experts.items()}
        return {task: shapes[self.gate_experts[task][0]] for task in self.gates}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "expert_block": self._expert.config,
            "gate_block": None if self._gate is None else self._gate.config,
            "gate_softmax_temperature": self.gate_softmax_temperature,
            "enable_gate_weights_metrics": self.enable_gate_weights_metrics,
        }


def _owner_and_number(expert: str) -> tuple[str, int]:
    """Sort key of experts: by owner, then by number."""
    owner, _, number = expert.rpartition("_")
    return owner, int(number)
