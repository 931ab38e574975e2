"""Ranking metrics at k: precision, recall, average precision, MRR and NDCG."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from emrys.blocks.core.calling import check_shape
from emrys.blocks.errors import ConfigError


def ranked_relevance(labels: tf.Tensor, y_pred: tf.Tensor, k: int) -> Any:
    """Relevance of the k results with the highest scores, best first.

    Of equal scores, results with a lower label come first: a model with the same score for everything gets no credit,
    whatever the order of the items. NaN ranks last.

    Args:
        labels: (R, N), relevance of each item, from 0.
        y_pred: (R, N), scores.
        k: Number of results.

    Returns:
        (R, k), the labels of the results.
    """
    # In float64, the score of a relevant item can be lowered without reaching the next smaller float32.
    scores = ops.cast(y_pred, "float64")
    scores = ops.where(ops.isnan(scores), -1e300, ops.clip(scores, -1e300, 1e300))
    grades = ops.cast(labels, "float64")
    shares = ops.divide_no_nan(grades, ops.max(grades, axis=-1, keepdims=True))
    scores -= shares * (ops.abs(scores) * 2.0**-40 + 1e-250)
    _, best = ops.top_k(scores, k)
    return ops.take_along_axis(labels, best, axis=-1)


def checked_labels(metric: str, labels: tf.Tensor, graded: bool) -> Any:
    """Returns labels after checking that they are 0 or 1, or from 0 if they may be `graded`.

    Raises:
        ConfigError: if they are not; a graph raises `tf.errors.InvalidArgumentError` instead, and XLA drops the check.
    """
    valid = ops.all(labels >= 0 if graded else ops.logical_or(ops.equal(labels, 0), ops.equal(labels, 1)))
    if tf.executing_eagerly():
        if not valid:
            raise _label_error(metric, graded)
        return labels
    with tf.control_dependencies([tf.debugging.Assert(valid, [str(_label_error(metric, graded))])]):
        return tf.identity(labels)


def _label_error(metric: str, graded: bool) -> ConfigError:
    return ConfigError(
        f"{metric} got labels that it is not defined for",
        expected="labels from 0" if graded else "labels 0 and 1",
        fix=None if graded else "Use NDCGAt for graded relevance, or make the labels binary.",
    )


def checked_positive(what: str, value: object) -> int:
    """Checks a count, and returns it as a Python integer.

    Raises:
        ConfigError: if it is not an integer of at least 1.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ConfigError(f"invalid {what}", expected="an integer from 1", got=repr(value))
    return int(value)


def check_columns(metric: str, k: int, columns: int | None) -> None:
    """Checks that the cut-off is at most the number of columns, if that is known.

    Raises:
        ConfigError: if it is larger.
    """
    if columns is not None and k > columns:
        raise ConfigError(
            f"the cut-off of {metric} is larger than the number of results",
            expected=f"at least {k} columns",
            got=str(columns),
        )


def as_rows(values: tf.Tensor) -> Any:
    """Reshapes values (..., N) to rows (R, N)."""
    return ops.reshape(values, (-1, ops.shape(values)[-1]))


def row_weights(metric: str, sample_weight: tf.Tensor, values: tf.Tensor, dtype: str) -> Any:
    """Broadcasts sample weights to one weight for each row of `values`.

    Args:
        metric: Name of the metric, for error messages.
        sample_weight: None, a number, or weights for the leading axes of `values`, with or without a last axis of 1.
            For values (B, L, N) also (B,): all steps of an example have the same weight.
        values: (..., N).
        dtype: Type of the weights.

    Returns:
        (R,), or None without weights.

    Raises:
        ConfigError: if the shapes do not match.
    """
    if sample_weight is None:
        return None
    weights = ops.convert_to_tensor(sample_weight, dtype=dtype)
    leading = tuple(values.shape)[:-1]
    if len(weights.shape) == len(leading) + 1 and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    if len(weights.shape) > 0:
        # Weights of whole examples, (B,) or (B, 1), apply to each of their steps.
        sizes = zip(weights.shape, leading, strict=False)
        expected = [1 if axis and size == 1 else full for axis, (size, full) in enumerate(sizes)]
        check_shape(f"sample_weight of {metric}", weights.shape, expected)
        weights = ops.reshape(weights, (*ops.shape(weights), *[1] * (len(leading) - len(weights.shape))))
    return ops.reshape(ops.broadcast_to(weights, ops.shape(values)[:-1]), (-1,))


