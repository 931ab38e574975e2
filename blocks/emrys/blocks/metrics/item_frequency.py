"""Metrics of the popularity of recommended items: novelty and popularity bias at k."""

from __future__ import annotations

import abc
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import ArrayLike

from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics.ranking import as_rows, check_columns, checked_positive, row_weights


class ItemFrequencyMetric(keras.metrics.Mean, abc.ABC):
    """Base class of metrics computed from the frequencies of the first k items, averaged over rows.

    A subclass implements `compute`: the value of a row, from the probabilities of its items. An id outside the
    catalogue has probability 0.

    Args:
        item_freq_probs: (N,), frequency or probability of each item, by id.
        k: Cut-off, the number of results that count. Default 10.
        is_prob_distribution: Whether `item_freq_probs` are probabilities; otherwise frequencies, which are divided by
            their sum. Default False.
        name: Name of the metric, to which `_<k>` is added.
        dtype: Type of the state and the result. Default None: the default float type of Keras.

    Input shape:
        `predicted_ids`: (B, K), ids best first, of which the first k count. `sample_weight`, optional: (B,).

    Output shape:
        A scalar.
    """

    def __init__(
        self,
        item_freq_probs: ArrayLike,
        k: int = 10,
        is_prob_distribution: bool = False,
        name: str = "item_frequency_at",
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        self._base_name = name
        self.k = checked_positive(f"k of {type(self).__name__}", k)
        super().__init__(name=f"{name}_{self.k}", dtype=dtype)
        self.is_prob_distribution = is_prob_distribution
        self.item_freq_probs = self._checked(item_freq_probs)
        self.probabilities = self.add_variable(
            shape=self.item_freq_probs.shape, initializer="zeros", name="probabilities"
        )
        self.update_candidate_probs(item_freq_probs)

    @abc.abstractmethod
    def compute(self, probabilities: tf.Tensor) -> Any:
        """The value of each row.

        Args:
            probabilities: (R, k), probability of each result, best first.

        Returns:
            (R,).
        """

    def update_candidate_probs(self, item_freq_probs: ArrayLike) -> None:
        """Replaces the frequencies without resetting the mean.

        Args:
            item_freq_probs: (N,), as in the constructor.

        Raises:
            ConfigError: if they are not frequencies, not a distribution where one is expected, or of another size.
        """
        values = self._checked(item_freq_probs)
        if len(values) != self.probabilities.shape[0]:
            raise ConfigError(
                f"item_freq_probs of {self.name} must keep its number of items",
                expected=str(self.probabilities.shape[0]),
                got=str(len(values)),
            )
        self.item_freq_probs = values
        self.probabilities.assign(values / (1.0 if self.is_prob_distribution else values.sum(dtype="float64")))

    def update_state(self, predicted_ids: tf.Tensor, sample_weight: tf.Tensor | None = None) -> None:
        """Adds rows of results to the mean.

        Args:
            predicted_ids: (B, K), integers, best first.
            sample_weight: (B,). Default None: each row weighs 1.

        Raises:
            ConfigError: if there are fewer than k results, or the shape of the weights does not match.
        """
        predicted_ids = ops.convert_to_tensor(predicted_ids)
        check_columns(self.name, self.k, predicted_ids.shape[-1])
        ids = as_rows(predicted_ids)[:, : self.k]
        number = self.probabilities.shape[0]
        known = ops.logical_and(ids >= 0, ids < number)
        probabilities = ops.take(self.probabilities, ops.where(known, ids, 0))
        weights = row_weights(self.name, sample_weight, predicted_ids, self.dtype)
        super().update_state(self.compute(ops.where(known, probabilities, 0.0)), weights)

    def reset_state(self) -> None:
        """Resets the mean, but not the frequencies."""
        self.total.assign(0.0)
        self.count.assign(0.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "item_freq_probs": self.item_freq_probs.tolist(),
            "k": self.k,
            "is_prob_distribution": self.is_prob_distribution,
            "name": self._base_name,
        }

    def _checked(self, item_freq_probs: Any) -> Any:
        if keras.ops.is_tensor(item_freq_probs):
            item_freq_probs = ops.convert_to_numpy(item_freq_probs)
        values = np.asarray(item_freq_probs)
        what = f"item_freq_probs of {type(self).__name__}"
        if values.ndim != 1 or not len(values) or values.dtype.kind not in "iuf":
            raise ConfigError(f"invalid {what}", expected="numbers (N,)", got=f"{values.dtype} {values.shape}")
        if not np.isfinite(values).all() or values.min() < 0:
            raise ConfigError(f"{what} has negative or non-finite values", expected="finite numbers from 0")
        total = values.sum(dtype="float64")
        if self.is_prob_distribution and (values.dtype.kind != "f" or abs(total - 1.0) > 1e-4):
            raise ConfigError(f"{what} is not a distribution", expected="floats with sum 1", got=f"sum {total:g}")
        if total == 0:
            raise ConfigError(f"{what} is all 0", expected="at least one item with a frequency")
        return values


@keras.saving.register_keras_serializable("emrys")
class NoveltyAt(ItemFrequencyMetric):
    """Novelty of the first k results: the mean self-information of their items.

    For the probabilities p of the results:

        novelty = mean over i <= k of -ln(p(i) + 1e-16)

    An item without a frequency, or an id outside the catalogue, adds 36.84.

    Args:
        item_freq_probs: (N,), frequency or probability of each item, by id.
        k: Cut-off, the number of results that count. Default 10.
        is_prob_distribution: Whether `item_freq_probs` are probabilities; otherwise frequencies, which are divided by
            their sum. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "novelty_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.

    Input shape:
        `predicted_ids`: (B, K), ids best first, of which the first k count. `sample_weight`, optional: (B,).

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.NoveltyAt([1, 2, 5], k=1)
        >>> metric.update_state(predicted_ids=[[1, 0]])
        >>> round(float(metric.result()), 4)
        1.3863

    Reference:
        Zhou et al. Solving the apparent diversity-accuracy dilemma of recommender systems. PNAS 107(10), 2010.
    """

    def __init__(
        self,
        item_freq_probs: ArrayLike,
        k: int = 10,
        is_prob_distribution: bool = False,
        name: str = "novelty_at",
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(item_freq_probs, k=k, is_prob_distribution=is_prob_distribution, name=name, dtype=dtype)

    def compute(self, probabilities: tf.Tensor) -> Any:
        """Mean self-information of each row, in nats, (R,)."""
        return ops.mean(-ops.log(probabilities + 1e-16), axis=-1)


@keras.saving.register_keras_serializable("emrys")
class PopularityBiasAt(ItemFrequencyMetric):
    """Popularity of the first k results: the mean probability of their items.

    For the probabilities p of the results:

        bias = mean over i <= k of p(i)

    Args:
        item_freq_probs: (N,), frequency or probability of each item, by id.
        k: Cut-off, the number of results that count. Default 10.
        is_prob_distribution: Whether `item_freq_probs` are probabilities; otherwise frequencies, which are divided by
            their sum. Default False.
        name: Name of the metric, to which `_<k>` is added. Default "popularity_bias_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.

    Input shape:
        `predicted_ids`: (B, K), ids best first, of which the first k count; an id outside the catalogue has
        probability 0. `sample_weight`, optional: (B,).

    Output shape:
        A scalar: the mean over all rows since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.PopularityBiasAt([1, 2, 5], k=2)
        >>> metric.update_state(predicted_ids=[[2, 0]])
        >>> float(metric.result())
        0.375

    Reference:
        Abdollahpouri, Burke, Mobasher. Managing Popularity Bias in Recommender Systems with Personalized Re-ranking.
        FLAIRS 2019.
    """

    def __init__(
        self,
        item_freq_probs: ArrayLike,
        k: int = 10,
        is_prob_distribution: bool = False,
        name: str = "popularity_bias_at",
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(item_freq_probs, k=k, is_prob_distribution=is_prob_distribution, name=name, dtype=dtype)

    def compute(self, probabilities: tf.Tensor) -> Any:
        """Mean probability of each row, (R,)."""
        return ops.mean(probabilities, axis=-1)
