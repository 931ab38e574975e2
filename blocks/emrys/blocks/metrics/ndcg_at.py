"""NDCGAt."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from emrys.blocks.metrics.base import RankingMetric


@keras.saving.register_keras_serializable("emrys")
class NDCGAt(RankingMetric):
    """Normalised discounted cumulative gain, where an item is relevant or not.

    For c relevant items in a row, and r(i), 1 if the result of rank i is relevant and else 0:

        dcg  = sum over i <= k of r(i) / log2(i + 1)
        best = sum over i <= min(c, k) of 1 / log2(i + 1)
        ndcg = dcg / best

    A row with no relevant item has 0, and counts in the mean. Degrees of relevance are not told apart: any label above
    0 is relevant.

    Equal scores are ranked to the disadvantage of the relevant item: it comes after all others of that score.

    Args:
        k: Number of results that are looked at. Default 10.
        pre_sorted: Whether columns come best first, and perhaps cut to the best; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "ndcg_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.
        seed: Accepted for programs written for Merlin Models, which shuffles equal scores; it changes nothing here.

    Input shape:
        `y_true` and `y_pred`: (B, N), (B, L, N) or (N,). `sample_weight`, optional: one weight for each row.

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.NDCGAt(k=2)
        >>> metric.update_state([[0, 1, 0]], [[0.9, 0.8, 0.7]])
        >>> round(float(metric.result()), 4)
        0.6309

    Reference:
        Järvelin, Kekäläinen. Cumulated Gain-based Evaluation of IR Techniques. ACM TOIS 20(4), 2002.
    """

    def __init__(
        self,
        k: int = 10,
        pre_sorted: bool = False,
        name: str = "ndcg_at",
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(k=k, pre_sorted=pre_sorted, name=name, dtype=dtype, seed=seed)

    def compute(self, relevance: Any, relevant_counts: Any) -> Any:
        """Normalised gain of each row, (R,)."""
        discounts = 1.0 / np.log2(np.arange(2, self.k + 2))
        gains = ops.sum(relevance * ops.convert_to_tensor(discounts, dtype=relevance.dtype), axis=-1)
        best = ops.convert_to_tensor(np.concatenate([[0.0], np.cumsum(discounts)]), dtype=relevance.dtype)
        reachable = ops.cast(ops.minimum(relevant_counts, float(self.k)), "int32")
        return ops.divide_no_nan(gains, ops.take(best, reachable))
