"""PopularityBiasAt."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.metrics.item_frequency import ItemFrequencyMetric


@keras.saving.register_keras_serializable("emrys")
class PopularityBiasAt(ItemFrequencyMetric):
    """How popular the first k results are: the mean probability of their items.

    For the probabilities p of the results:

        bias = mean over i <= k of p(i)

    Args:
        item_freq_probs: (N,), frequency or probability of each item, by id.
        k: Number of results that are looked at. Default 10.
        is_prob_distribution: Whether `item_freq_probs` are probabilities; otherwise frequencies, which are divided by
            their sum. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "popularity_bias_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.

    Input shape:
        `predicted_ids`: (B, K), ids best first, of which the first k count; an id outside the catalogue has
        probability 0. `sample_weight`, optional: (B,).

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.PopularityBiasAt([1, 2, 5], k=2)
        >>> metric.update_state(predicted_ids=[[2, 0]])
        >>> float(metric.result())
        0.375

    Reference:
        Abdollahpouri, Burke, Mobasher. Managing Popularity Bias in Recommender Systems with Personalized Re-ranking.
        FLAIRS 2019.
    """

    def __init__(
        self,
        item_freq_probs: Any,
        k: int = 10,
        is_prob_distribution: bool = False,
        name: str = "popularity_bias_at",
        dtype: Any = None,
    ) -> None:
        super().__init__(item_freq_probs, k=k, is_prob_distribution=is_prob_distribution, name=name, dtype=dtype)

    def compute(self, probabilities: Any) -> Any:
        """Mean probability of each row, (R,)."""
        return ops.mean(probabilities, axis=-1)
