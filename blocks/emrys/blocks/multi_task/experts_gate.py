"""The gate of a mixture of experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, UnnamedBlockArguments
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError
from emrys.blocks.mlp.mlp_block import Dense
from emrys.blocks.multi_task.tasks import layer_name

_KEYS = {"shortcut", "experts"}


@keras.saving.register_keras_serializable("emrys")
class ExpertsGate(Block):
    """Combines experts by weights that depend on the input.

    With x the shortcut and e_i the experts: w = softmax(gate_block(x) K / temperature), output = sum of w_i e_i.

    Args:
        num_experts: Number of experts N.
        gate_block: Block on the shortcut, before the layer of the weights. Default: none.
        softmax_temperature: Temperature of the softmax; higher values give more even weights. Default: 1.
        enable_gate_weights_metrics: Whether the mean weight of each expert is a metric of training and evaluation,
            `<name>_weight_<i>`. Default: False.
        name: Name of the gate; it may contain a slash.

    Input shape:
        Dictionary of `"shortcut"` (B, D_in) and `"experts"` (B, N, D).

    Output shape:
        (B, D)

    Raises:
        ConfigError: if an argument is invalid, or the input has other keys or another number of experts.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> inputs = {"shortcut": np.ones((2, 5), "float32"), "experts": np.ones((2, 3, 4), "float32")}
        >>> tuple(mm.ExpertsGate(num_experts=3)(inputs).shape)
        (2, 4)

    Source:
        Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts, 2018.
    """

    def __init__(
        self,
        num_experts: int,
        gate_block: keras.layers.Layer | None = None,
        softmax_temperature: float = 1.0,
        enable_gate_weights_metrics: bool = False,
        name: str | None = None,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        super().__init__(name=None if name is None else layer_name(name), **kwargs)
        if not isinstance(num_experts, int) or num_experts < 1:
            raise ConfigError("ExpertsGate: num_experts", expected="a whole number above 0", got=repr(num_experts))
        if softmax_temperature <= 0:
            raise ConfigError(
                "ExpertsGate: softmax_temperature", expected="a number above 0", got=repr(softmax_temperature)
            )
        self.num_experts = num_experts
        self.gate_block = gate_block
        self.softmax_temperature = softmax_temperature
        self.enable_gate_weights_metrics = enable_gate_weights_metrics
        self.gate_name = name or self.name
        self.gate_final = Dense(num_experts, use_bias=False, name="gate_final")
        self.gate_weights_metrics = (
            [keras.metrics.Mean(name=f"{self.gate_name}_weight_{number}") for number in range(num_experts)]
            if enable_gate_weights_metrics
            else []
        )

    def _check(self, inputs: Any, experts_shape: Any) -> None:
        if experts_shape is None:
            got = ", ".join(map(repr, sorted(inputs))) if isinstance(inputs, dict) else type(inputs).__name__
            raise ConfigError(f"{self.name} takes a dictionary of 'shortcut' and 'experts'", got=got)
        if len(experts_shape) != 3 or experts_shape[1] != self.num_experts:
            raise ConfigError(
                f"{self.name}: experts", expected=f"shape (B, {self.num_experts}, D)", got=str(tuple(experts_shape))
            )

    def build(self, input_shape: Shape) -> None:
        """Builds the gate."""
        shape = as_shape(input_shape)
        has_keys = isinstance(shape, dict) and set(shape) == _KEYS
        self._check(shape, shape["experts"] if has_keys else None)
        shortcut = shape["shortcut"]
        build_layer(self.gate_final, shortcut if self.gate_block is None else build_layer(self.gate_block, shortcut))
        self.built = True

    def call(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool | None = None, testing: bool | None = None
    ) -> Any:
        """Combines the experts."""
        has_keys = isinstance(inputs, dict) and set(inputs) == _KEYS
        self._check(inputs, inputs["experts"].shape if has_keys else None)
        weights = self.gate_weights(inputs["shortcut"], training=training)
        if training or testing:
            for number, metric in enumerate(self.gate_weights_metrics):
                metric.update_state(weights[:, number])
        experts = tf.convert_to_tensor(inputs["experts"])
        return tf.reduce_sum(tf.cast(weights, experts.dtype)[:, :, tf.newaxis] * experts, axis=1)

    def gate_weights(self, shortcut: tf.Tensor, training: bool | None = None) -> Any:
        """The weight of each expert, (B, N); they sum to 1."""
        if self.gate_block is not None:
            shortcut = call_layer(self.gate_block, shortcut, training=training)
        logits = self.gate_final(shortcut)
        # In float32 for every policy: float16 weights do not sum to 1.
        return tf.nn.softmax(tf.cast(logits, "float32") / self.softmax_temperature)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D)."""
        experts = as_shape(input_shape)["experts"]
        return (experts[0], experts[2])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_experts": self.num_experts,
            "gate_block": to_config(self.gate_block),
            "softmax_temperature": self.softmax_temperature,
            "enable_gate_weights_metrics": self.enable_gate_weights_metrics,
            "name": self.gate_name,
        }
