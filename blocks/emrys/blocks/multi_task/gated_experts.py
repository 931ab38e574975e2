"""What the multi-task blocks share: experts, and gates that mix some of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer
from emrys.blocks.errors import ConfigError
from emrys.blocks.multi_task.experts_gate import ExpertsGate
from emrys.blocks.multi_task.layer_template import LayerTemplate
from emrys.blocks.multi_task.tasks import layer_name


class GatedExperts(Block):
    """Experts and gates, made by a subclass in `__init__`.

    Args:
        expert_block: What each expert is a copy of.
        gate_block: What each gate has a copy of, before its weights. Default: none.
        gate_softmax_temperature: Temperature of the gates. Default: 1.
        enable_gate_weights_metrics: Whether the gates report their weights. Default: False.
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
        super().__init__(name=name, **kwargs)
        self.experts: dict[str, keras.layers.Layer] = {}
        self.gates: dict[str, ExpertsGate] = {}
        #: Names of the experts that each gate mixes, in the order of its weights.
        self.mixed: dict[str, list[str]] = {}
        self.gate_softmax_temperature = gate_softmax_temperature
        self.enable_gate_weights_metrics = enable_gate_weights_metrics
        self._expert = LayerTemplate.of(expert_block, f"{type(self).__name__}: expert_block")
        self._gate = None if gate_block is None else LayerTemplate.of(gate_block, f"{type(self).__name__}: gate_block")

    def _add_experts(self, names: Iterable[str]) -> None:
        for name in names:
            self.experts[name] = self._expert.make(layer_name(name))

    def _add_gate(self, task: str, name: str, experts: Iterable[str]) -> None:
        self.mixed[task] = sorted(experts, key=_place)
        self.gates[task] = ExpertsGate(
            len(self.mixed[task]),
            gate_block=None if self._gate is None else self._gate.make(),
            softmax_temperature=self.gate_softmax_temperature,
            enable_gate_weights_metrics=self.enable_gate_weights_metrics,
            name=name,
        )

    def _build_parts(self, shortcut: Shape, given: dict[str, Shape]) -> None:
        """Builds the experts, each for the shape that it is given, and the gates."""
        shapes = {name: build_layer(expert, given[name]) for name, expert in self.experts.items()}
        different = sorted({str(shape) for shape in shapes.values()})
        if len(different) > 1 or isinstance(next(iter(shapes.values())), dict):
            raise ConfigError(f"{self.name} needs experts that give one tensor of one shape", got=", ".join(different))
        for task, gate in self.gates.items():
            build_layer(gate, {"shortcut": shortcut, "experts": self._stacked(task, shapes)})

    def _stacked(self, task: str, shapes: dict[str, Shape]) -> Shape:
        batch, size = shapes[self.mixed[task][0]]
        return (batch, len(self.mixed[task]), size)

    def _mix(self, shortcut: Any, given: dict[str, Any], **told: Any) -> dict[str, Any]:
        """What each gate makes of its experts, by task."""
        found = {name: call_layer(expert, given[name], **told) for name, expert in self.experts.items()}
        return {
            task: call_layer(
                gate, {"shortcut": shortcut, "experts": tf.stack([found[name] for name in self.mixed[task]], 1)}, **told
            )
            for task, gate in self.gates.items()
        }

    def _mixed_shapes(self, given: dict[str, Shape]) -> dict[str, Shape]:
        shapes = {name: as_shape(expert.compute_output_shape(given[name])) for name, expert in self.experts.items()}
        return {task: shapes[self.mixed[task][0]] for task in self.gates}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "expert_block": self._expert.config,
            "gate_block": None if self._gate is None else self._gate.config,
            "gate_softmax_temperature": self.gate_softmax_temperature,
            "enable_gate_weights_metrics": self.enable_gate_weights_metrics,
        }


def _place(expert: str) -> tuple[str, int]:
    """Experts go by their owner's name, and by number, so that the tenth does not come before the second."""
    owner, _, number = expert.rpartition("_")
    return owner, int(number)
