"""BPRLoss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.losses.base import PairwiseLoss, negative_log


@keras.saving.register_keras_serializable("emrys")
class BPRLoss(PairwiseLoss):
    """Bayesian personalised ranking: the positive should score above each negative.

    For the score p of the positive and n of a negative:

        loss = -log(sigmoid(p - n))

    A sigmoid too small for float32 (p more than 87.3 below n) counts as 1e-24, a loss of 55.26 with no gradient.

    Args:
        reduction: "auto" (the mean over all negatives of all rows), "sum_over_batch_size", "mean",
            "mean_with_sample_weight", "sum" or "none". Default "auto".
        name: Name of the loss. Default None: made from the name of the class.

    Input shape:
        `y_true` and `y_pred`: (B, N), one positive a row. See `PairwiseLoss` for weights and masks.

    Output shape:
        A scalar, or (B, N - 1) with reduction "none".

    Example:
        >>> import emrys.blocks as mm
        >>> round(float(mm.BPRLoss()([[1.0, 0.0, 0.0]], [[2.0, 1.0, 0.5]])), 4)
        0.2573

    Reference:
        Rendle, Freudenthaler, Gantner, Schmidt-Thieme. BPR: Bayesian Personalized Ranking from Implicit Feedback.
        UAI 2009.
    """

    def compute(self, positives_scores: Any, negatives_scores: Any) -> Any:
        """The loss of each negative, (B, N - 1)."""
        return negative_log(ops.log_sigmoid(positives_scores - negatives_scores))
