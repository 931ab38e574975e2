"""`TopKEncoder`: the best candidates of a catalogue for queries."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags
from numpy.typing import ArrayLike

from emrys.blocks.core.calling import Shape, StepContext, call_layer
from emrys.blocks.core.serializing import from_config, sharing, to_config
from emrys.blocks.core.traversal import shared_layers
from emrys.blocks.errors import ConfigError
from emrys.blocks.loader import Loader
from emrys.blocks.models.compiled_metrics import CompiledTopKMetrics, MetricsArgument
from emrys.blocks.models.encoder import Encoder
from emrys.blocks.models.fit_data import batches
from emrys.blocks.retrieval.encoding import Data, encode_frame, index_column
from emrys.blocks.retrieval.seen_items import SEEN_ITEMS, SeenItems, as_seen_items
from emrys.blocks.retrieval.top_k_layer import TopKLayer
from emrys.blocks.retrieval.top_k_output import TopKOutput

if TYPE_CHECKING:
    from merlin.io import Dataset


#: Vectors of candidates: an array (N, D), or a data set or data frame of vectors indexed by their ids.
Candidates: TypeAlias = "Dataset | pd.DataFrame | ArrayLike"

#: Targets of a batch, or of all rows.
Targets: TypeAlias = "tf.Tensor | Mapping[str, tf.Tensor] | None"


@keras.saving.register_keras_serializable("emrys")
class TopKEncoder(Encoder):
    """Encodes queries and retrieves the top K candidates of a catalogue for each.

    `evaluate` compares with the whole catalogue: a query's targets are the ids of its relevant items, one (B, 1),
    several (B, P) padded with -1, or lists. `evaluate`, `predict` and `batch_predict` take `seen_items`, the items to
    leave out of each query's candidates; a batch, or a request, can also bring them itself, as the list feature
    `seen_items`.

    Among equal scores, the candidate that was indexed first comes first, in metrics too.

    Args:
        query_encoder: Encodes queries, an `Encoder` or another layer.
        topk_layer: A top-k layer, its name (`"brute-force-topk"`, `"approximate-topk"`), or a `TopKOutput`. Default:
            `"brute-force-topk"`.
        candidates: Vectors (N, D), whose ids are the row numbers, or a `merlin.io.Dataset` or data frame of vectors
            indexed by their ids. Default: those that the layer has; `index_candidates` gives them later.
        candidate_encoder: Encodes candidates, for `encode_candidates`. Default: none.
        k: Number of candidates, K, where `topk_layer` is a name; a layer has its own. Default: 10.
        pre: Layer before the query encoder. Default: none.
        post: Layer behind the search, which takes a `TopKPrediction`. Default: none.
        target: Name of the target with the ids of the relevant items. Default: the batch's only target.
        takes_seen_items: Whether a served model has the list column `seen_items` among its inputs. Default: False.

    Input shape:
        Dictionary of tensors by feature name, see `blocks`.

    Output shape:
        `TopKPrediction` of scores (B, K) and identifiers (B, K); -inf and -1 where there are not K. Called with
        `targets` and `testing`, a `Prediction`.

    Raises:
        ConfigError: if the layer is unknown, or candidates have NaN or ids twice; when called, if there are no
            candidates, or fewer than K.
    """

    needs_schema = False

    def __init__(
        self,
        query_encoder: keras.layers.Layer,
        topk_layer: str | TopKLayer | TopKOutput = "brute-force-topk",
        candidates: Candidates | None = None,
        candidate_encoder: keras.layers.Layer | None = None,
        k: int = 10,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        target: str | None = None,
        takes_seen_items: bool = False,
        **kwargs: Any,
    ) -> None:
        if not isinstance(topk_layer, TopKOutput):
            topk_layer = TopKOutput(topk_layer, candidates, k=k, target=target)
        elif candidates is not None:
            topk_layer.to_call.index_from_dataset(candidates)
        super().__init__(query_encoder, topk_layer, pre=pre, post=post, **kwargs)
        self.candidate_encoder = candidate_encoder
        self.takes_seen_items = takes_seen_items

    @classmethod
    def from_candidate_dataset(
        cls,
        query_encoder: keras.layers.Layer,
        candidate_encoder: keras.layers.Layer,
        dataset: Data,
        top_k: int = 10,
        index_column: str | ColumnSchema | Schema | Tags | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> Self:
        """Creates the encoder with candidates that are encoded from their features.

        Args:
            query_encoder: Encodes queries.
            candidate_encoder: Encodes candidates.
            dataset: Features of the candidates, one row for each.
            top_k: Number of candidates, K. Default: 10.
            index_column: Column of the candidates' ids: a name, a column, a schema of one, or a tag of one. Default:
                the row numbers are the ids.
            batch_size: Number of candidates in a batch. Default: 1024.
            **kwargs: Further arguments of the encoder.
        """
        encoder = cls(query_encoder, candidate_encoder=candidate_encoder, k=top_k, **kwargs)
        candidates = encoder.encode_candidates(dataset, index_column, batch_size=batch_size)
        encoder.topk_layer.index_from_dataset(candidates)
        return encoder

    @property
    def topk_layer(self) -> TopKLayer:
        """The top-k layer."""
        return self.blocks[-1].to_call

    @property
    def k(self) -> int:
        """The number of candidates, K."""
        return self.topk_layer.k

    @property
    def input_schema(self) -> Schema | None:
        """The columns of a request."""
        schema = super().input_schema
        if schema is None or not self.takes_seen_items:
            return schema
        return schema + Schema([ColumnSchema(SEEN_ITEMS, dtype="int64", is_list=True, is_ragged=True)])

    def build(self, input_shape: Shape) -> None:
        """Builds the query encoder for a batch of `input_shape`."""
        super().build(_queries(input_shape))

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        context: StepContext | None = None,
        k: int | None = None,
    ) -> Any:
        """Returns the top `k` candidates of a batch, by default K; metrics compare them with the targets afterwards."""
        features = self.prepared(inputs)
        seen = features.get(SEEN_ITEMS) if isinstance(features, dict) else None
        outputs = features = _queries(features)
        arguments = {"training": training, "testing": testing, "features": features, "targets": targets}
        for layer in self._chain():
            more = {"seen_items": seen, "k": k} if layer is self.blocks[-1] else {}
            outputs = call_layer(layer, outputs, **arguments, **more)
        return outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shapes of scores and identifiers, (B, K) each."""
        return super().compute_output_shape(_queries(input_shape))

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer | None = "rmsprop",
        loss: str | keras.losses.Loss | Mapping[str, str | keras.losses.Loss] | None = None,
        metrics: MetricsArgument = None,
        loss_weights: Mapping[str, float] | None = None,
        weighted_metrics: MetricsArgument = None,
        run_eagerly: bool | None = None,
        steps_per_execution: int | None = None,
        jit_compile: bool | str | None = None,
        k: int | None = None,
        **kwargs: object,
    ) -> None:
        """Configures evaluation.

        Args:
            optimizer: Accepted, without effect: nothing is trained.
            loss: Loss of the K scores. Default: the loss of the output.
            metrics: Metrics. Default: the metrics of the output.
            loss_weights: Weight of the loss.
            weighted_metrics: Metrics that are computed with the sample weights.
            run_eagerly: Whether steps run without a graph. Default: False.
            steps_per_execution: Batches in one call of the graph. Default: 1.
            jit_compile: Whether XLA compiles the steps, which top-k layers do not support. Default: False.
            k: New number of candidates, K. Default: unchanged.
            **kwargs: The other arguments of `keras.Model.compile`.

        Raises:
            ConfigError: if the cut-off of a metric is larger than K; Merlin Models takes it
                (docs/coming-from-merlin-models.md).
        """
        if k is not None:
            self.topk_layer.k = k
        super().compile(
            optimizer,
            loss,
            metrics,
            loss_weights,
            weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            **kwargs,
        )
        self._compiled = CompiledTopKMetrics(
            self.blocks[-1],
            loss=loss,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            loss_weights=loss_weights,
        )

    def index_candidates(self, candidates: Candidates, identifiers: ArrayLike | None = None) -> Self:
        """Replaces the candidates.

        Args:
            candidates: Vectors (N, D), or a `merlin.io.Dataset` or data frame of vectors indexed by their ids.
            identifiers: Ids of the vectors, (N,). Default: the row numbers.

        Returns:
            The encoder.
        """
        if hasattr(candidates, "to_ddf") or isinstance(candidates, pd.DataFrame):
            self.topk_layer.index_from_dataset(candidates)
        else:
            self.topk_layer.index(candidates, identifiers)
        # The compiled functions may contain the former number of candidates.
        self.predict_function = self.test_function = None
        return self

    def encode_candidates(
        self,
        dataset: Data,
        index_column: str | ColumnSchema | Schema | Tags | None = None,
        candidate_encoder: keras.layers.Layer | None = None,
        batch_size: int | None = None,
    ) -> Dataset:
        """Encodes candidates for `index_candidates`.

        Args:
            dataset: Features of the candidates, one row for each.
            index_column: Column of their ids. Default: the row numbers are the ids.
            candidate_encoder: Encodes them. Default: that of the constructor.
            batch_size: Number of candidates in a batch. Default: 1024.

        Returns:
            A data set with columns `"0"` to `"D - 1"`, indexed by the ids.

        Raises:
            ConfigError: if there is no candidate encoder.
        """
        from merlin.io import Dataset  # imported here: it starts Dask

        encoder = self.candidate_encoder if candidate_encoder is None else candidate_encoder
        if encoder is None:
            raise ConfigError(f"{self.name} has no candidate encoder", fix="Give candidate_encoder=.")
        if index_column is None:
            return Dataset(encode_frame(encoder, dataset, batch_size=batch_size, keep=[]))
        column = _column(index_column, getattr(encoder, "schema", None))
        return Dataset(encode_frame(encoder, dataset, batch_size=batch_size, keep=[column]).set_index(column))

    def evaluate(  # type: ignore[override]  # the base class takes any further argument, this one seen_items
        self,
        x: object = None,
        y: Targets = None,
        batch_size: int | None = None,
        verbose: str | int = 1,
        sample_weight: Targets = None,
        steps: int | None = None,
        callbacks: list[keras.callbacks.Callback] | None = None,
        return_dict: bool = False,
        pre: keras.layers.Layer | None = None,
        seen_items: SeenItems | str | os.PathLike[str] | None = None,
        **kwargs: object,
    ) -> Any:
        """Evaluates the candidates of queries: `keras.Model.evaluate` on the data that `Model.fit` accepts.

        Args:
            x: The queries, with the relevant items as targets.
            y: Targets, if `x` holds only the features.
            batch_size: Rows of a batch, for data that is not batched yet.
            verbose: Verbosity: `"auto"`, 0, 1 or 2.
            sample_weight: Weights of the rows, for data in memory.
            steps: Number of batches. Default: all.
            callbacks: Callbacks of Keras.
            return_dict: Whether to return a dictionary by name instead of a list.
            pre: Layer applied to batches before the model, see `Model.fit`.
            seen_items: Items to leave out of each query's candidates: `SeenItems`, or its file. Its column of query ids
                is one of the data. A relevant item that is left out counts as not retrieved. Default: none.
            **kwargs: Further arguments of the `Loader` that reads a `Dataset` or files.
        """
        options: dict[str, Any] = {"steps": steps, "callbacks": callbacks, "return_dict": return_dict, "pre": pre}
        options |= {name: kwargs.pop(name) for name in list(kwargs) if name.startswith("_")}  # from Keras
        with self._batches(x, y, batch_size, seen_items, sample_weight, kwargs) as data:
            return super().evaluate(data, verbose=verbose, **options)

    def predict(  # type: ignore[override]  # the base class takes any further argument, this one seen_items
        self,
        x: object,
        batch_size: int | None = None,
        verbose: str | int = 0,
        steps: int | None = None,
        callbacks: list[keras.callbacks.Callback] | None = None,
        pre: keras.layers.Layer | None = None,
        seen_items: SeenItems | str | os.PathLike[str] | None = None,
        **kwargs: object,
    ) -> Any:
        """Returns the candidates of every query, a `TopKPrediction` of arrays; see `evaluate` for the arguments."""
        with self._batches(x, None, batch_size, seen_items, loader_options=kwargs) as data:
            return super().predict(data, verbose=verbose, steps=steps, callbacks=callbacks, pre=pre)

    def _batches(
        self,
        x: Any,
        y: Any,
        batch_size: int | None,
        seen_items: Any,
        sample_weight: Any = None,
        loader_options: Mapping[str, object] | None = None,
    ) -> Any:
        options: dict[str, Any] = {
            "batch_size": batch_size,
            "schema": self.schema,
            "target": self.blocks[-1].target,
            "seen": None if seen_items is None else as_seen_items(seen_items),
            "loader_options": loader_options,
        }
        return query_batches(x, y, sample_weight, **options)

    def batch_predict(  # type: ignore[override]  # an index would be one of the queries, of which all columns are kept
        self,
        dataset: Data,
        batch_size: int,
        output_schema: Schema | None = None,
        seen_items: SeenItems | str | os.PathLike[str] | None = None,
    ) -> Dataset:
        """Returns the candidates of all queries of a data set, in order.

        Args:
            dataset: A `merlin.io.Dataset`, a `Loader`, an Arrow table, or paths of Parquet files.
            batch_size: Rows of a batch; a `Loader` has its own.
            output_schema: Columns of the data to keep beside the candidates. Default: all.
            seen_items: Items to leave out of each query's candidates, see `evaluate`. Default: none.

        Returns:
            A data set, in memory: the kept columns and, behind them, `score_0` to `score_<K-1>` and `id_0` to
            `id_<K-1>`.
        """
        from merlin.io import Dataset  # imported here: it starts Dask

        keep = None if output_schema is None else list(output_schema.column_names)
        if seen_items is None:
            return Dataset(encode_frame(self, dataset, batch_size=batch_size, keep=keep))
        seen = as_seen_items(seen_items)
        read = keep if keep is None or seen.query_column in keep else [*keep, seen.query_column]

        def extra(rows: Any) -> dict[str, Any]:
            if seen.query_column not in rows.column_names:
                raise ConfigError(
                    "the data does not say whose queries it has", expected=f"column {seen.query_column!r}"
                )
            values, offsets = seen.lookup(np.asarray(rows.column(seen.query_column)))
            return {SEEN_ITEMS: tf.RaggedTensor.from_row_splits(values, offsets)}

        frame = encode_frame(self, dataset, batch_size=batch_size, keep=read, extra=extra)
        return Dataset(frame if read == keep else frame.drop(columns=seen.query_column))

    def compute_loss(
        self,
        x: object = None,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        y_pred: object = None,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        training: bool = True,
    ) -> Any:
        """Returns the loss of the scores of the top K candidates of a batch."""
        return self._compiled_parts.loss(y, y_pred, sample_weight, None, self.losses)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Calls `compile` with the result of `get_compile_config`, without optimizer state."""
        self.compile(**from_config({name: value for name, value in config.items() if name != "frozen"}))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        inside = [*self._chain(), *([] if self.candidate_encoder is None else [self.candidate_encoder])]
        with sharing(shared_layers(inside)):
            return {
                **super().get_config(),
                "candidate_encoder": to_config(self.candidate_encoder),
                "takes_seen_items": self.takes_seen_items,
            }


def _column(index: Any, schema: Schema | None) -> str:
    return index_column(index, schema)


def _queries(features: Any) -> Any:
    """The features of a batch, or their shapes, without the seen items."""
    if isinstance(features, dict):
        lists = (SEEN_ITEMS, f"{SEEN_ITEMS}__values", f"{SEEN_ITEMS}__offsets")
        return {name: value for name, value in features.items() if name not in lists}
    return features


@contextlib.contextmanager
def query_batches(
    x: object,
    y: Targets = None,
    sample_weight: Targets = None,
    *,
    batch_size: int | None,
    schema: Schema | None,
    target: str | None,
    seen: SeenItems | None,
    loader_options: Mapping[str, object] | None = None,
) -> Iterator[Any]:
    """Context manager for batches of queries for `evaluate` and `predict`.

    Args:
        x: Data that `Model.fit` accepts.
        y: Targets, if `x` holds only the features.
        sample_weight: Weights of the rows, for data in memory.
        batch_size: Rows of a batch, for data that is not batched yet.
        schema: Columns of a query.
        target: Column of the ids of the relevant items, if the schema of the data does not tag it.
        seen: Items to leave out of each query's candidates. Default: none.
        loader_options: Further arguments of the `Loader` that reads a data set or files.

    Yields:
        Batches as `emrys.blocks.models.fit_data` makes them; with `seen`, each has the list feature `SEEN_ITEMS` too.

    Raises:
        ConfigError: if the batches do not have the column of query ids.
    """
    if isinstance(x, (str, os.PathLike, list)) or hasattr(x, "to_ddf"):
        x, loader_options = _loader(x, batch_size, schema, target, seen, loader_options or {}), None
    options: dict[str, Any] = {"batch_size": batch_size, "schema": schema, "loader_options": loader_options}
    with batches(x, y, sample_weight=sample_weight, **options) as data:
        yield data if seen is None else _with_seen_items(data, seen, schema)


def _loader(
    x: Any,
    batch_size: int | None,
    schema: Schema | None,
    target: str | None,
    seen: SeenItems | None,
    options: Mapping[str, Any],
) -> Loader:
    if batch_size is None:
        raise ConfigError("a data set needs a batch size", fix="Give batch_size=.")
    data_schema = getattr(x, "schema", None)
    data_schema = data_schema if isinstance(data_schema, Schema) and len(data_schema) else Loader(x, batch_size).schema
    query_schema = Schema([]) if schema is None else schema
    tagged = list(data_schema.select_by_tag(Tags.TARGET).column_names)
    # A session is the input of its own item ids; there the relevant items are a target of their own.
    is_target = target in data_schema.column_names and not (tagged and target in query_schema.column_names)
    targets = [str(target)] if is_target else tagged
    query_columns = [seen.query_column] if seen is not None else []
    names = query_schema.column_names or data_schema.excluding_by_name(targets).column_names
    columns = {
        name: query_schema[name] if name in query_schema.column_names else data_schema[name]
        for name in names
        if name in data_schema.column_names
    }
    columns |= {
        name: data_schema[name] for name in query_columns if name in data_schema.column_names and name not in columns
    }
    read = Schema([*columns.values(), *(_as_ids(data_schema[name]) for name in targets)])
    defaults: dict[str, Any] = {"label_names": targets, "feature_columns": list(columns), "shuffle": False}
    return Loader(x, batch_size, **{**defaults, "schema": read, **options})


def _as_ids(column: ColumnSchema) -> ColumnSchema:
    """A target with the tag CATEGORICAL, so that its integers stay integers."""
    return column.with_tags([Tags.CATEGORICAL]) if column.dtype.is_integer else column


def _with_seen_items(data: Any, seen: SeenItems, schema: Schema | None) -> Any:
    if not isinstance(data, tf.data.Dataset):
        raise ConfigError("seen items are added to a tf.data.Dataset, a Loader or data", got=type(data).__name__)

    element_spec = data.element_spec[0] if isinstance(data.element_spec, tuple) else data.element_spec
    if seen.query_column not in element_spec:
        raise ConfigError(
            "the batches do not say whose queries they are",
            expected=f"the column {seen.query_column!r}, that of the seen items",
            got=", ".join(element_spec),
        )

    def add(*batch: Any) -> Any:
        features = dict(batch[0])
        values, offsets = tf.numpy_function(
            seen.lookup, [tf.reshape(features[seen.query_column], (-1,))], [tf.int64, tf.int64], stateful=False
        )
        if schema is not None and seen.query_column not in schema.column_names:
            del features[seen.query_column]
        splits = tf.ensure_shape(offsets, (None,))
        features[SEEN_ITEMS] = tf.RaggedTensor.from_row_splits(tf.ensure_shape(values, (None,)), splits, validate=False)
        return (features, *batch[1:])

    return data.map(add)
