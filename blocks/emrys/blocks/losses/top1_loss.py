"""TOP1Loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.losses.base import PairwiseLoss


@keras.saving.register_keras_serializable("emrys")
class TOP1Loss(PairwiseLoss):
    """Pushes each negative below the positive, and its score towards 0.

    For the score p of the positive and n of a negative:

        loss = sigmoid(n - p) + sigmoid(n^2)

    A negative pushed out of the way by a very low score still adds 1, since its score is squared.

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
        >>> round(float(mm.TOP1Loss()([[1.0, 0.0, 0.0]], [[2.0, 1.0, 0.5]])), 4)
        0.8723

    Reference:
        Hidasi, Karatzoglou, Baltrunas, Tikk. Session-based Recommendations with Recurrent Neural Networks. ICLR 2016.
    """

    def compute(self, positives_scores: Any, negatives_scores: Any) -> Any:
        """The loss of each negative, (B, N - 1)."""
        return ops.sigmoid(negatives_scores - positives_scores) + ops.sigmoid(ops.square(negatives_scores))
