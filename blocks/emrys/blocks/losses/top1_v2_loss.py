"""TOP1v2Loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.losses.base import PairwiseLoss


@keras.saving.register_keras_serializable("emrys")
class TOP1v2Loss(PairwiseLoss):
    """TOP1 as one value per row, less the share of the positive's own score.

    For the score p of the positive, and n over the row's negatives, N - 1 of them:

        loss = mean(sigmoid(n - p) + sigmoid(n^2)) - sigmoid(p^2) / (N - 1)

    With `valid_negatives_mask`, a row has the loss that it would have without the negatives that are left out; a row
    with none left has 0.

    Args:
        reduction: "auto" (the mean over the rows), "sum_over_batch_size", "mean", "mean_with_sample_weight", "sum" or
            "none". Default "auto".
        name: Name of the loss. Default None: made from the name of the class.

    Input shape:
        `y_true` and `y_pred`: (B, N), one positive a row. See `PairwiseLoss` for weights and masks.

    Output shape:
        A scalar, or (B, 1) with reduction "none".

    Example:
        >>> import emrys.blocks as mm
        >>> round(float(mm.TOP1v2Loss()([[1.0, 0.0, 0.0]], [[2.0, 1.0, 0.5]])), 4)
        0.3813

    Reference:
        Hidasi, Karatzoglou, Baltrunas, Tikk. Session-based Recommendations with Recurrent Neural Networks. ICLR 2016.
        The positive's term is that of the authors' later GRU4Rec code.
    """

    def compute(self, positives_scores: Any, negatives_scores: Any) -> Any:
        """The loss of each row, (B, 1)."""
        return self.compute_valid(positives_scores, negatives_scores, ops.ones_like(negatives_scores, dtype="bool"))

    def compute_valid(self, positives_scores: Any, negatives_scores: Any, valid: Any) -> Any:
        """The loss of each row over its valid negatives alone, (B, 1)."""
        loss = ops.sigmoid(negatives_scores - positives_scores) + ops.sigmoid(ops.square(negatives_scores))
        total = ops.sum(ops.where(valid, loss, 0.0), axis=-1, keepdims=True)
        number = ops.sum(ops.cast(valid, total.dtype), axis=-1, keepdims=True)
        return ops.divide_no_nan(total - ops.sigmoid(ops.square(positives_scores)), number)
