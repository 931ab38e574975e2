"""HingeLoss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.losses.base import PairwiseLoss


@keras.saving.register_keras_serializable("emrys")
class HingeLoss(PairwiseLoss):
    """Pairwise hinge: the positive should score at least 1 above each negative.

    For the score p of the positive and n of a negative:

        loss = max(0, 1 + n - p)

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
        >>> float(mm.HingeLoss()([[1.0, 0.0, 0.0]], [[2.0, 1.5, 0.0]]))
        0.25

    Reference:
        Joachims. Optimizing Search Engines using Clickthrough Data. KDD 2002.
    """

    def compute(self, positives_scores: Any, negatives_scores: Any) -> Any:
        """The loss of each negative, (B, N - 1)."""
        return ops.relu(1.0 + negatives_scores - positives_scores)
