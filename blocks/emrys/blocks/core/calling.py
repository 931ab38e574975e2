"""Calls of layers: the per-step context, the keyword arguments that a layer accepts, and the resulting shapes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError

#: A shape, or a dictionary of shapes by feature name. Not the union of the two: a layer knows from its inputs which one
#: it gets, and every `build` would have to tell the type checker by an assertion.
Shape = Any


@dataclass(frozen=True)
class StepContext:
    """Per-step context of a model's `call`: one object, since Keras would cast the tensors of a dictionary.

    Attributes:
        targets: Targets by name, or the only one. Default: none.
        testing: Whether it is an evaluation step. Default: False.
        check_columns: Whether the features are checked against the model's schema. Default: True.
    """

    targets: Any = None
    testing: bool = False
    check_columns: bool = True


@functools.cache
def _accepted(call: Callable[..., Any]) -> frozenset[str] | None:
    """Keyword arguments that a layer's `call` takes; None when it takes any."""
    parameters = inspect.signature(call).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    # Without `self` and the inputs, whatever their name.
    return frozenset(parameter.name for parameter in list(parameters)[2:])


def call_layer(layer: keras.layers.Layer, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> Any:
    """Calls `layer` with the `kwargs` that it accepts and that are not None.

    Blocks pass `training`, `testing`, `features` and `targets` on to all inner layers; a plain Keras layer accepts
    `training` at most.
    """
    accepted = _accepted(type(layer).call)
    passed = {
        key: value for key, value in kwargs.items() if value is not None and (accepted is None or key in accepted)
    }
    if isinstance(inputs, tf.RaggedTensor) and isinstance(layer, _RECURRENT):
        return _call_recurrent(layer, inputs, **passed)
    if layer.name.startswith("_"):  # a name that TensorFlow refuses outside of another scope
        with tf.name_scope("layer"):
            return layer(inputs, **passed)
    return layer(inputs, **passed)


_RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional)


def _call_recurrent(layer: keras.layers.Layer, inputs: tf.RaggedTensor, **kwargs: Any) -> Any:
    """Calls a recurrent layer of Keras, which does not take ragged lists, on padded ones with their mask."""
    lengths = inputs.row_lengths()
    outputs = layer(inputs.to_tensor(), mask=tf.sequence_mask(lengths), **kwargs)
    each_element = getattr(layer, "return_sequences", False)
    return tf.RaggedTensor.from_tensor(outputs, lengths) if each_element else outputs


def as_shape(shape: Any) -> Shape:
    """Returns shapes as tuples; the configuration of a saved model holds lists."""
    if shape is None:  # as Keras has it for an empty dictionary
        return {}
    if isinstance(shape, dict):
        return {name: as_shape(value) for name, value in shape.items()}
    if isinstance(shape, tuple) and hasattr(shape, "_fields"):  # a named tuple of shapes, as of scores and identifiers
        return type(shape)(*map(as_shape, shape))
    if isinstance(shape, (list, tuple)) and any(isinstance(size, (list, tuple, dict)) for size in shape):
        return tuple(map(as_shape, shape))  # of several tensors
    return tuple(None if size is None else int(size) for size in shape)


def call_layers(
    layers: Sequence[keras.layers.Layer], inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object
) -> Any:
    """Calls `layers` one after the other; see `call_layer`.

    If a layer that accepts targets returns a pair of features and targets, as `PrepareFeatures` does, the following
    layers get these features and targets. The same holds for a `Prediction` of features, as of `InBatchNegatives`;
    then the result is a `Prediction` too, with the new targets and features for the model.
    """
    batch = None
    for layer in layers:
        if has_targets(inputs):
            inputs, kwargs["targets"] = inputs
        outputs = call_layer(layer, inputs, **kwargs)
        if isinstance(outputs, Prediction) and isinstance(outputs.outputs, Mapping) and layer is not layers[-1]:
            batch, outputs = outputs, outputs.outputs
            kwargs["features"] = outputs
            kwargs["targets"] = kwargs.get("targets") if batch.targets is None else batch.targets
        inputs = outputs
    if batch is None or batch.targets is None or isinstance(inputs, Prediction):
        return inputs
    return Prediction(inputs, kwargs["targets"], batch.sample_weight, kwargs["features"])


def has_targets(outputs: object) -> bool:
    """Whether the output of a layer is a pair of features and targets."""
    return type(outputs) is tuple and len(outputs) == 2 and isinstance(outputs[0], dict)


def build_layer(layer: keras.layers.Layer, shape: Shape) -> Shape:
    """Builds `layer` for inputs of `shape`, unless it is built, and returns the shape of its output."""
    if not layer.built:
        # Keras' own `build` creates nothing: a layer that relies on it creates its inner layers' weights when called.
        if type(layer).build is not keras.layers.Layer.build or declares_output_shape(layer):
            layer.build(shape)
        else:
            return traced_shape(functools.partial(call_layer, layer, training=False), shape, layer.name)
    return output_shape(layer, shape)


