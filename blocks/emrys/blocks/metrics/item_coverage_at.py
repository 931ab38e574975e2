"""Item coverage at k."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from emrys.blocks.metrics.ranking import as_rows, check_columns, checked_positive, row_weights


@keras.saving.register_keras_serializable("emrys")
class ItemCoverageAt(keras.metrics.Metric):
    """Share of the catalogue among the first k results of at least one row.

        coverage = (distinct items among the first k results of all rows) / (items of the catalogue)

    Args:
        num_unique_items: Number of items in the catalogue; ids outside of 0 to `num_unique_items - 1` are not counted.
        k: Cut-off, the number of results that count. Default 5.
        name: Name of the metric, to which `_<k>` is added. Default "item_coverage_at".
        dtype: Type of the state and the result. Default None: the default float type of Keras.

    Input shape:
        `predicted_ids`: (B, K), ids best first, of which the first k count. `sample_weight`, optional: (B,); rows with
        weight 0 are ignored.

    Output shape:
        A scalar: the coverage since the last reset.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.ItemCoverageAt(num_unique_items=8, k=2)
        >>> metric.update_state(predicted_ids=[[1, 3, 5], [1, 2, 5]])
        >>> float(metric.result())
        0.375
    """

    def __init__(
        self,
        num_unique_items: int,
        k: int = 5,
        name: str = "item_coverage_at",
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        self._base_name = name
        self.k = checked_positive("k of ItemCoverageAt", k)
        super().__init__(name=f"{name}_{self.k}", dtype=dtype)
        self.num_unique_items = 0
        #: One variable for the first catalogue size, and one more for each time it grew.
        self.seen: list[Any] = []
        self.update_num_unique_items(num_unique_items)

    def update_num_unique_items(self, num_unique_items: int) -> None:
        """Changes the size of the catalogue without resetting the state.

        A model that was compiled with this metric must be compiled again.

        Args:
            num_unique_items: Number of items.

        Raises:
            ConfigError: if it is not an integer of at least 1.
        """
        self.num_unique_items = checked_positive("num_unique_items of ItemCoverageAt", num_unique_items)
        more = self.num_unique_items - sum(part.shape[0] for part in self.seen)
        if more > 0:
            self.seen.append(self.add_variable(shape=(more,), initializer="zeros", name=f"seen_{len(self.seen)}"))

    def update_state(self, predicted_ids: tf.Tensor, sample_weight: tf.Tensor | None = None) -> None:
        """Records the items of the first k results.

        Args:
            predicted_ids: (B, K), integers, best first.
            sample_weight: (B,), 0 for the rows to ignore. Default None: all count.

        Raises:
            ConfigError: if there are fewer than k results, or the shape of the weights does not match.
        """
        predicted_ids = ops.convert_to_tensor(predicted_ids)
        check_columns(self.name, self.k, predicted_ids.shape[-1])
        ids = ops.cast(as_rows(predicted_ids)[:, : self.k], "int64")
        weights = row_weights(self.name, sample_weight, predicted_ids, self.dtype)
        if weights is not None:
            ids = ops.where(ops.expand_dims(weights, -1) > 0, ids, -1)
        ids = ops.reshape(ids, (-1, 1))
        start = 0
        for part in self.seen:
            size = part.shape[0]
            inside = ops.logical_and(ids >= start, ids < start + size)
            # Ids outside of this part share one index at its end, which is dropped.
            indices = ops.where(inside, ids - start, size)
            hits = ops.scatter(indices, ops.ones_like(indices[:, 0], dtype=part.dtype), (size + 1,))[:size]
            part.assign(ops.maximum(part, ops.cast(hits > 0, part.dtype)))
            start += size

    def result(self) -> Any:
        """The coverage since the last reset."""
        seen = ops.concatenate([ops.convert_to_tensor(part) for part in self.seen])[: self.num_unique_items]
        return ops.sum(seen) / self.num_unique_items

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        config = {"num_unique_items": self.num_unique_items, "k": self.k, "name": self._base_name}
        return {**super().get_config(), **config}
