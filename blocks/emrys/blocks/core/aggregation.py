"""Aggregations: layers that combine several tensors into one."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import Any, ClassVar, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.l2_normalize import l2_normalize
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.utils.registry import Registry

#: The aggregations by the names that `aggregation=` accepts.
aggregation_registry: Any = Registry.class_registry("aggregation")


class TabularAggregation(Block):
    """Base class of layers that combine a dictionary of tensors into one.

    A subclass implements `combine`, which gets the tensors in alphabetical order of their names.
    """

    #: The aggregations by the names that `aggregation=` accepts.
    registry: ClassVar[Any] = aggregation_registry

    def get_values(self, inputs: dict[str, tf.Tensor]) -> list[Any]:
        """Returns the tensors of a dictionary in alphabetical order of their names."""
        return [inputs[name] for name in sorted(inputs)]

    def combine(self, values: list[tf.Tensor]) -> Any:
        """Combines `values` into one tensor."""
        raise NotImplementedError

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Aggregates a dictionary; a single tensor is returned unchanged."""
        if not isinstance(inputs, dict):
            return inputs
        return self.combine(self.get_values(inputs))


class PairAggregation(TabularAggregation):
    """Base class of aggregations of two tensors, in a dictionary or as two arguments.

    A subclass implements `combine_pair`; from a dictionary it gets the tensors in alphabetical order of their names.
    """

    def combine_pair(self, left: tf.Tensor, right: tf.Tensor) -> Any:
        """Combines two tensors into one."""
        raise NotImplementedError

    def build(self, input_shape: Shape) -> None:
        """Checks that there are two tensors of the same shape."""
        if isinstance(input_shape, dict):
            self.compute_output_shape(input_shape)
        self.built = True

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], other: tf.Tensor | None = None) -> Any:
        """Aggregates a dictionary of two tensors, or `inputs` and `other`."""
        if other is not None:
            self._check_number(2 if not isinstance(inputs, dict) else 1 + len(inputs))
            return self.combine_pair(inputs, other)
        self._check_number(len(inputs) if isinstance(inputs, dict) else 1)
        left, right = (inputs[name] for name in sorted(inputs))
        return self.combine_pair(left, right)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape that both tensors have."""
        self._check_number(len(input_shape) if isinstance(input_shape, dict) else 1)
        return common_shape(self, input_shape)

    def _check_number(self, number: int) -> None:
        if number != 2:
            raise ConfigError(f"{self.name} takes two tensors", got=str(number))


def parse_aggregation(value: object) -> keras.layers.Layer | None:
    """Returns the aggregation of a name; None and layers are returned unchanged.

    Raises:
        ConfigError: if there is none of that name.
    """
    aggregation = aggregation_registry.parse(value)
    if aggregation is not None and not isinstance(aggregation, keras.layers.Layer):
        raise ConfigError("aggregation", expected="None, a name or a layer", got=repr(value))
    return aggregation


def shapes_in_order(layer: keras.layers.Layer, input_shape: Shape) -> list[tuple[int | None, ...]]:
    """Returns the shapes of a dictionary in alphabetical order of its keys, after checking that all have one rank."""
    shapes = as_shape(input_shape)
    if not shapes:
        raise ConfigError(
            f"{layer.name} has nothing to aggregate", got="no features", fix="Check the filters and tags before it."
        )
    ordered = [shapes[name] for name in sorted(shapes)]
    if len({len(shape) for shape in ordered}) > 1:
        raise ConfigError(
            f"{layer.name} needs tensors of one rank",
            got=", ".join(f"{name} {shapes[name]}" for name in sorted(shapes)),
            fix="Reduce list features first, with a sequence_combiner for one.",
        )
    return ordered


def common_shape(layer: keras.layers.Layer, input_shape: Shape) -> tuple[int | None, ...]:
    """Returns the shape that all tensors of a dictionary share; an unknown size matches any size.

    Raises:
        ConfigError: if ranks or known sizes differ.
    """
    sizes = list(zip(*shapes_in_order(layer, input_shape), strict=True))
    known_sizes = [{size for size in axis_sizes if size is not None} for axis_sizes in sizes]
    if any(len(sizes_of_axis) > 1 for sizes_of_axis in known_sizes):
        shapes = as_shape(input_shape)
        raise ConfigError(
            f"{layer.name} needs tensors of one shape",
            got=", ".join(f"{name} {shapes[name]}" for name in sorted(shapes)),
            fix="Give all embeddings one dimension.",
        )
    return tuple(next(iter(sizes_of_axis), None) for sizes_of_axis in known_sizes)


def any_mask(previous_mask: tf.Tensor | Mapping[str, tf.Tensor] | None) -> Any:
    """Returns the union of the masks of several lists; None if none has a mask."""
    masks = previous_mask.values() if isinstance(previous_mask, dict) else [previous_mask]
    present = [mask for mask in masks if mask is not None]
    return functools.reduce(tf.logical_or, present) if present else None


@aggregation_registry.register("concat")
@keras.saving.register_keras_serializable("emrys")
class ConcatFeatures(TabularAggregation):
    """Concatenates tensors, in alphabetical order of their names.

    Args:
        axis: Axis of the concatenation. Default: -1.
        output_dtype: Type of the result. Default: `"float32"`.

    Input shape:
        Dictionary of tensors that differ along `axis` alone, such as (B, D_1), (B, D_2), …; dense, ragged or sparse.

    Output shape:
        (B, D_1 + D_2 + …), sparse where all inputs are.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ConcatFeatures()({"b": np.ones((1, 2)), "a": np.zeros((1, 1))}).numpy().tolist()
        [[0.0, 1.0, 1.0]]
    """

    def __init__(self, axis: int = -1, output_dtype: str = "float32", **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True
        self.output_dtype = keras.backend.standardize_dtype(output_dtype)

    def combine(self, values: list[tf.Tensor]) -> Any:
        """Concatenates `values`."""
        values = [tf.cast(value, self.output_dtype) for value in values]
        sparse = [isinstance(value, tf.SparseTensor) for value in values]
        if all(sparse):
            return tf.sparse.concat(self.axis, values)
        values = [
            tf.sparse.to_dense(value) if is_sparse else value for value, is_sparse in zip(values, sparse, strict=True)
        ]
        return tf.concat(values, axis=self.axis)

    def compute_mask(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        previous_mask: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the union of the lists' masks; None unless they are concatenated on the last axis."""
        return any_mask(previous_mask) if self.axis == -1 else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape with the sum of the sizes along `axis`."""
        if not isinstance(input_shape, dict):
            return as_shape(input_shape)
        shapes = shapes_in_order(self, input_shape)
        sizes = [shape[self.axis] for shape in shapes]
        result = list(shapes[0])
        result[self.axis] = None if None in sizes else sum(size for size in sizes if size is not None)
        return tuple(result)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "axis": self.axis, "output_dtype": self.output_dtype}


@aggregation_registry.register("stack")
@keras.saving.register_keras_serializable("emrys")
class StackFeatures(TabularAggregation):
    """Stacks tensors of one shape along a new axis, in alphabetical order of their names.

    Args:
        axis: Position of the new axis. Default: -1.
        output_dtype: Type of the result. Default: `"float32"`.

    Input shape:
        Dictionary of F tensors (B, D).

    Output shape:
        (B, D, F) for `axis=-1`, (B, F, D) for `axis=1`.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.StackFeatures(axis=1)({"b": np.ones((1, 2)), "a": np.zeros((1, 2))}).numpy().tolist()
        [[[0.0, 0.0], [1.0, 1.0]]]
    """

    def __init__(self, axis: int = -1, output_dtype: str = "float32", **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.output_dtype = keras.backend.standardize_dtype(output_dtype)

    def combine(self, values: list[tf.Tensor]) -> Any:
        """Stacks `values`."""
        return tf.stack([tf.cast(value, self.output_dtype) for value in values], axis=self.axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape with the new axis."""
        if not isinstance(input_shape, dict):
            return as_shape(input_shape)
        shapes = shapes_in_order(self, input_shape)
        if len({shape[1:] for shape in shapes}) > 1:
            got = ", ".join(f"{name} {as_shape(input_shape)[name]}" for name in sorted(input_shape))
            raise ConfigError(
                f"{self.name} needs tensors of one shape", got=got, fix="Give all embeddings one dimension."
            )
        result = list(shapes[0])
        result.insert(self.axis if self.axis >= 0 else len(result) + 1 + self.axis, len(shapes))
        return tuple(result)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "axis": self.axis, "output_dtype": self.output_dtype}


