"""LogisticLoss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.losses.base import PairwiseLoss


@keras.saving.register_keras_serializable("emrys")
class LogisticLoss(PairwiseLoss):
    """Pairwise logistic loss: the formula of BPR, without a limit on the loss of one negative.

    For the score p of the positive and n of a negative:

        loss = log(1 + exp(n - p))

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
        >>> float(mm.LogisticLoss()([[1.0, 0.0]], [[-200.0, 200.0]]))
        400.0

    Reference:
        Burges et al. Learning to Rank using Gradient Descent. ICML 2005.
    """

    def compute(self, positives_scores: Any, negatives_scores: Any) -> Any:
        """The loss of each negative, (B, N - 1)."""
        return ops.softplus(negatives_scores - positives_scores)
