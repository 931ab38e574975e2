"""Index of item vectors, looked up by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.schema import Tags
from numpy.typing import ArrayLike, NDArray

from emrys.blocks.core.block import BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.retrieval.encoding import encode_frame
from emrys.blocks.retrieval.top_k_layer import CandidateHolder, ids_and_vectors

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class IndexBlock(CandidateHolder):
    """Looks up vectors of items by id; they are not trained.

    Args:
        values: Vectors, (N, D).
        ids: Their ids, (N,), unique integers from 0. Default: the row numbers.

    Input shape:
        Ids, (B, 1) or (B,)

    Output shape:
        (B, D)

    Raises:
        ConfigError: if the arguments have the wrong shape or type, or NaN.
        DataError: when called, if an id is not in the index (`tf.errors.InvalidArgumentError` from a graph).

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.IndexBlock(np.eye(2), ids=np.array([7, 5]))(np.array([[5]])).numpy().tolist()
        [[0.0, 1.0]]
    """

    def __init__(self, values: ArrayLike, ids: ArrayLike | None = None, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.candidates.assign(values, ids)
        #: Whether results have the type of the ids; those of models saved by version 0.1.0 are int32 where they fit.
        self.keeps_id_type = True

    @property
    def values(self) -> Any:
        """The vectors, a variable (N, D)."""
        return self.candidates.values

    @property
    def ids(self) -> Any:
        """The ids, (N,), of the type that they were given in: int32 or int64."""
        return tf.cast(self.candidates.ids, self.candidates.assigned_type)

    @classmethod
    def from_dataset(cls, data: Dataset | pd.DataFrame, check_unique_ids: bool = True, **kwargs: Any) -> Self:
        """Creates the block from vectors that are indexed by their ids.

        Args:
            data: A `merlin.io.Dataset` or a data frame with one row for each item.
            check_unique_ids: Whether duplicate ids are an error. Default: True. Otherwise the first row of each id
                counts.
            **kwargs: Further arguments of the block.
        """
        ids, values = cls.extract_ids_embeddings(data, check_unique_ids)
        return cls(values=values, ids=ids, **kwargs)

    @classmethod
    def from_block(cls, block: keras.layers.Layer, data: Dataset, id_column: str | None = None, **kwargs: Any) -> Self:
        """Creates the block from the outputs of `block` for the rows of a data set.

        Args:
            block: Layer from a batch of features to (B, D).
            data: Features of the items, one row for each.
            id_column: Column of the ids. Default: the one tagged ITEM_ID in the schema of `block`.
            **kwargs: Further arguments of the block.
        """
        return cls.from_dataset(cls.get_candidates_dataset(block, data, id_column), **kwargs)

    @classmethod
    def extract_ids_embeddings(
        cls, data: Dataset | pd.DataFrame, check_unique_ids: bool = True
    ) -> tuple[NDArray[np.int64] | None, NDArray[np.float32]]:
        """Splits vectors that are indexed by their ids into ids (N,) and vectors (N, D); see `from_dataset`."""
        return ids_and_vectors(data, check_unique_ids)

    @classmethod
    def get_candidates_dataset(
        cls, block: keras.layers.Layer, data: Dataset, id_column: str | None = None
    ) -> pd.DataFrame:
        """The outputs of `block` for the rows of a data set, indexed by their ids; see `from_block`.

        Raises:
            ConfigError: if `id_column` is None and the schema of `block` does not have exactly one id column.
        """
        if id_column is None:
            schema = getattr(block, "schema", None)
            tagged = [] if schema is None else schema.select_by_tag(Tags.ITEM_ID).column_names
            if len(tagged) != 1:
                raise ConfigError(
                    "the id column of the items is unknown",
                    expected="one column tagged ITEM_ID in the schema of the block",
                    got=", ".join(tagged) or "none",
                    fix="Pass id_column=.",
                )
            id_column = tagged[0]
        return encode_frame(block, data, keep=[id_column]).set_index(id_column)

    def update_from_block(
        self, block: keras.layers.Layer, data: Dataset, id_column: str | None = None, check_unique_ids: bool = True
    ) -> Self:
        """Replaces the vectors by the current outputs of `block`; see `from_block`."""
        frame = self.get_candidates_dataset(block, data, id_column)
        ids, values = self.extract_ids_embeddings(frame, check_unique_ids)
        return self.update(values, ids)

    def update(self, values: ArrayLike, ids: ArrayLike | None = None) -> Self:
        """Replaces the vectors, by any number of them.

        Args:
            values: Vectors, (N, D).
            ids: Their ids, (N,). Default: the row numbers.
        """
        self.candidates.assign(values, ids)
        return self

    def call(self, inputs: tf.Tensor) -> Any:
        """Looks up vectors."""
        ids = tf.reshape(tf.convert_to_tensor(inputs), (-1,))
        rows, known = self.candidates.rows_of(ids)
        if tf.executing_eagerly() and not tf.reduce_all(known):
            unknown = int(tf.boolean_mask(ids, tf.logical_not(known))[0])
            raise DataError(f"{self.name}: an id is not in the index", got=str(unknown), fix="Add it with update().")
        check = tf.debugging.Assert(tf.reduce_all(known), [f"{self.name}: an id is not in the index"])
        with tf.control_dependencies([] if check is None else [check]):
            return tf.cast(tf.gather(self.values, rows), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D)."""
        return (as_shape(input_shape)[0], self.candidates.dim)

    def to_dataset(self, gpu: bool | None = None) -> Dataset:
        """The vectors as a `merlin.io.Dataset`: columns `"0"` to `"D - 1"`, indexed by the ids.

        Args:
            gpu: Accepted for compatibility; the data frame is always a pandas one.
        """
        from merlin.io import Dataset  # imports Dask, which is optional

        columns = [str(column) for column in range(self.candidates.dim)]
        return Dataset(pd.DataFrame(self.values.numpy(), index=np.asarray(self.ids), columns=columns))

    def get_config(self) -> dict[str, Any]:
        """The sizes of the vectors, which are saved with the weights."""
        sizes = [self.candidates.size, self.candidates.dim]
        return {**super().get_config(), "sizes": sizes, "keeps_id_type": self.keeps_id_type}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Creates the block with zeros; the vectors are loaded with the weights."""
        arguments = dict(config)
        keeps_id_type = arguments.pop("keeps_id_type", False)
        block = cls(values=np.zeros(arguments.pop("sizes"), np.float32), **arguments)
        block.keeps_id_type = keeps_id_type
        return block
