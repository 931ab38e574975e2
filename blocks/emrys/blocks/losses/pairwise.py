"""Pairwise losses: the score of a positive against the scores of negatives."""

from __future__ import annotations

import abc
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from emrys.blocks.core.calling import check_shape
from emrys.blocks.errors import ConfigError
from emrys.blocks.losses.cross_entropy import keras_reduction


def negative_log(log_probability: tf.Tensor) -> Any:
    """Returns -log(p) for log(p), where a p that underflows in float32 counts as 1e-24.

    The values equal -log(p) in float32 with p = 0 replaced by 1e-24; the gradient does not vanish before p does.
    """
    smallest = -87.33654  # log of the smallest normal float32
    maximum = 55.262042  # -log(1e-24)
    return ops.where(log_probability < smallest, maximum, -log_probability)


class PairwiseLoss(keras.losses.Loss, abc.ABC):
    """Base class of losses that compare the positive of each row with each of its negatives.

    A subclass implements `compute`: the loss of each negative, from the score of the positive and the scores of the
    negatives. This class separates positives and negatives, masks invalid negatives, weights and reduces.

    A row may have one positive at most. A row without a positive has loss 0, and counts in the mean. More than one
    positive is an error; in a compiled function, which cannot raise it, the loss is NaN.

    Args:
        reduction: "auto" or "sum_over_batch_size" (the sum divided by the number of negatives of all rows), "mean"
            (the same), "mean_with_sample_weight" (divided by the sum of the weights), "sum", or "none". Default "auto".
        name: Name of the loss. Default None: the class name in snake case.

    Input shape:
        `y_true`: (B, N), 1 for the positive and 0 for the negatives. `y_pred`: (B, N), scores. `sample_weight`,
        optional: (B,) or (B, 1), one weight per row. `valid_negatives_mask`, optional: (B, N - 1), False for each
        negative to ignore, in the order of the columns with the positive removed.

    Output shape:
        A scalar, or (B, N - 1) with reduction "none".
    """

    def __init__(self, reduction: str | None = "auto", name: str | None = None) -> None:
        super().__init__(name=name, reduction=keras_reduction(type(self).__name__, reduction))

    @abc.abstractmethod
    def compute(self, positives_scores: tf.Tensor, negatives_scores: tf.Tensor) -> Any:
        """The loss of each negative.

        Args:
            positives_scores: (B, 1), the score of the positive.
            negatives_scores: (B, N - 1), the scores of the negatives.

        Returns:
            (B, N - 1), or (B, 1) for a loss of the whole row.
        """

    def compute_valid(self, positives_scores: tf.Tensor, negatives_scores: tf.Tensor, valid: tf.Tensor) -> Any:
        """The loss of each negative, 0 for invalid ones.

        Args:
            positives_scores: (B, 1), the score of the positive.
            negatives_scores: (B, N - 1), the scores of the negatives.
            valid: (B, N - 1), bool.

        Returns:
            A tensor of the shape of `compute`.
        """
        return ops.where(valid, self.compute(positives_scores, negatives_scores), 0.0)

    def __call__(
        self,
        y_true: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
        valid_negatives_mask: tf.Tensor | None = None,
    ) -> Any:
        """Computes, weights and reduces the loss.

        Args:
            y_true: (B, N), 1 for the positive and 0 for the negatives.
            y_pred: (B, N), scores.
            sample_weight: (B,) or (B, 1), one weight per row, or a number for all. Default None: each row weighs 1.
            valid_negatives_mask: (B, N - 1), bool, False for the negatives to ignore. Default None: all are valid.

        Returns:
            The loss, a scalar unless the reduction is "none".

        Raises:
            ConfigError: if shapes do not match, or a row has several positives.
        """
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        if sample_weight is not None:
            sample_weight = self._checked_weights(ops.convert_to_tensor(sample_weight, dtype=self.dtype), y_pred)
        if valid_negatives_mask is not None:
            y_true = (y_true, ops.cast(ops.convert_to_tensor(valid_negatives_mask), self.dtype))
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> Any:
        """The loss of each negative, before weights and reduction.

        Args:
            y_true: (B, N), or a tuple of it and the mask of valid negatives (B, N - 1).
            y_pred: (B, N), scores.

        Returns:
            A tensor of the shape of `compute`.

        Raises:
            ConfigError: if the shapes differ, there is no negative, or a row has several positives.
        """
        y_true, valid = y_true if isinstance(y_true, tuple) else (y_true, None)
        positive = self._checked_positives(y_true, y_pred)
        count = ops.sum(positive, axis=-1, keepdims=True)
        if tf.executing_eagerly() and bool(ops.any(count > 1)):
            raise ConfigError(
                f"{type(self).__name__} accepts one positive per row",
                expected="at most one 1 in each row of y_true",
                got=f"{int(ops.max(count))} in row {int(ops.argmax(ops.reshape(count, (-1,))))}",
            )
        where = ops.argmax(positive, axis=-1, keepdims=True)
        columns = ops.arange(ops.shape(y_pred)[-1] - 1, dtype=where.dtype)
        columns = columns + ops.cast(columns >= where, columns.dtype)
        scores = (ops.take_along_axis(y_pred, where, axis=-1), ops.take_along_axis(y_pred, columns, axis=-1))
        if valid is None:
            values = self.compute(*scores)
        else:
            values = self.compute_valid(*scores, self._checked_mask(valid, scores[1]))
        values = ops.where(count == 0, 0.0, values)
        return ops.where(count > 1, float("nan"), values)

    def _checked_positives(self, y_true: Any, y_pred: Any) -> Any:
        """Positives as 1, all other items as 0."""
        check_shape(f"y_true of {type(self).__name__}", y_true.shape, y_pred.shape)
        if len(y_pred.shape) < 2 or y_pred.shape[-1] in (0, 1):
            raise ConfigError(
                f"{type(self).__name__} needs a positive and at least one negative",
                expected="y_pred (B, N) with N at least 2",
                got=str(tuple(y_pred.shape)),
            )
        return ops.cast(y_true > 0, "int32")

    def _checked_weights(self, weights: Any, y_pred: Any) -> Any:
        """Weights with an axis for the negatives."""
        rows = tuple(y_pred.shape)[:-1]
        if len(weights.shape) == 0:
            return weights
        if len(weights.shape) == len(rows):
            weights = ops.expand_dims(weights, -1)
        check_shape(f"sample_weight of {type(self).__name__}", weights.shape, (*rows, 1))
        return weights

    def _checked_mask(self, valid: Any, negatives_scores: Any) -> Any:
        check_shape(f"valid_negatives_mask of {type(self).__name__}", valid.shape, negatives_scores.shape)
        return valid > 0


