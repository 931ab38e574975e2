"""Top-k search as a block, for programs written against Merlin Models' top-k API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from emrys.blocks.core.block import BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.prediction import Prediction, PredictionOutput
from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics.ranking import checked_positive
from emrys.blocks.retrieval.brute_force import streamed_top_k
from emrys.blocks.retrieval.index_block import IndexBlock
from emrys.blocks.retrieval.top_k_layer import TopKPrediction, with_relevance

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class TopKIndexBlock(IndexBlock):
    """Finds the K items with the largest inner product with a query; of equal scores, the first in the index.

    Args:
        k: Number of results, K.
        values: Vectors of the items, (N, D).
        ids: Their ids, (N,). Default: the row numbers.

    Input shape:
        Queries (B, D)

    Output shape:
        `TopKPrediction`: scores (B, K) and identifiers (B, K) of the type of the ids, which unpacks as a pair.

    Raises:
        ConfigError: if an argument has the wrong shape or type; when called, if there are fewer than K items.
    """

    def __init__(
        self, k: int, values: ArrayLike, ids: ArrayLike | None = None, **kwargs: Unpack[BlockArguments]
    ) -> None:
        super().__init__(values, ids, **kwargs)
        self.k = checked_positive("k of TopKIndexBlock", k)
        self.supports_jit = False

    @classmethod
    def from_block(  # type: ignore[override]  # the released order of arguments
        cls, block: keras.layers.Layer, data: Dataset, k: int = 20, id_column: str | None = None, **kwargs: Any
    ) -> Self:
        """Creates the block from the outputs of `block` for the rows of a data set.

        Args:
            block: Layer from a batch of features to (B, D).
            data: Features of the items, one row for each.
            k: Number of results. Default: 20.
            id_column: Column of the ids. Default: the one tagged ITEM_ID in the schema of `block`.
            **kwargs: Further arguments of the block.
        """
        return super().from_block(block, data, id_column, k=k, **kwargs)

    def call(self, inputs: tf.Tensor, k: int | None = None) -> Any:
        """Finds the `k` best items. Default: K."""
        k = self.k if k is None else checked_positive(f"k of {self.name}", k)
        if k > self.candidates.size:
            raise ConfigError(
                f"{self.name}: k is larger than the number of items",
                expected=f"at most {self.candidates.size}",
                got=str(k),
            )
        scores, rows = streamed_top_k(tf.cast(inputs, tf.float32), self.values, k)
        id_type = self.candidates.assigned_type if self.keeps_id_type else None
        return TopKPrediction(scores, self.candidates.ids_of(rows, id_type))

    def call_outputs(self, outputs: Prediction | PredictionOutput, training: bool = False, **kwargs: object) -> Any:
        """Compares the best items with the relevant ones.

        Args:
            outputs: Queries (B, D) as outputs, and ids of the relevant items, (B, 1), as targets. A `PredictionOutput`
                of the first generation has queries as predictions and ids as `positive_item_ids`.
            training: Accepted for compatibility with Merlin Models; ignored.
            **kwargs: The same.

        Returns:
            The prediction with scores (B, K), and targets (B, K) that are 1 where the item is relevant.
        """
        if isinstance(outputs, PredictionOutput):
            ranked = with_relevance(self(outputs.predictions), outputs.positive_item_ids)
            return outputs._replace(predictions=ranked.outputs, targets=ranked.targets)
        ranked = with_relevance(self(outputs.outputs), outputs.targets)
        return outputs.copy_with_updates(outputs=ranked.outputs, targets=ranked.targets)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, K), twice."""
        rows = as_shape(input_shape)[0]
        return TopKPrediction((rows, self.k), (rows, self.k))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with the sizes of the vectors instead of the vectors."""
        return {**super().get_config(), "k": self.k}
