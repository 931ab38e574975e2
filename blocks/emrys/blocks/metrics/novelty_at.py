"""NoveltyAt."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.metrics.item_frequency import ItemFrequencyMetric


@keras.saving.register_keras_serializable("emrys")
class NoveltyAt(ItemFrequencyMetric):
    """How surprising the first k results are: the mean self-information of their items.

    For the probabilities p of the results:

        novelty = mean over i <= k of -ln(p(i) + 1e-16)

    An item without a frequency, or an id outside the catalogue, adds 36.84.

    Args:
        item_freq_probs: (N,), frequency or probability of each item, by id.
        k: Number of results that are looked at. Default 10.
        is_prob_distribution: Whether `item_freq_probs` are probabilities; otherwise frequencies, which are divided by
            their sum. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "novelty_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.

    Input shape:
        `predicted_ids`: (B, K), ids best first, of which the first k count. `sample_weight`, optional: (B,).

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.NoveltyAt([1, 2, 5], k=1)
        >>> metric.update_state(predicted_ids=[[1, 0]])
        >>> round(float(metric.result()), 4)
        1.3863

    Reference:
        Zhou et al. Solving the apparent diversity-accuracy dilemma of recommender systems. PNAS 107(10), 2010.
    """

    def __init__(
        self,
        item_freq_probs: Any,
        k: int = 10,
        is_prob_distribution: bool = False,
        name: str = "novelty_at",
        dtype: Any = None,
    ) -> None:
        super().__init__(item_freq_probs, k=k, is_prob_distribution=is_prob_distribution, name=name, dtype=dtype)

    def compute(self, probabilities: Any) -> Any:
        """Mean self-information of each row, in nats, (R,)."""
        return ops.mean(-ops.log(probabilities + 1e-16), axis=-1)
