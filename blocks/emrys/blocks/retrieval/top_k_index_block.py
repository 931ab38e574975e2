"""Vectors that are looked up, and the best of them found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import keras
import tensorflow as tf

from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics.ranking import checked_positive
from emrys.blocks.retrieval.brute_force import streamed_top_k
from emrys.blocks.retrieval.index_block import IndexBlock
from emrys.blocks.retrieval.top_k_layer import TopKPrediction, compared

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class TopKIndexBlock(IndexBlock):
    """The K items with the largest inner product with a query; among equal scores, the one that was given first.

    Args:
        k: Number of results, K.
        values: Vectors of the items, (N, D).
        ids: Their ids, (N,). Default: the row numbers.

    Input shape:
        Queries (B, D)

    Output shape:
        `TopKPrediction`: scores (B, K) and identifiers (B, K), which can be taken apart as a pair.

    Raises:
        ConfigError: if the arguments are not as described; when called, if there are fewer than K items.
    """

    def __init__(self, k: int, values: Any, ids: Any = None, **kwargs: Any) -> None:
        super().__init__(values, ids, **kwargs)
        self.k = checked_positive("k of TopKIndexBlock", k)
        self.supports_jit = False

    @classmethod
    def from_block(  # type: ignore[override]  # the released order of arguments
        cls, block: keras.layers.Layer, data: Dataset, k: int = 20, id_column: str | None = None, **kwargs: Any
    ) -> Self:
        """Makes the block from what `block` gives for the rows of a data set.

        Args:
            block: Gives (B, D) for a batch of features.
            data: Features of the items, one row for each.
            k: Number of results. Default: 20.
            id_column: Column of the ids. Default: the one that the schema of `block` tags as the item's id.
            **kwargs: Further arguments of the block.
        """
        return super().from_block(block, data, id_column, k=k, **kwargs)

    def call(self, inputs: Any, k: int | None = None) -> Any:
        """Finds the `k` best items, by default those K of the block."""
        k = self.k if k is None else checked_positive(f"k of {self.name}", k)
        if k > self.candidates.size:
            raise ConfigError(
                f"{self.name} is asked for more results than it has items",
                expected=f"at most {self.candidates.size}",
                got=str(k),
            )
        scores, rows = streamed_top_k(tf.cast(inputs, tf.float32), self.values, k)
        return TopKPrediction(scores, self.candidates.ids_of(rows))

    def call_outputs(self, outputs: Prediction | PredictionOutput, training: bool = False, **kwargs: Any) -> Any:
        """Compares the best items with the right ones.

        Args:
            outputs: Queries (B, D) as outputs, ids of the right items, (B, 1), as targets. A `PredictionOutput` of the
                first generation has queries as predictions and ids as `positive_item_ids`.
            training: Accepted for programs written for Merlin Models; it changes nothing.
            **kwargs: The same.

        Returns:
            The prediction with scores (B, K), and targets (B, K) that are 1 where the item is right.
        """
        if isinstance(outputs, PredictionOutput):
            found = compared(self(outputs.predictions), outputs.positive_item_ids)
            return outputs._replace(predictions=found.outputs, targets=found.targets)
        found = compared(self(outputs.outputs), outputs.targets)
        return outputs.copy_with_updates(outputs=found.outputs, targets=found.targets)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, K), twice."""
        rows = as_shape(input_shape)[0]
        return TopKPrediction((rows, self.k), (rows, self.k))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, but for the vectors, of which it has the sizes."""
        return {**super().get_config(), "k": self.k}


class PredictionOutput(NamedTuple):
    """Scores with what they are compared with.

    Attributes:
        predictions: Scores (B, 1 + M), or what they are made of.
        targets: What is right, (B, 1 + M).
        positive_item_ids: Ids of the positives, (B,).
        valid_negatives_mask: Which negatives are none of the row's positive, (B, M).
        negative_item_ids: Ids of the negatives, (M,).
        sample_weight: Weight of each row.
    """

    predictions: Any
    targets: Any = None
    positive_item_ids: Any = None
    valid_negatives_mask: Any = None
    negative_item_ids: Any = None
    sample_weight: Any = None
