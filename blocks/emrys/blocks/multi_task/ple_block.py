"""Progressive Layered Extraction (PLE): several layers of task-specific and shared experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer, output_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.multi_task.cgc_block import CGCBlock
from emrys.blocks.multi_task.layer_template import LayerTemplate
from emrys.blocks.multi_task.tasks import task_names


@keras.saving.register_keras_serializable("emrys")
class PLEBlock(Block):
    """Progressive Layered Extraction: a stack of `CGCBlock`s, all but the last with a shared gate.

    The input of the experts of a layer is the output of the previous layer for their task, or its shared output; the
    input of the gates of all layers is that of the block.

    Args:
        num_layers: Number of layers.
        outputs: The tasks: an `OutputBlock`, another `ParallelBlock` of outputs, or a list of names; `"shared"` and
            `"shortcut"` are reserved.
        expert_block: Block that is copied for each expert, with separate weights.
        num_task_experts: Number of experts of each task in each layer. Default: 1.
        num_shared_experts: Number of shared experts in each layer. Default: 1.
        gate_block: Block that is copied into each gate, before its weights. Default: none.
        gate_softmax_temperature: Temperature of the softmax of the gates. Default: 1.
        enable_gate_weights_metrics: Whether the mean gate weights are metrics of training and evaluation. Their names
            are `gate_<task>_weight_<i>`, with several layers `layer_<n>/gate_<task>_weight_<i>`. Default: False.
        name: Name of the block.

    Input shape:
        (B, D_in)

    Output shape:
        Dictionary of (B, D) by task, and the input (B, D_in) under `"shortcut"`.

    Raises:
        ConfigError: if an argument is invalid, or the output of an expert is not (B, D).

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> block = mm.PLEBlock(2, ["click", "like"], mm.MLPBlock([4]))
        >>> {name: tuple(value.shape) for name, value in block(np.ones((2, 5), "float32")).items()}
        {'shortcut': (2, 5), 'click': (2, 4), 'like': (2, 4)}

    Source:
        Tang et al., Progressive Layered Extraction: A Novel Multi-Task Learning Model for Personalized
        Recommendations, 2020.
    """

    def __init__(
        self,
        num_layers: int,
        outputs: tf.Tensor | Mapping[str, tf.Tensor] | Prediction,
        expert_block: keras.layers.Layer,
        num_task_experts: int = 1,
        num_shared_experts: int = 1,
        gate_block: keras.layers.Layer | None = None,
        gate_softmax_temperature: float = 1.0,
        enable_gate_weights_metrics: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("schema", None)  # accepted, as released: experts take one tensor, whose columns have no names
        super().__init__(name=name, **kwargs)
        if not isinstance(num_layers, int) or num_layers < 1:
            raise ConfigError("PLEBlock: num_layers", expected="a whole number above 0", got=repr(num_layers))
        self.num_layers = num_layers
        self.task_names = task_names(outputs, "PLEBlock")
        self.num_task_experts = num_task_experts
        self.num_shared_experts = num_shared_experts
        self.gate_softmax_temperature = gate_softmax_temperature
        self.enable_gate_weights_metrics = enable_gate_weights_metrics
        self._expert = LayerTemplate.of(expert_block, "PLEBlock: expert_block")
        self._gate = None if gate_block is None else LayerTemplate.of(gate_block, "PLEBlock: gate_block")
        self.layers = [self._layer(number) for number in range(num_layers)]

    def _layer(self, number: int) -> CGCBlock:
        return CGCBlock(
            self.task_names,
            self._expert.create(),
            num_task_experts=self.num_task_experts,
            num_shared_experts=self.num_shared_experts,
            add_shared_gate=number < self.num_layers - 1,
            gate_block=None if self._gate is None else self._gate.create(),
            gate_softmax_temperature=self.gate_softmax_temperature,
            enable_gate_weights_metrics=self.enable_gate_weights_metrics,
            name=f"layer_{number}",
            gate_prefix=f"layer_{number}/" if self.num_layers > 1 else "",
        )

    def build(self, input_shape: Shape) -> None:
        """Builds the layers."""
        shape = as_shape(input_shape)
        for layer in self.layers:
            shape = build_layer(layer, shape)
        self.built = True

    def call(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool | None = None, testing: bool | None = None
    ) -> Any:
        """Runs the input through the layers."""
        for layer in self.layers:
            inputs = call_layer(layer, inputs, training=training, testing=testing)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D) by task, and the shape of the shortcut."""
        shape = as_shape(input_shape)
        for layer in self.layers:
            shape = output_shape(layer, shape)
        return shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "outputs": list(self.task_names),
            "expert_block": self._expert.config,
            "num_task_experts": self.num_task_experts,
            "num_shared_experts": self.num_shared_experts,
            "gate_block": None if self._gate is None else self._gate.config,
            "gate_softmax_temperature": self.gate_softmax_temperature,
            "enable_gate_weights_metrics": self.enable_gate_weights_metrics,
        }