class RankedRows:
    """Relevance of the ranked results of a batch, one row for each list.

    Args:
        metric: A metric, or an aggregator of several, with `k`, `pre_sorted`, `graded`, `name` and `dtype`.
        y_true: (..., N), labels.
        y_pred: (..., N), scores.
        sample_weight: Weights of the rows, or None.
        relevant_counts: Number of relevant items of each row, or None to count them in `y_true`.

    Attributes:
        relevance: (R, k), labels of the results, best first.
        ideal: (R, k), the highest labels of the row in descending order; None unless the metric is graded.
        relevant_counts: (R,), number of labels above 0.
        weights: (R,), or None.

    Raises:
        ConfigError: if shapes do not match, there are fewer than k columns, `pre_sorted` is set without counts, or
            labels are not 0 or 1 (graded: below 0).
    """

    def __init__(
        self, metric: Any, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor, relevant_counts: tf.Tensor
    ) -> None:
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        check_shape(f"y_true of {metric.name}", y_true.shape, y_pred.shape)
        if len(y_pred.shape) == 0:
            raise ConfigError(f"y_pred of {metric.name} is a scalar", expected="shape (B, N)")
        check_columns(metric.name, metric.k, y_pred.shape[-1])
        if metric.pre_sorted and relevant_counts is None:
            raise ConfigError(
                f"{metric.name} with pre_sorted needs the number of relevant items",
                fix="Set label_relevant_counts before update_state.",
            )
        self.weights = row_weights(metric.name, sample_weight, y_pred, metric.dtype)
        # The labels that a truncated list has lost are known by their number alone.
        graded = metric.graded and not metric.pre_sorted
        labels = checked_labels(metric.name, ops.cast(as_rows(y_true), metric.dtype), graded)
        if relevant_counts is None:
            self.relevant_counts = ops.sum(ops.cast(labels > 0, metric.dtype), axis=-1)
        else:
            counts = ops.convert_to_tensor(relevant_counts, dtype=metric.dtype)
            self.relevant_counts = ops.reshape(counts, (-1,))
            check_shape(f"label_relevant_counts of {metric.name}", self.relevant_counts.shape, labels.shape[:1])
        self.relevance = (
            labels[:, : metric.k] if metric.pre_sorted else ranked_relevance(labels, as_rows(y_pred), metric.k)
        )
        self.ideal = _ideal(labels, metric.k) if graded else None


def _ideal(labels: tf.Tensor, k: int) -> Any:
    """The k highest labels of each row; binary ones are counted, not sorted."""

    def count() -> Any:
        relevant = ops.sum(labels, axis=-1, keepdims=True)
        return ops.cast(ops.arange(k, dtype=labels.dtype) < relevant, labels.dtype)

    binary = ops.all(ops.logical_or(ops.equal(labels, 0), ops.equal(labels, 1)))
    return ops.cond(binary, count, lambda: ops.top_k(labels, k)[0])


