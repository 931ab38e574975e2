"""Conversion of list features between ragged, dense and sparse tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.block import block_registry
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.features import OFFSETS, VALUES
from emrys.blocks.core.serializing import to_config
from emrys.blocks.core.tabular import TabularArguments, TabularBlock, TransformArguments
from emrys.blocks.errors import ConfigError


def join_lists(features: dict[str, tf.Tensor]) -> dict[str, Any]:
    """Joins the two tensors of a list, `<name>__values` and `<name>__offsets`, to a ragged one."""
    joined: dict[str, Any] = {}
    for name, tensor in features.items():
        column = name.removesuffix(VALUES)
        if column != name and column + OFFSETS in features:
            offsets = tf.cast(tf.reshape(features[column + OFFSETS], (-1,)), "int64")
            joined[column] = tf.RaggedTensor.from_row_splits(tensor, offsets, validate=False)
        elif not (name.endswith(OFFSETS) and name.removesuffix(OFFSETS) + VALUES in features):
            joined[name] = tensor
    return joined


def joined_shapes(shapes: Shape) -> dict[str, Any]:
    """The shapes of the result of `join_lists`."""
    shapes = as_shape(shapes)
    joined: dict[str, Any] = {}
    for name, shape in shapes.items():
        column = name.removesuffix(VALUES)
        if column != name and column + OFFSETS in shapes:
            joined[column] = (None, None, *shape[1:])
        elif not (name.endswith(OFFSETS) and name.removesuffix(OFFSETS) + VALUES in shapes):
            joined[name] = shape
    return joined


def is_list(tensor: tf.Tensor | tf.RaggedTensor) -> bool:
    """Whether a tensor is ragged or sparse."""
    return isinstance(tensor, (tf.RaggedTensor, tf.SparseTensor))


def as_dense(tensor: tf.Tensor | tf.RaggedTensor, length: int | None = None) -> Any:
    """A list feature as a dense tensor, padded with 0 on the right.

    Args:
        tensor: Ragged, sparse, or dense.
        length: Length to pad or truncate lists to. Default: that of the longest. Dense tensors are unchanged.
    """
    if isinstance(tensor, tf.SparseTensor):
        tensor = tf.sparse.to_dense(tensor)
        return tensor if length is None else _to_length(tensor, length)
    if isinstance(tensor, tf.RaggedTensor):
        return tensor.to_tensor(shape=None if length is None else (None, length, *tensor.shape[2:]))
    return tensor


def as_sparse(tensor: tf.Tensor | tf.RaggedTensor) -> Any:
    """A feature as a sparse tensor: all values of a ragged tensor, the nonzero values of a dense one."""
    if isinstance(tensor, tf.RaggedTensor):
        return tensor.to_sparse()
    return tensor if isinstance(tensor, tf.SparseTensor) else tf.sparse.from_dense(tensor)


def as_ragged(tensor: tf.Tensor | tf.RaggedTensor) -> Any:
    """A list feature as a ragged tensor; dense tensors are unchanged."""
    return tf.RaggedTensor.from_sparse(tensor) if isinstance(tensor, tf.SparseTensor) else tensor


def _to_length(tensor: Any, length: int) -> Any:
    truncated = tensor[:, :length]
    paddings = [[0, 0], [0, length - tf.shape(truncated)[1]], *([0, 0] for _ in tensor.shape[2:])]
    padded = tf.pad(truncated, paddings)
    padded.set_shape((tensor.shape[0], length, *tensor.shape[2:]))
    return padded


@block_registry.register("to_dense")
@keras.saving.register_keras_serializable("emrys")
class ToDense(TabularBlock):
    """Converts ragged and sparse features to dense tensors, padded with 0 on the right.

    Args:
        schema: The columns to convert; their lists are padded or truncated to the maximum length in the schema.
            Default: all features, padded to the longest list of the batch.

    Input shape:
        Dictionary by feature name: ragged (B, None), sparse, dense, or two tensors `<name>__values` and
        `<name>__offsets`; or one such tensor.

    Output shape:
        The same with (B, L) for lists; dense tensors are unchanged.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> mm.ToDense()({"genres": tf.ragged.constant([[3, 5, 7], [2]])})["genres"].numpy().tolist()
        [[3, 5, 7], [2, 0, 0]]
    """

    def __init__(self, schema: Schema | None = None, **kwargs: Unpack[TransformArguments]) -> None:
        super().__init__(**kwargs)
        self._columns = schema

    @property
    def schema(self) -> Schema | None:
        """The columns to convert, None for all."""
        return self._columns

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> Any:
        """Converts the features."""
        if not isinstance(inputs, dict):
            return as_dense(inputs)
        features = join_lists(inputs)
        if self._columns is None:
            return {name: as_dense(tensor) for name, tensor in features.items()}
        return {
            name: as_dense(tensor, self._length(name)) if name in self._columns.column_names else tensor
            for name, tensor in features.items()
        }

    def _length(self, name: str) -> int | None:
        if self._columns is None or name not in self._columns.column_names:
            return None
        longest = (self._columns[name].properties.get("value_count") or {}).get("max")
        return int(longest) if longest else None

    def transform_shape(self, shape: Shape) -> Shape:
        """Shapes with the list lengths of the schema."""
        if not isinstance(shape, dict):
            return shape
        return {name: self._shape(name, each) for name, each in joined_shapes(shape).items()}

    def _shape(self, name: str, shape: tuple[int | None, ...]) -> Shape:
        open_length = len(shape) > 1 and shape[1] is None
        return (shape[0], self._length(name), *shape[2:]) if open_length else shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "schema": to_config(self._columns)}


@block_registry.register("to_sparse")
@keras.saving.register_keras_serializable("emrys")
class ToSparse(TabularBlock):
    """Converts features to sparse tensors: all values of a ragged tensor, the nonzero values of a dense one.

    Args:
        schema: The columns to convert. Default: all features.

    Input shape:
        Dictionary by feature name: ragged (B, None), sparse, dense (B, L), or two tensors `<name>__values` and
        `<name>__offsets`; or one such tensor.

    Output shape:
        The same, `tf.SparseTensor` of shape (B, L).

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ToSparse()({"genres": np.array([[3, 0, 7]])})["genres"].indices.numpy().tolist()
        [[0, 0], [0, 2]]
    """

    def __init__(self, schema: Schema | None = None, **kwargs: Unpack[TransformArguments]) -> None:
        super().__init__(**kwargs)
        self._columns = schema

    @property
    def schema(self) -> Schema | None:
        """The columns to convert, None for all."""
        return self._columns

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> Any:
        """Converts the features."""
        if not isinstance(inputs, dict):
            return as_sparse(inputs)
        names = None if self._columns is None else self._columns.column_names
        return {
            name: as_sparse(tensor) if names is None or name in names else tensor
            for name, tensor in join_lists(inputs).items()
        }

    def transform_shape(self, shape: Shape) -> Shape:
        """The shapes of the features."""
        return joined_shapes(shape) if isinstance(shape, dict) else shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "schema": to_config(self._columns)}


@keras.saving.register_keras_serializable("emrys")
class ListToDense(TabularBlock):
    """Converts all lists to dense tensors, padded with 0 on the right; dense features are unchanged.

    `ToDense` does so for the columns of a schema, with a length for each.

    Args:
        max_seq_length: Length to pad or truncate lists to. Default: the longest list of the batch.

    Input shape:
        Dictionary by feature name: lists ragged (B, None), sparse, or two tensors `<name>__values` and
        `<name>__offsets`; or one such tensor.

    Output shape:
        The same with (B, L) for lists.

    Raises:
        ConfigError: if `max_seq_length` is below 1.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> batch = {"genres__values": np.array([3, 5, 7]), "genres__offsets": np.array([0, 2, 3])}
        >>> mm.ListToDense(max_seq_length=3)(batch)["genres"].numpy().tolist()
        [[3, 5, 0], [7, 0, 0]]
    """

    def __init__(self, max_seq_length: int | None = None, **kwargs: Unpack[TabularArguments]) -> None:
        super().__init__(**kwargs)
        if max_seq_length is not None and (not isinstance(max_seq_length, int) or max_seq_length < 1):
            raise ConfigError(
                "ListToDense: max_seq_length", expected="a whole number above 0", got=repr(max_seq_length)
            )
        self.max_seq_length = max_seq_length

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> Any:
        """Converts the lists."""
        if not isinstance(inputs, dict):
            return self._dense(inputs)
        return {name: self._dense(tensor) for name, tensor in join_lists(inputs).items()}

    def _dense(self, tensor: Any) -> Any:
        return as_dense(tensor, self.max_seq_length) if is_list(tensor) else tensor

    def transform_shape(self, shape: Shape) -> Shape:
        """Shapes with the length of the lists."""
        if not isinstance(shape, dict):
            return self._shape(shape)
        return {name: self._shape(each) for name, each in joined_shapes(shape).items()}

    def _shape(self, shape: tuple[int | None, ...]) -> Shape:
        return (shape[0], self.max_seq_length, *shape[2:]) if len(shape) > 1 and shape[1] is None else shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "max_seq_length": self.max_seq_length}


@block_registry.register("as-ragged")
@keras.saving.register_keras_serializable("emrys")
class ListToRagged(TabularBlock):
    """Converts all lists (sparse, or two tensors) to `tf.RaggedTensor`; dense features are unchanged.

    Input shape:
        Dictionary by feature name: lists sparse, ragged, or two tensors `<name>__values` and `<name>__offsets`; or one
        such tensor.

    Output shape:
        The same with ragged (B, None) for lists.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> batch = {"genres__values": np.array([3, 5, 7]), "genres__offsets": np.array([0, 2, 3])}
        >>> mm.ListToRagged()(batch)["genres"].to_list()
        [[3, 5], [7]]
    """

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> Any:
        """Converts the lists."""
        if not isinstance(inputs, dict):
            return as_ragged(inputs)
        return {name: as_ragged(tensor) for name, tensor in join_lists(inputs).items()}

    def transform_shape(self, shape: Shape) -> Shape:
        """The shapes of the features."""
        return joined_shapes(shape) if isinstance(shape, dict) else shape


@keras.saving.register_keras_serializable("emrys")
class ListToSparse(TabularBlock):
    """Converts all lists (ragged, or two tensors) to `tf.SparseTensor`; dense features are unchanged.

    Input shape:
        Dictionary by feature name: lists ragged (B, None), sparse, or two tensors `<name>__values` and
        `<name>__offsets`; or one such tensor.

    Output shape:
        The same with sparse (B, L) for lists.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> mm.ListToSparse()({"genres": tf.ragged.constant([[3, 5], [7]])})["genres"].values.numpy().tolist()
        [3, 5, 7]
    """

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> Any:
        """Converts the lists."""
        if not isinstance(inputs, dict):
            return self._sparse(inputs)
        return {name: self._sparse(tensor) for name, tensor in join_lists(inputs).items()}

    def _sparse(self, tensor: Any) -> Any:
        return as_sparse(tensor) if is_list(tensor) else tensor

    def transform_shape(self, shape: Shape) -> Shape:
        """The shapes of the features."""
        return joined_shapes(shape) if isinstance(shape, dict) else shape
