"""Retrieval models as the first generation writes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import keras
import tensorflow as tf
from merlin.schema import Tags

from emrys.blocks.core.as_tabular import AsTabular
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.legacy.dual_encoder_block import DualEncoderBlock
from emrys.blocks.models.embedding_encoder import OneColumn
from emrys.blocks.models.encoder import Encoder
from emrys.blocks.models.fit_data import batches
from emrys.blocks.models.model import Model
from emrys.blocks.models.top_k_encoder import TopKEncoder
from emrys.blocks.outputs.contrastive_output import ContrastiveOutput
from emrys.blocks.retrieval.encoding import encode_frame
from emrys.blocks.retrieval.top_k_index_block import TopKIndexBlock
from emrys.blocks.retrieval.unique_rows import unique_by_tag

if TYPE_CHECKING:
    from merlin.io import Dataset

_K = 10


@dataclass(frozen=True)
class _Given:
    """What `compile` was given; an object of its own, since Keras takes the metrics that a model's lists hold."""

    metrics: tuple[Any, ...] | None = None


@keras.saving.register_keras_serializable("emrys")
class RetrievalModel(Model):
    """Two towers in a `DualEncoderBlock`, and an `ItemRetrievalTask`. Deprecated: use `RetrievalModelV2`.

    Args:
        *args: The blocks, the first of which is the `DualEncoderBlock`.
        **kwargs: The arguments of `Model`.

    Input shape:
        Dictionary of tensors by feature name, see `blocks`.

    Output shape:
        What the task gives: (B, 1), in training and testing (B, 1 + M).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warn_deprecated("RetrievalModel", "RetrievalModelV2")
        super().__init__(*args, **kwargs)
        self._given = _Given()

    @property
    def retrieval_block(self) -> DualEncoderBlock:
        """The two towers.

        Raises:
            ConfigError: if the model has none.
        """
        for block in self.blocks:
            if isinstance(block, DualEncoderBlock):
                return block
        names = ", ".join(type(block).__name__ for block in self.blocks)
        raise ConfigError(f"{self.name} has no two towers", expected="a DualEncoderBlock", got=names)

    def check_for_retrieval_task(self) -> None:
        """Checks that an output tells the right item from others.

        Raises:
            ConfigError: if none does.
        """
        if not any(isinstance(output, ContrastiveOutput) for output in self.model_outputs):
            raise ConfigError(
                f"{self.name} has no retrieval task",
                expected="an ItemRetrievalTask",
                got=", ".join(output.task_name for output in self.model_outputs) or "no output",
            )

    def query_embeddings(
        self, dataset: Any, batch_size: int, query_tag: Tags = Tags.USER, query_id_tag: Tags = Tags.USER_ID
    ) -> Dataset:
        """The vectors of queries.

        Args:
            dataset: A `merlin.io.Dataset` with a schema; of the rows of one query the first is taken.
            batch_size: Queries that are encoded at once.
            query_tag: Tag of the columns of queries. Default: `Tags.USER`.
            query_id_tag: Tag of the one with their ids. Default: `Tags.USER_ID`.

        Returns:
            The columns of the queries and, behind them, `"0"` to `"D - 1"`.
        """
        return self._vectors("query", dataset, batch_size, query_tag, query_id_tag)

    def item_embeddings(
        self, dataset: Any, batch_size: int, item_tag: Tags = Tags.ITEM, item_id_tag: Tags = Tags.ITEM_ID
    ) -> Dataset:
        """The vectors of items.

        Args:
            dataset: A `merlin.io.Dataset` with a schema; of the rows of one item the first is taken.
            batch_size: Items that are encoded at once.
            item_tag: Tag of the columns of items. Default: `Tags.ITEM`.
            item_id_tag: Tag of the one with their ids. Default: `Tags.ITEM_ID`.

        Returns:
            The columns of the items and, behind them, `"0"` to `"D - 1"`.
        """
        return self._vectors("item", dataset, batch_size, item_tag, item_id_tag)

    def _vectors(self, side: str, dataset: Any, batch_size: int, tag: Tags, id_tag: Tags) -> Dataset:
        from merlin.io import Dataset  # starts Dask, which is not everybody's

        rows = unique_by_tag(dataset, tag, id_tag)
        return Dataset(encode_frame(self._encoder(side), rows, batch_size=batch_size))

    def _encoder(self, side: str) -> Encoder:
        """A tower by itself, with what is before and behind both."""
        both = self.retrieval_block
        ahead = [] if both.pre is None else [both.pre]
        behind = [] if both.post is None else [AsTabular(side), both.post, OneColumn(side)]
        return Encoder(*ahead, both[side], *behind, schema=both[side].schema)

    def to_top_k_recommender(self, item_corpus: Any, k: int | None = None, **kwargs: Any) -> TopKEncoder:
        """The model that finds the best items, with this model's towers.

        Args:
            item_corpus: A `merlin.io.Dataset` of items, with a schema; or a `TopKIndexBlock` of their vectors.
            k: Number of items to give. Default: that of the `TopKIndexBlock`, or 10.
            **kwargs: Further arguments of `TopKEncoder`; `batch_size` is that of encoding the items.

        Returns:
            The encoder, to be compiled where it is to judge: a target is the id of the right item.
        """
        self.check_for_retrieval_task()
        size = kwargs.pop("batch_size", None)
        if isinstance(item_corpus, TopKIndexBlock):
            vectors, k = item_corpus.to_dataset(), k or item_corpus.k
        else:
            vectors = self._corpus(item_corpus, size)
        kwargs.setdefault("target", self._item_column())
        return TopKEncoder(self._encoder("query"), candidates=vectors, k=k or _K, **kwargs)

    def _corpus(self, items: Any, batch_size: int | None) -> Dataset:
        from merlin.io import Dataset  # starts Dask, which is not everybody's

        column = self._item_column()
        if column not in getattr(items.schema.select_by_tag(Tags.ITEM_ID), "column_names", []):
            raise SchemaError(
                "the items do not say which column holds their ids",
                column=column,
                expected="a schema with this column tagged ITEM_ID",
                got=", ".join(items.schema.column_names) or "no columns",
            )
        rows = unique_by_tag(items, Tags.ITEM, Tags.ITEM_ID)
        frame = encode_frame(self._encoder("item"), rows, batch_size=batch_size, keep=[column])
        return Dataset(frame.set_index(column))

    def _item_column(self) -> str:
        outputs = [output for output in self.model_outputs if isinstance(output, ContrastiveOutput)]
        return str(outputs[0].col_schema.name)

    def compile(
        self,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool | None = None,
        steps_per_execution: int | None = None,
        jit_compile: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        """Says how the model is trained, see `Model.compile`; `evaluate(item_corpus=...)` takes the metrics too."""
        super().compile(
            optimizer,
            loss,
            metrics,
            loss_weights,
            weighted_metrics,
            run_eagerly,
            steps_per_execution,
            jit_compile,
            **kwargs,
        )
        self._given = _Given(tuple(metrics) if isinstance(metrics, (list, tuple)) else None)

    def evaluate(  # type: ignore[override]  # the released order of arguments
        self,
        x: Any = None,
        y: Any = None,
        item_corpus: Any = None,
        batch_size: int | None = None,
        verbose: Any = 1,
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Judges the model, by the items that it samples or by a whole catalogue.

        Args:
            x: The data, see `Model.fit`; with `item_corpus`, each row has the id of its right item.
            y: Targets, where `x` holds the features alone.
            item_corpus: The catalogue, see `to_top_k_recommender`. Default: none, negatives are sampled as in training.
            batch_size: Rows of a batch, for what is not batched yet, and of items that are encoded at once.
            verbose: What is printed: `"auto"`, 0, 1 or 2.
            sample_weight: Weights of the rows, where all are in memory.
            steps: Batches to judge by. Default: all.
            callbacks: Callbacks of Keras.
            max_queue_size: Kept, without effect.
            workers: Kept, without effect.
            use_multiprocessing: Kept, without effect.
            return_dict: Whether to give a dictionary by name instead of a list.
            **kwargs: Further arguments of `Model.evaluate`, or of `TopKEncoder.evaluate`, such as `seen_items`.

        Returns:
            The loss and the metrics: those given to `compile` as a list, else the task's.
        """
        options = {"verbose": verbose, "steps": steps, "callbacks": callbacks, "return_dict": return_dict, **kwargs}
        if item_corpus is None:
            return super().evaluate(x, y, batch_size=batch_size, sample_weight=sample_weight, **options)
        metrics = self._fresh_metrics()
        k = max((int(metric.k) for metric in metrics if hasattr(metric, "k")), default=_K)
        encoder = self.to_top_k_recommender(item_corpus, k, batch_size=batch_size)
        encoder.compile(metrics=metrics)
        if isinstance(x, (str, os.PathLike, list)) or hasattr(x, "to_ddf"):
            return encoder.evaluate(x, batch_size=batch_size, **options)
        with batches(x, y, sample_weight=sample_weight, batch_size=batch_size, schema=self.schema) as data:
            return encoder.evaluate(_to_right_items(data, self._item_column()), **options)

    def _fresh_metrics(self) -> list[Any]:
        output = next(output for output in self.model_outputs if isinstance(output, ContrastiveOutput))
        if self._given.metrics is None:
            return output.create_default_metrics()
        return [
            from_config(to_config(metric)) if isinstance(metric, keras.metrics.Metric) else metric
            for metric in self._given.metrics
        ]

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Makes the model from what `get_config` gave."""
        with quietly():
            return super().from_config(config, custom_objects)


def _to_right_items(data: Any, column: str) -> Any:
    """Batches with the ids of the right items as targets."""
    if not isinstance(data, tf.data.Dataset):
        raise ConfigError("evaluate(item_corpus=...)", expected="a data set or a Loader", got=type(data).__name__)

    def change(*batch: Any) -> Any:
        features, _, weights = keras.utils.unpack_x_y_sample_weight(batch)
        found = (features, features[column])
        return found if weights is None else (*found, weights)

    return data.map(change)
