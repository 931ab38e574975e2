"""Dense layers on tensors or dictionaries of features, and stacks of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import ConcatFeatures
from emrys.blocks.core.block import Block, parse_activation
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.core.tabular import Filter
from emrys.blocks.errors import ConfigError


class LayerAttributes:
    """The attributes of a layer, read-only. It is not the layer: Keras would take a property for a layer inside."""

    __slots__ = ("_layer",)

    def __init__(self, layer: keras.layers.Layer) -> None:
        self._layer = layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)


@keras.saving.register_keras_serializable("emrys")
class Dense(keras.layers.Dense, Block):
    """`keras.layers.Dense` that concatenates a dictionary of features first.

    Args:
        units: Size of the output.
        activation: Activation function. Default: none.
        use_bias: Whether there is a bias. Default: True.
        kernel_initializer: Initializer of the weights. Default: `"glorot_uniform"`.
        bias_initializer: Initializer of the bias. Default: `"zeros"`.
        kernel_regularizer: Regularizer of the weights. Default: none.
        bias_regularizer: Regularizer of the bias. Default: none.
        activity_regularizer: Regularizer of the output. Default: none.
        kernel_constraint: Constraint of the weights. Default: none.
        bias_constraint: Constraint of the bias. Default: none.
        **kwargs: Arguments of every layer: `name`, `dtype`, `trainable`.

    Input shape:
        (B, D), (B, L, D) dense or ragged, or a dictionary of such tensors, which are concatenated in alphabetical order
        of their names.

    Output shape:
        (B, `units`), or (B, L, `units`)

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> tuple(mm.Dense(3)({"a": np.ones((2, 1)), "b": np.ones((2, 4))}).shape)
        (2, 3)
    """

    def __init__(
        self,
        units: int,
        activation: str | Callable[[tf.Tensor], tf.Tensor] | keras.layers.Layer | None = None,
        use_bias: bool = True,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        bias_initializer: str | keras.initializers.Initializer = "zeros",
        kernel_regularizer: str | keras.regularizers.Regularizer | None = None,
        bias_regularizer: str | keras.regularizers.Regularizer | None = None,
        activity_regularizer: str | keras.regularizers.Regularizer | None = None,
        kernel_constraint: str | keras.constraints.Constraint | None = None,
        bias_constraint: str | keras.constraints.Constraint | None = None,
        **kwargs: Any,
    ) -> None:
        # Keras has no types, so mypy takes `Block` for the next class.
        super().__init__(
            units,  # type: ignore[arg-type]
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self._concat = ConcatFeatures()
        self.input_spec = None  # that of Keras only allows a single tensor

    @property
    def dense(self) -> LayerAttributes:
        """The attributes of this layer as a `keras.layers.Dense`, such as `units` and `kernel`; read-only."""
        return LayerAttributes(self)

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for the concatenated input."""
        super().build(self._concat.compute_output_shape(as_shape(input_shape)))
        self.input_spec = None

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool | None = None) -> Any:
        """Applies the layer."""
        values = self._concat.call(inputs)
        if isinstance(values, tf.RaggedTensor):
            return values.with_flat_values(super().call(values.flat_values, training=training))  # type: ignore[call-arg]
        return super().call(values, training=training)  # type: ignore[call-arg]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, `units`)."""
        return as_shape(super().compute_output_shape(self._concat.compute_output_shape(as_shape(input_shape))))