class RankingMetric(keras.metrics.Mean, abc.ABC):
    """Base class of metrics of the first k results of each row, averaged over rows.

    A subclass implements `compute`: the value of a row, from the relevance of its first k results and its number of
    relevant items. This class ranks, weights, and averages over all rows since the last reset.

    Labels are 0 or 1; a metric of graded relevance sets `graded` and implements `compute_graded` too. A row with no
    relevant item has 0, and counts in the mean. Of equal scores, relevant items rank last; NaN ranks below all scores.
    Merlin Models shuffles equal scores, and takes grades everywhere (docs/coming-from-merlin-models.md).

    Args:
        k: Cut-off, the number of results that count. Default 10.
        pre_sorted: Whether columns are sorted, best first, and possibly truncated; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the metric, to which `_<k>` is added. The default is the snake-case name of each metric.
        dtype: Type of the state and the result. Default None: the default float type of Keras.
        seed: Accepted for compatibility with Merlin Models, which shuffles equal scores; ignored.

    Input shape:
        `y_true` and `y_pred`: (B, N); or (B, L, N), where each step is a row; or (N,), one row. `sample_weight`: one
        weight for each row.

    Output shape:
        A scalar.
    """

    #: Whether labels may be grades, such as 0, 1 and 2.
    graded: ClassVar[bool] = False

    def __init__(
        self,
        k: int = 10,
        pre_sorted: bool = False,
        name: str = "ranking_at",
        dtype: str | keras.DTypePolicy | None = None,
        seed: int | None = None,
    ) -> None:
        self._base_name = name
        self.k = checked_positive(f"k of {type(self).__name__}", k)
        super().__init__(name=f"{name}_{self.k}", dtype=dtype)
        self.pre_sorted = pre_sorted
        self.seed = seed
        self.label_relevant_counts: Any = None

    @abc.abstractmethod
    def compute(self, relevance: tf.Tensor, relevant_counts: tf.Tensor) -> Any:
        """The value of each row.

        Args:
            relevance: (R, K), 1 for relevant results and 0 for others, best first.
            relevant_counts: (R,), number of relevant items of the row, among the results or not.

        Returns:
            (R,).
        """

    def compute_graded(self, relevance: tf.Tensor, ideal: tf.Tensor) -> Any:
        """The value of each row with graded relevance.

        Args:
            relevance: (R, K), grades of the results, best result first.
            ideal: (R, K), the highest grades of the row in descending order.

        Returns:
            (R,).
        """
        raise NotImplementedError(f"{type(self).__name__} is graded and does not implement compute_graded")

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> None:
        """Adds rows to the mean.

        `label_relevant_counts`, if set, is the number of relevant items of each row, for truncated labels. It applies
        to one call.

        Args:
            y_true: (B, N), 1 for relevant items and 0 for others; grades from 0 if the metric is `graded`.
            y_pred: (B, N), scores.
            sample_weight: (B,), or (B, L) for (B, L, N). Default None: each row weighs 1.

        Raises:
            ConfigError: if shapes do not match, there are fewer than k columns, `pre_sorted` is set without counts, or
                labels are not 0 or 1 (grades: below 0).
        """
        counts, self.label_relevant_counts = self.label_relevant_counts, None
        rows = RankedRows(self, y_true, y_pred, sample_weight, counts)
        self.update_ranked(rows.relevance, rows.relevant_counts, rows.weights, rows.ideal)

    def update_ranked(
        self,
        relevance: tf.Tensor,
        relevant_counts: tf.Tensor,
        weights: tf.Tensor | None = None,
        ideal: tf.Tensor | None = None,
    ) -> None:
        """Adds rows that are already ranked to the mean.

        Args:
            relevance: (R, K') with K' of at least k, labels of the results, best first.
            relevant_counts: (R,), number of relevant items of each row.
            weights: (R,). Default None: each row weighs 1.
            ideal: (R, K'), the highest labels of each row, for graded relevance. Default None: labels are 0 or 1.
        """
        relevance = relevance[:, : self.k]
        if self.graded and ideal is not None:
            values = self.compute_graded(relevance, ideal[:, : self.k])
        else:
            values = self.compute(relevance, relevant_counts)
        super().update_state(values, weights)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        config = {"k": self.k, "pre_sorted": self.pre_sorted, "seed": self.seed}
        return {**super().get_config(), **config, "name": self._base_name}