@keras.saving.register_keras_serializable("emrys")
class BPRLoss(PairwiseLoss):
    """Bayesian personalised ranking: the positive should score above each negative.

    For the score p of the positive and n of a negative:

        loss = -log(sigmoid(p - n))

    A sigmoid too small for float32 (p more than 87.3 below n) counts as 1e-24, a loss of 55.26 with no gradient.

    Args:
        reduction: "auto" (the mean over all negatives of all rows), "sum_over_batch_size", "mean",
            "mean_with_sample_weight", "sum" or "none". Default "auto".
        name: Name of the loss. Default None: the class name in snake case.

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

    def compute(self, positives_scores: tf.Tensor, negatives_scores: tf.Tensor) -> Any:
        """The loss of each negative, (B, N - 1)."""
        return negative_log(ops.log_sigmoid(positives_scores - negatives_scores))


@keras.saving.register_keras_serializable("emrys")
class BPRmaxLoss(PairwiseLoss):
    """BPR weighted towards the negatives with the highest scores.

    For the score p of the positive, n of a negative, and w, the softmax of the row's negatives at that one:

        loss = -log(w * sigmoid(p - n)) + reg_lambda * w * n^2

    The paper sums w * sigmoid(p - n) over the negatives before the logarithm; here each negative has its own loss, as
    in the other pairwise losses. A product too small for float32 counts as 1e-24, a loss of 55.26 with no gradient.

    Args:
        reg_lambda: Weight of the regularisation of the negatives' scores, 0 or more. Default 1.0.
        reduction: "auto" (the mean over all negatives of all rows), "sum_over_batch_size", "mean",
            "mean_with_sample_weight", "sum" or "none". Default "auto".
        name: Name of the loss. Default None: the class name in snake case.

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
            raise ConfigError("invalid reg_lambda of BPRmaxLoss", expected="a number from 0", got=repr(reg_lambda))
        self.reg_lambda = float(reg_lambda)

    def compute(self, positives_scores: tf.Tensor, negatives_scores: tf.Tensor) -> Any:
        """The loss of each negative, (B, N - 1)."""
        log_weight = ops.log_softmax(negatives_scores, axis=-1)
        ranking = negative_log(log_weight + ops.log_sigmoid(positives_scores - negatives_scores))
        return ranking + self.reg_lambda * ops.exp(log_weight) * ops.square(negatives_scores)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "reg_lambda": self.reg_lambda}