@keras.saving.register_keras_serializable("emrys")
class MLPBlock(SequentialBlock):
    """Multi-layer perceptron: `x ← activation(W x + b)` for each layer, with optional dropout and normalization.

    Args:
        dimensions: Sizes of the layers.
        activation: Activation of all layers, or one for each. Default: `"relu"`.
        use_bias: Whether the layers have a bias. Default: True.
        kernel_initializer: Initializer of the kernels. Default: `"glorot_uniform"`.
        bias_initializer: Initializer of the biases. Default: `"zeros"`.
        kernel_regularizer: Regularizer of the kernels. Default: none.
        bias_regularizer: Regularizer of the biases. Default: none.
        activity_regularizer: Regularizer of the outputs. Default: none.
        dropout: Dropout rate after each layer, or one rate for each. Default: none.
        normalization: `"batch_norm"`, or a layer, which is copied for each dense layer. Default: none.
        filter: Features to use, see `Filter`. Default: all.
        no_activation_last_layer: Whether the last layer is linear and without dropout. Default: False.
        block_name: Name of the block. Default: `"MLPBlock"`.

    Input shape:
        (B, D), or a dictionary of such tensors, which are concatenated in alphabetical order of their names.

    Output shape:
        (B, `dimensions[-1]`)

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> tuple(mm.MLPBlock([8, 4])(np.ones((2, 5), "float32")).shape)
        (2, 4)
    """

    def __init__(
        self,
        dimensions: Sequence[int],
        activation: str | Callable[[tf.Tensor], tf.Tensor] | keras.layers.Layer = "relu",
        use_bias: bool = True,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        bias_initializer: str | keras.initializers.Initializer = "zeros",
        kernel_regularizer: str | keras.regularizers.Regularizer | None = None,
        bias_regularizer: str | keras.regularizers.Regularizer | None = None,
        activity_regularizer: str | keras.regularizers.Regularizer | None = None,
        dropout: float | Sequence[float] | None = None,
        normalization: str | keras.layers.Layer | None = None,
        filter: Schema | str | Tags | Sequence[str | Tags] | Filter | None = None,
        no_activation_last_layer: bool = False,
        block_name: str = "MLPBlock",
        **kwargs: Any,
    ) -> None:
        if not dimensions or any(not isinstance(size, int) or size < 1 for size in dimensions):
            raise ConfigError("MLPBlock: dimensions", expected="a list of sizes above 0", got=repr(dimensions))
        self._arguments = {
            "dimensions": list(dimensions),
            "activation": activation,
            "use_bias": use_bias,
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "dropout": dropout,
            "normalization": normalization,
            "no_activation_last_layer": no_activation_last_layer,
        }
        activations = _for_each("activation", activation, len(dimensions))
        for each in activations:
            parse_activation(each, "MLPBlock")
        dropouts = _for_each("dropout", dropout, len(dimensions))
        if no_activation_last_layer:
            activations[-1], dropouts[-1] = "linear", None
        layers: list[keras.layers.Layer] = []
        for size, act, drop in zip(dimensions, activations, dropouts, strict=True):
            layers.append(
                Dense(
                    size,
                    activation=act,
                    use_bias=use_bias,
                    kernel_initializer=_fresh(kernel_initializer),
                    bias_initializer=_fresh(bias_initializer),
                    kernel_regularizer=kernel_regularizer,
                    bias_regularizer=bias_regularizer,
                    activity_regularizer=activity_regularizer,
                )
            )
            if drop:
                layers.append(keras.layers.Dropout(drop))
            if normalization is not None:
                layers.append(_normalization(normalization))
        name = kwargs.pop("name", None) or block_name
        super().__init__(layers, filter=filter, block_name=name, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = Block.get_config(self)
        return {**config, **to_config(self._arguments), "filter": to_config(self.filter)}

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the block from `get_config`."""
        return cls(**from_config(config))


def _for_each(argument: str, value: Any, count: int) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ConfigError(
            f"MLPBlock: {argument}", expected=f"one value, or {count}, one for each layer", got=f"{len(value)}"
        )
    return list(value)


def _fresh(initializer: Any) -> Any:
    # Layers that share a seeded initializer would start with equal weights, and Keras warns of it.
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer


def _normalization(value: Any) -> keras.layers.Layer:
    if value == "batch_norm":
        return keras.layers.BatchNormalization()
    if isinstance(value, keras.layers.Layer):
        return type(value).from_config(value.get_config())
    raise ConfigError("MLPBlock: normalization", expected="'batch_norm' or a layer", got=repr(value))
