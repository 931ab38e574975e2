"""Lookup of pretrained embeddings as a transform of the loader."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError, DataError, SchemaError

#: A table, or the `.npy` file that holds it.
Array: TypeAlias = "np.ndarray[Any, Any] | str | os.PathLike[str]"
#: Tags of the ids that also apply to the vectors.
KEPT_TAGS = (Tags.LIST, Tags.SEQUENCE, Tags.USER, Tags.ITEM, Tags.CONTEXT, Tags.SESSION)


class EmbeddingOperator:
    """Adds the pretrained vectors of a column of ids to each batch: `Loader(..., transforms=[EmbeddingOperator(...)])`.

    The table stays outside of the model, in host memory; with `mmap=True` the table can be larger than the memory.
    N is its number of rows, D the dimension.

    Args:
        embeddings: Vectors (N, D), as an array or as the path of a `.npy` file. They are converted to float32.
        lookup_key: Column of ids. Default: `"id"`.
        embedding_name: Name of the new feature. Default: `"embeddings"`.
        id_lookup_table: Id of each row of the table, (N,), as an array or a `.npy` file. Default: the ids are
            row numbers.
        mmap: Whether to map a file into memory, so that only the rows of the batches are read. Default: False.
        unknown_value: Number, or vector (D,), for ids that are not in the table. Default: 0.

    Input shape:
        Dictionary by feature name; the ids (B, 1), (B, L) or ragged (B, None).

    Output shape:
        The same with the vectors, (B, D), (B, L, D) or ragged (B, None, D).

    Raises:
        ConfigError: if an array has the wrong shape or type, or `id_lookup_table` has duplicate ids.
        DataError: if a file is missing, or is not a `.npy` file of numbers.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> import tensorflow as tf
        >>> vectors = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> operator = mm.EmbeddingOperator(vectors, "item", "images", id_lookup_table=np.array([70, 50]))
        >>> operator({"item": tf.constant([[50], [60]])})["images"].numpy().tolist()
        [[3.0, 4.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        embeddings: Array,
        lookup_key: str = "id",
        embedding_name: str = "embeddings",
        id_lookup_table: Array | None = None,
        mmap: bool = False,
        unknown_value: float | npt.ArrayLike = 0,
    ) -> None:
        self.embeddings = _array("embeddings", embeddings, 2, "fiu", "vectors (N, D) of numbers", mmap)
        self.lookup_key = lookup_key
        self.embedding_name = embedding_name
        self.unknown_value = np.asarray(unknown_value, np.float32)
        count, dimension = self.embeddings.shape
        if self.unknown_value.shape not in ((), (dimension,)):
            got = f"shape {self.unknown_value.shape}"
            raise ConfigError("EmbeddingOperator: unknown_value", expected=f"a number, or ({dimension},)", got=got)
        self._ids: np.ndarray[Any, Any] | None = None
        if id_lookup_table is not None:
            ids = _array("id_lookup_table", id_lookup_table, 1, "iu", f"integers ({count},)")
            if len(ids) != count:
                expected = f"integers ({count},), one per vector"
                raise ConfigError("EmbeddingOperator: id_lookup_table", expected=expected, got=f"shape {ids.shape}")
            self._rows = np.argsort(ids, kind="stable")
            self._ids = ids[self._rows]
            twice = self._ids[1:][self._ids[1:] == self._ids[:-1]]
            if len(twice):
                expected, got = "every id once", f"{twice[0]} twice"
                raise ConfigError("EmbeddingOperator: id_lookup_table", expected=expected, got=got)

    def __call__(
        self,
        features: Mapping[str, tf.Tensor],
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> dict[str, Any]:
        """Adds the vectors.

        Raises:
            SchemaError: if the batch has no column `lookup_key`, or its type is not integer.
        """
        if self.lookup_key not in features:
            expected = f"one of {', '.join(features)}"
            raise SchemaError("EmbeddingOperator: the column is missing", column=self.lookup_key, expected=expected)
        keys = features[self.lookup_key]
        if not keys.dtype.is_integer:
            raise SchemaError("EmbeddingOperator", column=self.lookup_key, expected="integers", got=keys.dtype.name)
        if isinstance(keys, tf.RaggedTensor):
            return {**features, self.embedding_name: keys.with_flat_values(self._lookup(keys.flat_values))}
        if len(keys.shape) == 2 and keys.shape[1] == 1:
            keys = keys[:, 0]
        return {**features, self.embedding_name: self._lookup(keys)}

    def compute_output_schema(self, input_schema: Schema) -> Schema:
        """The schema with the column of vectors, tagged EMBEDDING.

        Raises:
            SchemaError: if it has no column `lookup_key`.
        """
        if self.lookup_key not in input_schema.column_names:
            expected = f"one of {', '.join(input_schema.column_names)}"
            raise SchemaError("the column is not in the schema", column=self.lookup_key, expected=expected)
        ids = input_schema[self.lookup_key]
        lengths = (ids.shape.as_tuple or ())[1:]
        dims = (None, *(lengths if lengths != (1,) else ()), self.embeddings.shape[1])
        tags = [Tags.EMBEDDING, *(tag for tag in KEPT_TAGS if tag in ids.tags)]
        return input_schema + Schema([ColumnSchema(self.embedding_name, tags=tags, dtype=np.float32, dims=dims)])

    def _lookup(self, keys: Any) -> Any:
        vectors = tf.numpy_function(self._vectors, [keys], tf.float32)
        vectors.set_shape([*keys.shape, self.embeddings.shape[1]])
        return vectors

    def _vectors(self, keys: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if self._ids is None:
            rows, known = keys, (keys >= 0) & (keys < len(self.embeddings))
        else:
            at = np.minimum(np.searchsorted(self._ids, keys), len(self._ids) - 1)
            rows, known = self._rows[at], self._ids[at] == keys
        vectors = np.empty((*keys.shape, self.embeddings.shape[1]), np.float32)
        vectors[known] = self.embeddings[rows[known]]
        vectors[~known] = self.unknown_value
        return vectors


def _array(name: str, source: Array, rank: int, kinds: str, expected: str, mmap: bool = False) -> np.ndarray[Any, Any]:
    """An array, read from a file if `source` is a path.

    Raises:
        ConfigError: if it has another rank or type, or no rows.
        DataError: if the file is missing or not a `.npy` file.
    """
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        try:
            source = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
        except FileNotFoundError:
            raise DataError("the file is missing", path=path, expected="a .npy file") from None
        except (OSError, ValueError, EOFError) as error:
            raise DataError("the file cannot be read", path=path, expected="a .npy file", got=str(error)) from error
    if not isinstance(source, np.ndarray):
        got = type(source).__name__
        raise ConfigError(f"EmbeddingOperator: {name}", expected=f"{expected}, or a .npy file of them", got=got)
    if source.ndim != rank or source.dtype.kind not in kinds or not source.size:
        got = f"{source.dtype} of shape {source.shape}"
        raise ConfigError(f"EmbeddingOperator: {name}", expected=expected, got=got)
    return source