@keras.saving.register_keras_serializable("emrys")
class HingeLoss(PairwiseLoss):
    """Pairwise hinge: the positive should score at least 1 above each negative.

    For the score p of the positive and n of a negative:

        loss = max(0, 1 + n - p)

    Args:
        reduction: "auto" (the mean over all negatives of all rows), "sum_over_batch_size", "mean",
            "mean_with_sample_weight", "sum" or "none". Default "auto".
        name: Name of the loss. Default None: the class name in snake case.

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

    def compute(self, positives_scores: tf.Tensor, negatives_scores: tf.Tensor) -> Any:
        """The loss of each negative, (B, N - 1)."""
        return ops.relu(1.0 + negatives_scores - positives_scores)


@keras.saving.register_keras_serializable("emrys")
class LogisticLoss(PairwiseLoss):
    """Pairwise logistic loss: the formula of BPR, without a limit on the loss of one negative.

    For the score p of the positive and n of a negative:

        loss = log(1 + exp(n - p))

    Args:
        reduction: "auto" (the mean over all negatives of all rows), "sum_over_batch_size", "mean",
            "mean_with_sample_weight", "sum" or "none". Default "auto".
        name: Name of the loss. Default None: the class name in snake case.

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

    def compute(self, positives_scores: tf.Tensor, negatives_scores: tf.Tensor) -> Any:
        """The loss of each negative, (B, N - 1)."""
        return ops.softplus(negatives_scores - positives_scores)


@keras.saving.register_keras_serializable("emrys")
class TOP1Loss(PairwiseLoss):
    """Pushes each negative below the positive, and its score towards 0.

    For the score p of the positive and n of a negative:

        loss = sigmoid(n - p) + sigmoid(n^2)

    A negative with a very low score still adds 1, since its score is squared.

    Args:
        reduction: "auto" (the mean over all negatives of all rows), "sum_over_batch_size", "mean",
            "mean_with_sample_weight", "sum" or "none". Default "auto".
        name: Name of the loss. Default None: the class name in snake case.

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

    def compute(self, positives_scores: tf.Tensor, negatives_scores: tf.Tensor) -> Any:
        """The loss of each negative, (B, N - 1)."""
        return ops.sigmoid(negatives_scores - positives_scores) + ops.sigmoid(ops.square(negatives_scores))


@keras.saving.register_keras_serializable("emrys")
class TOP1maxLoss(PairwiseLoss):
    """TOP1 weighted towards the negatives with the highest scores.

    For the score p of the positive, n of a negative, and w, the softmax of the row's negatives at that one:

        loss = w * (sigmoid(n - p) + sigmoid(n^2))

    Args:
        reduction: "auto" (the mean over all negatives of all rows), "sum_over_batch_size", "mean",
            "mean_with_sample_weight", "sum" or "none". Default "auto".
        name: Name of the loss. Default None: the class name in snake case.

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

    def compute(self, positives_scores: tf.Tensor, negatives_scores: tf.Tensor) -> Any:
        """The loss of each negative, (B, N - 1)."""
        loss = ops.sigmoid(negatives_scores - positives_scores) + ops.sigmoid(ops.square(negatives_scores))
        return ops.softmax(negatives_scores, axis=-1) * loss


@keras.saving.register_keras_serializable("emrys")
class TOP1v2Loss(PairwiseLoss):
    """TOP1 as one value per row, less the share of the positive's own score.

    For the score p of the positive, and n over the row's negatives, N - 1 of them:

        loss = mean(sigmoid(n - p) + sigmoid(n^2)) - sigmoid(p^2) / (N - 1)

    With `valid_negatives_mask`, a row has the loss that it would have without the masked negatives; a row with no valid
    negative has 0.

    Args:
        reduction: "auto" (the mean over the rows), "sum_over_batch_size", "mean", "mean_with_sample_weight", "sum" or
            "none". Default "auto".
        name: Name of the loss. Default None: the class name in snake case.

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

    def compute(self, positives_scores: tf.Tensor, negatives_scores: tf.Tensor) -> Any:
        """The loss of each row, (B, 1)."""
        return self.compute_valid(positives_scores, negatives_scores, ops.ones_like(negatives_scores, dtype="bool"))

    def compute_valid(self, positives_scores: tf.Tensor, negatives_scores: tf.Tensor, valid: tf.Tensor) -> Any:
        """The loss of each row over its valid negatives alone, (B, 1)."""
        loss = ops.sigmoid(negatives_scores - positives_scores) + ops.sigmoid(ops.square(negatives_scores))
        total = ops.sum(ops.where(valid, loss, 0.0), axis=-1, keepdims=True)
        number = ops.sum(ops.cast(valid, total.dtype), axis=-1, keepdims=True)
        return ops.divide_no_nan(total - ops.sigmoid(ops.square(positives_scores)), number)