def build_layers(layers: Iterable[keras.layers.Layer], shape: Shape) -> Shape:
    """Builds a chain of layers and returns the shape of the last one's output."""
    shape = as_shape(shape)
    for layer in layers:
        shape = build_layer(layer, shape)
    return shape


def shape_behind(layers: Iterable[keras.layers.Layer], shape: Shape) -> Shape:
    """Returns the output shape of a chain of layers for an input of `shape`."""
    shape = as_shape(shape)
    for layer in layers:
        shape = output_shape(layer, shape)
    return shape


def output_shape(layer: keras.layers.Layer, shape: Shape) -> Shape:
    """Returns the shape of a layer's output for inputs of `shape`.

    A layer that overrides `call` and not `compute_output_shape` is called on symbolic tensors, see `traced_shape`.
    """
    if declares_output_shape(layer):
        return as_shape(layer.compute_output_shape(shape))
    return traced_shape(functools.partial(call_layer, layer, training=False), shape, layer.name)


def declares_output_shape(layer: keras.layers.Layer) -> bool:
    """Whether the `compute_output_shape` that a layer inherits belongs to its `call`."""
    return _declares_output_shape(type(layer))  # type: ignore[arg-type]  # a class is hashable


@functools.cache
def _declares_output_shape(layer_class: type[keras.layers.Layer]) -> bool:
    for base in layer_class.__mro__:
        if "compute_output_shape" in vars(base):
            return base is not keras.layers.Layer
        # The layers of Keras and of this library that only override `call` inherit the right shape.
        if "call" in vars(base) and base.__module__.partition(".")[0] not in ("keras", "emrys"):
            return False
    return False


class _Traced(keras.Operation):
    """A function as an operation, which Keras calls on symbolic tensors."""

    def __init__(self, function: Callable[[Any], Any], ragged: bool) -> None:
        super().__init__()
        self.function = function
        self.ragged = ragged

    def call(self, inputs: Any) -> Any:
        # Keras has no symbolic ragged tensors.
        return self.function(keras.tree.map_structure(_as_ragged, inputs) if self.ragged else inputs)


def _as_ragged(tensor: Any) -> Any:
    is_list = len(tensor.shape) > 1 and tensor.shape[1] is None
    return tf.RaggedTensor.from_tensor(tensor, ragged_rank=1) if is_list else tensor


#: Type and raggedness of the symbolic tensors, in the order in which they are tried.
_SYMBOLIC: tuple[tuple[str, bool], ...] = (("float32", False), ("int64", False), ("float32", True), ("int64", True))


def traced_shape(function: Callable[[Any], Any], shape: Shape, owner: str) -> Shape:
    """Returns the shape of a function's output, by calling it on symbolic tensors of `shape`.

    Shapes say nothing of types and raggedness, so that numbers, ids and ragged lists are tried in turn.

    Args:
        function: The function, or a layer, which is built by the call.
        shape: Shape, or shapes by name, of the input.
        owner: Name of the layer, for error messages.

    Raises:
        ConfigError: if the function fails on all of them; the first error is its cause.
    """
    first: Exception | None = None
    for dtype, ragged in _SYMBOLIC:
        try:
            outputs = _Traced(function, ragged).compute_output_spec(_symbolic(as_shape(shape), dtype))
        except Exception as error:  # whatever the user's code raises
            first = first or _root_cause(error)
            continue
        return _shapes_of(outputs)
    raise ConfigError(
        f"{owner}: the shape of the output is unknown, as a call fails for inputs of shape {shape}",
        got=f"{type(first).__name__}: {first}",
        fix="Mend the call, or give the layer a compute_output_shape(input_shape).",
    ) from first


def _root_cause(error: BaseException) -> Exception:
    """The first of a chain of exceptions: Keras wraps those of a call."""
    while error.__context__ is not None:
        error = error.__context__
    return error if isinstance(error, Exception) else RuntimeError(str(error))


def _symbolic(shape: Shape, dtype: str) -> Any:
    if isinstance(shape, dict):
        return {name: _symbolic(value, dtype) for name, value in shape.items()}
    if any(isinstance(size, tuple) for size in shape):
        return tuple(_symbolic(value, dtype) for value in shape)
    return keras.KerasTensor(shape, dtype)


def _shapes_of(outputs: Any) -> Shape:
    if isinstance(outputs, dict):
        return {name: _shapes_of(value) for name, value in outputs.items()}
    if isinstance(outputs, (list, tuple)):
        return tuple(map(_shapes_of, outputs))
    return as_shape(outputs.shape)


def check_shape(what: str, got: Any, expected: Any) -> None:
    """Checks a shape against the expected one; unknown sizes match any size.

    Raises:
        ConfigError: if they differ, with both shapes.
    """
    got, expected = tuple(got), tuple(expected)
    same = all(a is None or b is None or a == b for a, b in zip(got, expected, strict=False))
    if len(got) != len(expected) or not same:
        raise ConfigError(f"the shape of {what} does not fit", expected=str(expected), got=str(got))
