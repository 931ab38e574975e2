"""PrecisionAt."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.metrics.base import RankingMetric


@keras.saving.register_keras_serializable("emrys")
class PrecisionAt(RankingMetric):
    """Share of the first k results that are relevant.

    For each row:

        precision = (relevant among the first k) / k

    A row with no relevant item has 0, and counts in the mean.

    Equal scores are ranked to the disadvantage of the relevant item: it comes after all others of that score.

    Args:
        k: Number of results that are looked at. Default 10.
        pre_sorted: Whether columns come best first, and perhaps cut to the best; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "precision_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.
        seed: Accepted for programs written for Merlin Models, which shuffles equal scores; it changes nothing here.

    Input shape:
        `y_true` and `y_pred`: (B, N), (B, L, N) or (N,). `sample_weight`, optional: one weight for each row.

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.PrecisionAt(k=4)
        >>> metric.update_state([[0, 1, 0, 0, 1]], [[0.9, 0.8, 0.7, 0.6, 0.5]])
        >>> float(metric.result())
        0.25
    """

    def __init__(
        self,
        k: int = 10,
        pre_sorted: bool = False,
        name: str = "precision_at",
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(k=k, pre_sorted=pre_sorted, name=name, dtype=dtype, seed=seed)

    def compute(self, relevance: Any, relevant_counts: Any) -> Any:
        """Precision of each row, (R,)."""
        return ops.mean(relevance, axis=-1)
