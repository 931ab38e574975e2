"""BPRmaxLoss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from emrys.blocks.errors import ConfigError
from emrys.blocks.losses.base import PairwiseLoss, negative_log


@keras.saving.register_keras_serializable("emrys")
class BPRmaxLoss(PairwiseLoss):
    """BPR that looks most at the negatives with the highest scores.

    For the score p of the positive, n of a negative, and w, the softmax of the row's negatives at that one:

        loss = -log(w * sigmoid(p - n)) + reg_lambda * w * n^2

    The paper sums w * sigmoid(p - n) over the negatives before the logarithm; here each negative has its own loss, as
    in the other pairwise losses. A product too small for float32 counts as 1e-24, a loss of 55.26 with no gradient.

    Args:
        reg_lambda: Weight of the regularisation of the negatives' scores, 0 or more. Default 1.0.
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
        >>> round(float(mm.BPRmaxLoss(reg_lambda=0.5)([[1.0, 0.0, 0.0]], [[2.0, 1.0, 0.5]])), 4)
        1.1606

    Reference:
        Hidasi, Karatzoglou. Recurrent Neural Networks with Top-k Gains for Session-based Recommendations. CIKM 2018.
    """

    def __init__(self, reg_lambda: float = 1.0, reduction: str | None = "auto", name: str | None = None) -> None:
        super().__init__(reduction=reduction, name=name)
        if not reg_lambda >= 0:
            raise ConfigError("reg_lambda of BPRmaxLoss cannot be", expected="a number from 0", got=repr(reg_lambda))
        self.reg_lambda = float(reg_lambda)

    def compute(self, positives_scores: Any, negatives_scores: Any) -> Any:
        """The loss of each negative, (B, N - 1)."""
        log_weight = ops.log_softmax(negatives_scores, axis=-1)
        ranking = negative_log(log_weight + ops.log_sigmoid(positives_scores - negatives_scores))
        return ranking + self.reg_lambda * ops.exp(log_weight) * ops.square(negatives_scores)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "reg_lambda": self.reg_lambda}
