"""MRRAt."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.metrics.base import RankingMetric


@keras.saving.register_keras_serializable("emrys")
class MRRAt(RankingMetric):
    """Mean reciprocal rank: how high the first relevant result stands.

    For each row:

        mrr = 1 / (rank of the first relevant result), 0 if none is among the first k

    A row with no relevant item has 0, and counts in the mean.

    Equal scores are ranked to the disadvantage of the relevant item: it comes after all others of that score.

    Args:
        k: Number of results that are looked at. Default 10.
        pre_sorted: Whether columns come best first, and perhaps cut to the best; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "mrr_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.
        seed: Accepted for programs written for Merlin Models, which shuffles equal scores; it changes nothing here.

    Input shape:
        `y_true` and `y_pred`: (B, N), (B, L, N) or (N,). `sample_weight`, optional: one weight for each row.

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.MRRAt(k=3)
        >>> metric.update_state([[0, 1, 0, 1]], [[0.9, 0.8, 0.7, 0.6]])
        >>> float(metric.result())
        0.5

    Reference:
        Voorhees. The TREC-8 Question Answering Track Report. TREC 1999.
    """

    def __init__(
        self,
        k: int = 10,
        pre_sorted: bool = False,
        name: str = "mrr_at",
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(k=k, pre_sorted=pre_sorted, name=name, dtype=dtype, seed=seed)

    def compute(self, relevance: Any, relevant_counts: Any) -> Any:
        """Reciprocal rank of the first relevant result of each row, (R,)."""
        ranks = ops.arange(1, self.k + 1, dtype=relevance.dtype)
        return ops.max(relevance / ranks, axis=-1)
