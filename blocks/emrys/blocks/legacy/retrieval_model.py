"""Retrieval model of two towers (first generation)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import Tags

from emrys.blocks.core.as_tabular import AsTabular
from emrys.blocks.core.block import BlockArguments, UnnamedBlockArguments
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.legacy.dual_encoder_block import DualEncoderBlock
from emrys.blocks.legacy.top_k_index_block import TopKIndexBlock
from emrys.blocks.models.compiled_metrics import MetricsArgument
from emrys.blocks.models.embedding_encoder import OneColumn
from emrys.blocks.models.encoder import Encoder
from emrys.blocks.models.fit_data import Data, batches
from emrys.blocks.models.model import Model
from emrys.blocks.models.top_k_encoder import TopKEncoder
from emrys.blocks.outputs.contrastive_output import ContrastiveOutput
from emrys.blocks.retrieval.encoding import encode_frame
from emrys.blocks.retrieval.unique_rows import unique_by_tag

if TYPE_CHECKING:
    from merlin.io import Dataset

_K = 10


@dataclass(frozen=True)
class _CompileArguments:
    """Arguments of `compile`, in one object so that Keras does not track the metrics as those of the model."""

    metrics: tuple[Any, ...] | None = None


@keras.saving.register_keras_serializable("emrys")
class RetrievalModel(Model):
    """Model of a `DualEncoderBlock` and an `ItemRetrievalTask`. Deprecated: use `RetrievalModelV2`.

    Args:
        *args: The blocks, first the `DualEncoderBlock`.
        **kwargs: Arguments of `Model`.

    Input shape:
        Dictionary of tensors by feature name, see `blocks`.

    Output shape:
        Output of the task: (B, 1), in training and testing (B, 1 + M).
    """

    def __init__(self, *args: object, **kwargs: Unpack[BlockArguments]) -> None:
        warn_deprecated("RetrievalModel", "RetrievalModelV2")
        super().__init__(*args, **kwargs)
        self._compile_arguments = _CompileArguments()

    @property
    def retrieval_block(self) -> DualEncoderBlock:
        """The two towers.

        Raises:
            ConfigError: if the model has no `DualEncoderBlock`.
        """
        for block in self.blocks:
            if isinstance(block, DualEncoderBlock):
                return block
        names = ", ".join(type(block).__name__ for block in self.blocks)
        raise ConfigError(f"{self.name} has no towers", expected="a DualEncoderBlock", got=names)

    def check_for_retrieval_task(self) -> None:
        """Checks that the model has a retrieval task.

        Raises:
            ConfigError: if no output is one.
        """
        if not any(isinstance(output, ContrastiveOutput) for output in self.model_outputs):
            raise ConfigError(
                f"{self.name} has no retrieval task",
                expected="an ItemRetrievalTask",
                got=", ".join(output.task_name for output in self.model_outputs) or "no output",
            )

    def query_embeddings(
        self, dataset: Dataset, batch_size: int, query_tag: Tags = Tags.USER, query_id_tag: Tags = Tags.USER_ID
    ) -> Dataset:
        """Encodes the distinct queries of a data set.

        Args:
            dataset: A `merlin.io.Dataset` with a schema; the first row of each query is encoded.
            batch_size: Rows of a batch.
            query_tag: Tag of the query columns. Default: `Tags.USER`.
            query_id_tag: Tag of the query id. Default: `Tags.USER_ID`.

        Returns:
            The query columns followed by the vectors, `"0"` to `"D - 1"`.
        """
        return self._vectors("query", dataset, batch_size, query_tag, query_id_tag)

    def item_embeddings(
        self, dataset: Dataset, batch_size: int, item_tag: Tags = Tags.ITEM, item_id_tag: Tags = Tags.ITEM_ID
    ) -> Dataset:
        """Encodes the distinct items of a data set.

        Args:
            dataset: A `merlin.io.Dataset` with a schema; the first row of each item is encoded.
            batch_size: Rows of a batch.
            item_tag: Tag of the item columns. Default: `Tags.ITEM`.
            item_id_tag: Tag of the item id. Default: `Tags.ITEM_ID`.

        Returns:
            The item columns followed by the vectors, `"0"` to `"D - 1"`.
        """
        return self._vectors("item", dataset, batch_size, item_tag, item_id_tag)

    def _vectors(self, side: str, dataset: Any, batch_size: int, tag: Tags, id_tag: Tags) -> Dataset:
        from merlin.io import Dataset  # imports Dask, which is optional

        rows = unique_by_tag(dataset, tag, id_tag)
        return Dataset(encode_frame(self._encoder(side), rows, batch_size=batch_size))

    def _encoder(self, side: str) -> Encoder:
        """One tower, with the `pre` and `post` of the block."""
        block = self.retrieval_block
        before = [] if block.pre is None else [block.pre]
        after = [] if block.post is None else [AsTabular(side), block.post, OneColumn(side)]
        return Encoder(*before, block[side], *after, schema=block[side].schema)

    def to_top_k_recommender(
        self, item_corpus: Dataset | TopKIndexBlock, k: int | None = None, **kwargs: Any
    ) -> TopKEncoder:
        """Creates a top-k model with the towers of this model.

        Args:
            item_corpus: A `merlin.io.Dataset` of items, whose columns need no tags; or a `TopKIndexBlock` of their
                vectors.
            k: Number of results. Default: that of the `TopKIndexBlock`, or 10.
            **kwargs: Further arguments of `TopKEncoder`, and `batch_size` for encoding the items.

        Returns:
            The top-k model; compile it to evaluate, with the id of the relevant item as target.
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
        from merlin.io import Dataset  # imports Dask, which is optional

        column = self._item_column()
        rows = items.to_ddf()
        if column not in rows.columns:
            raise SchemaError(
                "the item corpus has no id column",
                column=column,
                expected="a column of this name",
                got=", ".join(map(str, rows.columns)) or "no columns",
            )
        distinct = Dataset(rows.drop_duplicates(column, keep="first"), schema=items.schema)
        frame = encode_frame(self._encoder("item"), distinct, batch_size=batch_size, keep=[column])
        return Dataset(frame.set_index(column))

    def _item_column(self) -> str:
        outputs = [output for output in self.model_outputs if isinstance(output, ContrastiveOutput)]
        return str(outputs[0].col_schema.name)

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer | None = None,
        loss: str | keras.losses.Loss | Mapping[str, str | keras.losses.Loss] | None = None,
        metrics: MetricsArgument = None,
        loss_weights: Mapping[str, float] | None = None,
        weighted_metrics: MetricsArgument = None,
        run_eagerly: bool | None = None,
        steps_per_execution: int | None = None,
        jit_compile: bool | str | None = None,
        **kwargs: object,
    ) -> None:
        """Configures the model, see `Model.compile`; `evaluate(item_corpus=...)` uses the metrics too."""
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
        self._compile_arguments = _CompileArguments(tuple(metrics) if isinstance(metrics, (list, tuple)) else None)

    def evaluate(  # type: ignore[override]  # the released order of arguments
        self,
        x: Data = None,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        item_corpus: Dataset | TopKIndexBlock | None = None,
        batch_size: int | None = None,
        verbose: str | int = 1,
        sample_weight: tf.Tensor | None = None,
        steps: int | None = None,
        callbacks: Any = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        return_dict: bool = False,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> Any:
        """Evaluates the model, against sampled negatives or a whole catalogue.

        Args:
            x: The data, see `Model.fit`; with `item_corpus`, each row has the id of its relevant item.
            y: Targets, if `x` holds the features alone.
            item_corpus: The catalogue, see `to_top_k_recommender`. Default: none, negatives are sampled as in training.
            batch_size: Rows of a batch, for data that is not batched yet, and for encoding items.
            verbose: Verbosity: `"auto"`, 0, 1 or 2.
            sample_weight: Weights of the rows, for data in memory.
            steps: Number of batches. Default: all.
            callbacks: Callbacks of Keras.
            max_queue_size: Accepted for compatibility; ignored.
            workers: Accepted for compatibility; ignored.
            use_multiprocessing: Accepted for compatibility; ignored.
            return_dict: Whether to return a dictionary by name instead of a list.
            **kwargs: Further arguments of `Model.evaluate`, or of `TopKEncoder.evaluate`, such as `seen_items`.

        Returns:
            The loss and the metrics: those of `compile`, if it got a list, else those of the task.
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
            return encoder.evaluate(_with_item_targets(data, self._item_column()), **options)

    def _fresh_metrics(self) -> list[Any]:
        output = next(output for output in self.model_outputs if isinstance(output, ContrastiveOutput))
        if self._compile_arguments.metrics is None:
            return output.create_default_metrics()
        return [
            from_config(to_config(metric)) if isinstance(metric, keras.metrics.Metric) else metric
            for metric in self._compile_arguments.metrics
        ]

    @classmethod
    def from_config(cls, config: dict[str, object], custom_objects: Mapping[str, type] | None = None) -> Self:
        """Creates the model from `get_config`."""
        with quietly():
            return super().from_config(config, custom_objects)


def _with_item_targets(data: Any, column: str) -> Any:
    """Replaces the targets of batches by the ids of the relevant items."""
    if not isinstance(data, tf.data.Dataset):
        raise ConfigError("evaluate(item_corpus=...)", expected="a data set or a Loader", got=type(data).__name__)

    def with_item_targets(*batch: Any) -> Any:
        features, _, weights = keras.utils.unpack_x_y_sample_weight(batch)
        features_and_ids = (features, features[column])
        return features_and_ids if weights is None else (*features_and_ids, weights)

    return data.map(with_item_targets)