@aggregation_registry.register_with_multiple_names("element-wise-sum", "sum")
@keras.saving.register_keras_serializable("emrys")
class ElementwiseSum(TabularAggregation):
    """Sums tensors of one shape, element by element: `Σ_f x_f`.

    Input shape:
        Dictionary of F tensors (B, D).

    Output shape:
        (B, D)

    Raises:
        ConfigError: when built, if the shapes differ.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ElementwiseSum()({"a": np.array([[1.0, 2.0]]), "b": np.array([[10.0, 20.0]])}).numpy().tolist()
        [[11.0, 22.0]]
    """

    def __init__(self, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        previous_mask: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the union of the lists' masks."""
        return any_mask(previous_mask)

    def build(self, input_shape: Shape) -> None:
        """Checks the shapes."""
        self.compute_output_shape(input_shape)
        self.built = True

    def combine(self, values: list[tf.Tensor]) -> Any:
        """Returns the sum of `values`."""
        return functools.reduce(operator.add, values)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape that all inputs have."""
        return common_shape(self, input_shape) if isinstance(input_shape, dict) else as_shape(input_shape)


@aggregation_registry.register_with_multiple_names("cosine", "cosine-similarity")
@keras.saving.register_keras_serializable("emrys")
class CosineSimilarity(PairAggregation):
    """Cosine of the angle between two vectors, row by row: `x · y / (‖x‖ ‖y‖)`. For a vector of zeros it is 0.

    Input shape:
        Dictionary of two tensors (B, D), or two arguments (B, D).

    Output shape:
        (B, 1)

    Raises:
        ConfigError: when built, if there are not two tensors of one shape.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> batch = {"query": np.array([[3.0, 4.0]]), "item": np.array([[4.0, 3.0]])}
        >>> round(float(mm.CosineSimilarity()(batch)[0, 0]), 6)
        0.96
    """

    def combine_pair(self, left: tf.Tensor, right: tf.Tensor) -> Any:
        """Returns the cosines."""
        return tf.reduce_sum(l2_normalize(left) * l2_normalize(right), axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, 1)."""
        return (*super().compute_output_shape(input_shape)[:-1], 1)


@aggregation_registry.register("elementwise-multiply")
@keras.saving.register_keras_serializable("emrys")
class ElementWiseMultiply(PairAggregation):
    """Multiplies two tensors element by element: `x ⊙ y`.

    Input shape:
        Dictionary of two tensors (B, D), or two arguments (B, D).

    Output shape:
        (B, D)

    Raises:
        ConfigError: when built, if there are not two tensors of one shape.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ElementWiseMultiply()({"a": np.array([[1.0, 2.0]]), "b": np.array([[3.0, 4.0]])}).numpy().tolist()
        [[3.0, 8.0]]
    """

    def combine_pair(self, left: tf.Tensor, right: tf.Tensor) -> Any:
        """Returns the product."""
        return left * right


@aggregation_registry.register("element-wise-sum-item-multi")
@keras.saving.register_keras_serializable("emrys")
class ElementwiseSumItemMulti(TabularAggregation):
    """Multiplies the item id's embedding by the sum of all other features: `x_item ⊙ Σ_{f ≠ item} x_f`.

    Args:
        schema: Schema with the item id, tagged ITEM_ID. Default: the schema passed to `set_schema`.

    Input shape:
        Dictionary of F tensors (B, D), the item id's among them, F at least 2.

    Output shape:
        (B, D)

    Raises:
        SchemaError: when built, if no schema is known, or it has not one item id, or the batch lacks that column.
        ConfigError: when built, if the shapes differ or there is no other feature.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema, Tags
        >>> schema = Schema([mm.create_categorical_column("item", 9, tags=[Tags.ITEM_ID])])
        >>> batch = {name: np.full((1, 2), value) for name, value in {"item": 2.0, "brand": 3.0, "user": 4.0}.items()}
        >>> mm.ElementwiseSumItemMulti(schema)(batch).numpy().tolist()
        [[14.0, 14.0]]
    """

    def __init__(self, schema: Schema | None = None, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self._schema = schema

    @property
    def schema(self) -> Schema | None:
        """The schema in which the item's id is looked up."""
        return self._schema

    def set_schema(self, schema: Schema | None) -> Self:
        """Sets the schema in which the item id is looked up, unless the constructor got one; returns the layer."""
        if self._schema is None:
            self._schema = schema
        return self

    def _item_id(self, inputs: dict[str, Any]) -> str:
        if self._schema is None:
            raise SchemaError(f"{self.name} knows no schema", fix="Give it one: ElementwiseSumItemMulti(schema).")
        ids = self._schema.select_by_tag(Tags.ITEM_ID).column_names
        if len(ids) != 1:
            raise SchemaError(
                f"{self.name} needs the item's id",
                expected="one column tagged ITEM_ID",
                got=", ".join(ids) or "none",
            )
        if ids[0] not in inputs:
            raise SchemaError(f"{self.name} misses the item's id", column=ids[0], got=", ".join(sorted(inputs)))
        if len(inputs) < 2:
            raise ConfigError(f"{self.name} multiplies the item's id with other features", got="no other feature")
        return str(ids[0])

    def build(self, input_shape: Shape) -> None:
        """Checks the shapes, and that the batch has the item id."""
        self.compute_output_shape(input_shape)
        self.built = True

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Aggregates a dictionary."""
        item = self._item_id(_features(self, inputs))
        others = [inputs[name] for name in sorted(inputs) if name != item]
        return inputs[item] * functools.reduce(operator.add, others)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape that all inputs have."""
        self._item_id(_features(self, as_shape(input_shape)))
        return common_shape(self, input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "schema": to_config(self._schema)}


def _features(layer: keras.layers.Layer, inputs: Any) -> dict[str, Any]:
    if not isinstance(inputs, dict):
        raise ConfigError(f"{layer.name} takes features by name", expected="a dictionary", got="one tensor")
    return inputs
