"""TOP1maxLoss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.losses.base import PairwiseLoss


@keras.saving.register_keras_serializable("emrys")
class TOP1maxLoss(PairwiseLoss):
    """TOP1 that looks most at the negatives with the highest scores.

    For the score p of the positive, n of a negative, and w, the softmax of the row's negatives at that one:

        loss = w * (sigmoid(n - p) + sigmoid(n^2))

    Args:
        reduction: "auto" (the mean over all negatives of all rows), "sum_over_batch_size", "mean",
            "mean_with_sample_weight", "sum" or "none". Default "auto".
        name: Name of the loss. Default None: made from the name of the class.

    Input shape:
        `y_true` and `y_pred`: (B, N), one positive a row. See `PairwiseLoss` for weights and masks; the softmax runs
        over all negatives of the row, masked ones included.

    Output shape:
        A scalar, or (B, N - 1) with reduction "none".

    Example:
        >>> import emrys.blocks as mm
        >>> round(float(mm.TOP1maxLoss()([[1.0, 0.0, 0.0]], [[2.0, 1.0, 0.5]])), 4)
        0.4518

    Reference:
        Hidasi, Karatzoglou. Recurrent Neural Networks with Top-k Gains for Session-based Recommendations. CIKM 2018.
    """

    def compute(self, positives_scores: Any, negatives_scores: Any) -> Any:
        """The loss of each negative, (B, N - 1)."""
        loss = ops.sigmoid(negatives_scores - positives_scores) + ops.sigmoid(ops.square(negatives_scores))
        return ops.softmax(negatives_scores, axis=-1) * loss