@keras.saving.register_keras_serializable("emrys")
class AvgPrecisionAt(RankingMetric):
    """Mean average precision: precision at each relevant result, averaged over min(c, k) relevant items.

    For c relevant items in a row, and r(i) = 1 if the result of rank i is relevant, else 0:

        ap = sum over i <= k of r(i) * (relevant among the first i) / i, divided by min(c, k)

    Labels are 0 or 1. A row with no relevant item has 0, and counts in the mean.

    Of equal scores, relevant items rank last.

    Args:
        k: Cut-off, the number of results that count. Default 10.
        pre_sorted: Whether columns are sorted, best first, and possibly truncated; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "map_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.
        seed: Accepted for compatibility with Merlin Models, which shuffles equal scores; ignored.

    Input shape:
        `y_true` and `y_pred`: (B, N), (B, L, N) or (N,). `sample_weight`, optional: one weight for each row.

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.AvgPrecisionAt(k=4)
        >>> metric.update_state([[0, 1, 0, 1]], [[0.9, 0.8, 0.7, 0.6]])
        >>> float(metric.result())
        0.5
    """

    def __init__(
        self,
        k: int = 10,
        pre_sorted: bool = False,
        name: str = "map_at",
        dtype: str | keras.DTypePolicy | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(k=k, pre_sorted=pre_sorted, name=name, dtype=dtype, seed=seed)

    def compute(self, relevance: tf.Tensor, relevant_counts: tf.Tensor) -> Any:
        """Average precision of each row, (R,)."""
        ranks = ops.arange(1, self.k + 1, dtype=relevance.dtype)
        precision = ops.sum(relevance * ops.cumsum(relevance, axis=-1) / ranks, axis=-1)
        return ops.divide_no_nan(precision, ops.minimum(relevant_counts, float(self.k)))


@keras.saving.register_keras_serializable("emrys")
class MRRAt(RankingMetric):
    """Mean reciprocal rank of the first relevant result.

    For each row:

        mrr = 1 / (rank of the first relevant result), 0 if none is among the first k

    Labels are 0 or 1. A row with no relevant item has 0, and counts in the mean.

    Of equal scores, relevant items rank last.

    Args:
        k: Cut-off, the number of results that count. Default 10.
        pre_sorted: Whether columns are sorted, best first, and possibly truncated; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "mrr_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.
        seed: Accepted for compatibility with Merlin Models, which shuffles equal scores; ignored.

    Input shape:
        `y_true` and `y_pred`: (B, N), (B, L, N) or (N,). `sample_weight`, optional: one weight for each row.

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.MRRAt(k=3)
        >>> metric.update_state([[0, 1, 0, 1]], [[0.9, 0.8, 0.7, 0.6]])
        >>> float(metric.result())
        0.5

    Reference:
        Voorhees. The TREC-8 Question Answering Track Report. TREC 1999.
    """

    def __init__(
        self,
        k: int = 10,
        pre_sorted: bool = False,
        name: str = "mrr_at",
        dtype: str | keras.DTypePolicy | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(k=k, pre_sorted=pre_sorted, name=name, dtype=dtype, seed=seed)

    def compute(self, relevance: tf.Tensor, relevant_counts: tf.Tensor) -> Any:
        """Reciprocal rank of the first relevant result of each row, (R,)."""
        ranks = ops.arange(1, self.k + 1, dtype=relevance.dtype)
        return ops.max(relevance / ranks, axis=-1)


@keras.saving.register_keras_serializable("emrys")
class NDCGAt(RankingMetric):
    """Normalised discounted cumulative gain, with binary or graded relevance.

    For g(i), the label of the result of rank i, and b(i), the i-th highest label of the row:

        dcg  = sum over i <= k of g(i) / log2(i + 1)
        best = sum over i <= k of b(i) / log2(i + 1)
        ndcg = dcg / best

    Labels are grades from 0, such as 0, 1 and 2; for other gains, such as 2^grade - 1, transform the labels. With
    `pre_sorted` they are 0 or 1, since the best grades of a truncated list are unknown. A row with no relevant item has
    0, and counts in the mean.

    Of equal scores, items with higher grades rank last.

    Args:
        k: Cut-off, the number of results that count. Default 10.
        pre_sorted: Whether columns are sorted, best first, and possibly truncated; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "ndcg_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.
        seed: Accepted for compatibility with Merlin Models, which shuffles equal scores; ignored.

    Input shape:
        `y_true` and `y_pred`: (B, N), (B, L, N) or (N,). `sample_weight`, optional: one weight for each row.

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.NDCGAt(k=2)
        >>> metric.update_state([[0, 1, 0]], [[0.9, 0.8, 0.7]])
        >>> round(float(metric.result()), 4)
        0.6309

    Reference:
        Järvelin, Kekäläinen. Cumulated Gain-based Evaluation of IR Techniques. ACM TOIS 20(4), 2002.
    """

    graded = True

    def __init__(
        self,
        k: int = 10,
        pre_sorted: bool = False,
        name: str = "ndcg_at",
        dtype: str | keras.DTypePolicy | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(k=k, pre_sorted=pre_sorted, name=name, dtype=dtype, seed=seed)

    def compute_graded(self, relevance: tf.Tensor, ideal: tf.Tensor) -> Any:
        """Normalised gain of each row, (R,)."""
        discounts = ops.convert_to_tensor(1.0 / np.log2(np.arange(2, self.k + 2)), dtype=relevance.dtype)
        return ops.divide_no_nan(ops.sum(relevance * discounts, axis=-1), ops.sum(ideal * discounts, axis=-1))

    def compute(self, relevance: tf.Tensor, relevant_counts: tf.Tensor) -> Any:
        """Normalised gain of each row with binary relevance, (R,)."""
        discounts = 1.0 / np.log2(np.arange(2, self.k + 2))
        gains = ops.sum(relevance * ops.convert_to_tensor(discounts, dtype=relevance.dtype), axis=-1)
        best = ops.convert_to_tensor(np.concatenate([[0.0], np.cumsum(discounts)]), dtype=relevance.dtype)
        best_count = ops.cast(ops.minimum(relevant_counts, float(self.k)), "int32")
        return ops.divide_no_nan(gains, ops.take(best, best_count))


@keras.saving.register_keras_serializable("emrys")
class PrecisionAt(RankingMetric):
    """Share of the first k results that are relevant.

    For each row:

        precision = (relevant among the first k) / k

    Labels are 0 or 1. A row with no relevant item has 0, and counts in the mean.

    Of equal scores, relevant items rank last.

    Args:
        k: Cut-off, the number of results that count. Default 10.
        pre_sorted: Whether columns are sorted, best first, and possibly truncated; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "precision_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.
        seed: Accepted for compatibility with Merlin Models, which shuffles equal scores; ignored.

    Input shape:
        `y_true` and `y_pred`: (B, N), (B, L, N) or (N,). `sample_weight`, optional: one weight for each row.

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.PrecisionAt(k=4)
        >>> metric.update_state([[0, 1, 0, 0, 1]], [[0.9, 0.8, 0.7, 0.6, 0.5]])
        >>> float(metric.result())
        0.25
    """

    def __init__(
        self,
        k: int = 10,
        pre_sorted: bool = False,
        name: str = "precision_at",
        dtype: str | keras.DTypePolicy | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(k=k, pre_sorted=pre_sorted, name=name, dtype=dtype, seed=seed)

    def compute(self, relevance: tf.Tensor, relevant_counts: tf.Tensor) -> Any:
        """Precision of each row, (R,)."""
        return ops.mean(relevance, axis=-1)


@keras.saving.register_keras_serializable("emrys")
class RecallAt(RankingMetric):
    """Recall at k, relative to the best possible: relevant results among the first k, out of min(c, k).

    For c relevant items in a row:

        recall = (relevant among the first k) / min(c, k)

    Labels are 0 or 1. A row with no relevant item has 0, and counts in the mean.

    Of equal scores, relevant items rank last.

    Args:
        k: Cut-off, the number of results that count. Default 10.
        pre_sorted: Whether columns are sorted, best first, and possibly truncated; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "recall_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.
        seed: Accepted for compatibility with Merlin Models, which shuffles equal scores; ignored.

    Input shape:
        `y_true` and `y_pred`: (B, N), (B, L, N) or (N,). `sample_weight`, optional: one weight for each row.

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.RecallAt(k=2)
        >>> metric.update_state([[0, 1, 0, 1]], [[0.9, 0.8, 0.7, 0.6]])
        >>> float(metric.result())
        0.5
    """

    def __init__(
        self,
        k: int = 10,
        pre_sorted: bool = False,
        name: str = "recall_at",
        dtype: str | keras.DTypePolicy | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(k=k, pre_sorted=pre_sorted, name=name, dtype=dtype, seed=seed)

    def compute(self, relevance: tf.Tensor, relevant_counts: tf.Tensor) -> Any:
        """Recall of each row, (R,)."""
        return ops.divide_no_nan(ops.sum(relevance, axis=-1), ops.minimum(relevant_counts, float(self.k)))
