"""Losses and metrics where the target is the number of a class.

A one-hot target has the size of all scores, and what is asked of it is one number a row. The cross-entropy is the one
score's, and a ranking metric needs no more than the place of that score among the others.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.losses import CategoricalCrossEntropy, SparseCategoricalCrossEntropy
from emrys.blocks.metrics import RankingMetric, TopKMetricsAggregator

_SPARSE_METRICS = (
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.SparseCategoricalCrossentropy,
    keras.metrics.SparseTopKCategoricalAccuracy,
)


class ClassNumbers:
    """The numbers of the right classes beside the scores of all.

    Args:
        numbers: (B,) or (B, 1), from 0 to N - 1.
        scores: (B, N)
        owner: Name of the output, for the error that a number out of range is.
    """

    def __init__(self, numbers: Any, scores: Any, owner: str) -> None:
        count = int(scores.shape[-1])
        numbers = tf.reshape(tf.cast(numbers, "int64"), (-1,))
        text = f"{owner}: a target is not the number of a class; expected 0 to {count - 1}"
        known = [
            tf.debugging.assert_greater_equal(numbers, tf.zeros((), numbers.dtype), text),
            tf.debugging.assert_less(numbers, tf.constant(count, numbers.dtype), text),
        ]
        with tf.control_dependencies([check for check in known if check is not None]):
            self.numbers = tf.identity(numbers)
        self.scores = scores
        self._one_hot: Any = None
        self._places: Any = None

    @property
    def one_hot(self) -> Any:
        """The targets as numbers per class, (B, N), for what cannot do without."""
        if self._one_hot is None:
            self._one_hot = tf.one_hot(self.numbers, self.scores.shape[-1], dtype=self.scores.dtype)
        return self._one_hot

    @property
    def places(self) -> Any:
        """How many classes come before the right one, (B,); among equal scores the right one comes last, NaN too."""
        if self._places is None:
            scores = tf.where(tf.math.is_nan(self.scores), float("-inf"), self.scores)
            right = tf.gather(scores, self.numbers, batch_dims=1)[:, tf.newaxis]
            self._places = tf.math.count_nonzero(scores >= right, axis=1) - 1
        return self._places

    def loss(self, loss: keras.losses.Loss, sample_weight: Any) -> Any:
        """The value of `loss`."""
        if type(loss) is CategoricalCrossEntropy and not loss.label_smoothing:
            loss = SparseCategoricalCrossEntropy(loss.from_logits, reduction=loss.reduction, dtype=loss.dtype)
        sparse = isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
        return loss(self.numbers if sparse else self.one_hot, self.scores, sample_weight=sample_weight)

    def update(self, metric: keras.metrics.Metric, sample_weight: Any = None) -> None:
        """Updates `metric`."""
        ranking = metric.topk_metrics if isinstance(metric, TopKMetricsAggregator) else [metric]
        if all(isinstance(each, RankingMetric) for each in ranking) and not metric.pre_sorted:
            weights = None if sample_weight is None else tf.reshape(sample_weight, (-1,))
            for each in ranking:
                found = tf.one_hot(self.places, each.k, dtype=each.dtype)
                each.update_ranked(found, tf.ones_like(found[:, 0]), weights)
            return
        if type(metric) is keras.metrics.Accuracy:
            # It compares numbers with numbers, and never finds a score equal to a target.
            update_metric(metric, self.numbers, tf.argmax(self.scores, axis=1), sample_weight)
            return
        target = self.numbers if isinstance(metric, _SPARSE_METRICS) else self.one_hot
        update_metric(metric, target, self.scores, sample_weight)


def update_metric(metric: keras.metrics.Metric, target: Any, outputs: Any, sample_weight: Any = None) -> None:
    """Updates a metric, which has to know of weights only where there are some."""
    if sample_weight is None:
        metric.update_state(target, outputs)
    else:
        metric.update_state(target, outputs, sample_weight=sample_weight)
