"""AvgPrecisionAt."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.metrics.base import RankingMetric


@keras.saving.register_keras_serializable("emrys")
class AvgPrecisionAt(RankingMetric):
    """Mean average precision: precision at each relevant result, averaged over those that k results can hold.

    For c relevant items in a row, and r(i), 1 if the result of rank i is relevant and else 0:

        ap = sum over i <= k of r(i) * (relevant among the first i) / i, divided by min(c, k)

    A row with no relevant item has 0, and counts in the mean.

    Equal scores are ranked to the disadvantage of the relevant item: it comes after all others of that score.

    Args:
        k: Number of results that are looked at. Default 10.
        pre_sorted: Whether columns come best first, and perhaps cut to the best; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "map_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.
        seed: Accepted for programs written for Merlin Models, which shuffles equal scores; it changes nothing here.

    Input shape:
        `y_true` and `y_pred`: (B, N), (B, L, N) or (N,). `sample_weight`, optional: one weight for each row.

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.AvgPrecisionAt(k=4)
        >>> metric.update_state([[0, 1, 0, 1]], [[0.9, 0.8, 0.7, 0.6]])
        >>> float(metric.result())
        0.5
    """

    def __init__(
        self,
        k: int = 10,
        pre_sorted: bool = False,
        name: str = "map_at",
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(k=k, pre_sorted=pre_sorted, name=name, dtype=dtype, seed=seed)

    def compute(self, relevance: Any, relevant_counts: Any) -> Any:
        """Average precision of each row, (R,)."""
        ranks = ops.arange(1, self.k + 1, dtype=relevance.dtype)
        precision = ops.sum(relevance * ops.cumsum(relevance, axis=-1) / ranks, axis=-1)
        return ops.divide_no_nan(precision, ops.minimum(relevant_counts, float(self.k)))
