"""`RetrievalModelV2`: a query encoder with a candidate encoder, or with an output that holds item vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

import keras
import numpy as np
import pyarrow as pa
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import BlockArguments
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.serializing import from_config, sharing, to_config
from emrys.blocks.core.traversal import shared_layers
from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.loader import Loader
from emrys.blocks.loader.sources import open_source
from emrys.blocks.models.embedding_encoder import EmbeddingEncoder
from emrys.blocks.models.encoder import Encoder
from emrys.blocks.models.model import Model
from emrys.blocks.models.sample_inputs import fixed_length
from emrys.blocks.models.top_k_encoder import TopKEncoder
from emrys.blocks.outputs.candidate_weights import candidate_bias
from emrys.blocks.outputs.contrastive_output import ContrastiveOutput
from emrys.blocks.outputs.model_output import ModelOutput
from emrys.blocks.outputs.resolve import resolve_outputs
from emrys.blocks.retrieval.encoding import Data, index_column
from emrys.blocks.retrieval.scored_with_bias import ScoredWithBias, with_bias
from emrys.blocks.retrieval.top_k_layer import TopKLayer
from emrys.blocks.retrieval.top_k_output import TopKOutput

if TYPE_CHECKING:
    from merlin.io import Dataset


class ModelArguments(BlockArguments, total=False):
    """The arguments of `Model` that `RetrievalModelV2` passes on."""

    schema: Schema | None
    prep_features: bool


class RetrievalModelArguments(BlockArguments, total=False):
    """The arguments of `RetrievalModelV2` that the functions which make one pass on."""

    pre: keras.layers.Layer | None
    query_name: str
    candidate_name: str
    prep_features: bool


@keras.saving.register_keras_serializable("emrys")
class RetrievalModelV2(Model):
    """A query encoder with a candidate encoder, or with an output that holds a vector for every candidate.

    It is trained as any `Model`. `to_top_k_encoder` then returns the model that retrieves the top K candidates of a
    whole catalogue, for evaluation, prediction and serving; `query_embeddings` and `candidate_embeddings` return the
    vectors themselves.

    Args:
        query: Encodes queries, an `Encoder` or another layer.
        output: The output, or several: such as a `ContrastiveOutput`, or a `CategoricalOutput` without `candidate`.
        candidate: Encodes candidates. Default: none, the output holds their vectors.
        query_name: Name of the queries in the output's input. Default: that of a `ContrastiveOutput`, or `"query"`.
        candidate_name: Name of the candidates. Default: that of a `ContrastiveOutput`, or `"candidate"`.
        pre: Layer before the encoders. Default: none.
        post: Layer after the output. Default: none.
        **kwargs: Further arguments of `Model`: `schema`, `context`, `prep_features`, `name`.

    Input shape:
        Dictionary of tensors by feature name, see `blocks`.

    Output shape:
        The shape of the output: (B, 1) for two encoders, (B, N) for one, in training and testing of a
        `ContrastiveOutput` (B, 1 + M).

    Raises:
        ConfigError: if the vectors of the two encoders differ in size.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema, Tags
        >>> user = Schema([mm.create_categorical_column("user_id", num_items=9, tags=[Tags.USER_ID])])
        >>> item = Schema([mm.create_categorical_column("item_id", num_items=19, tags=[Tags.ITEM_ID])])
        >>> model = mm.RetrievalModelV2(
        ...     query=mm.Encoder(user, mm.MLPBlock([4])),
        ...     candidate=mm.Encoder(item, mm.MLPBlock([4])),
        ...     output=mm.ContrastiveOutput(mm.DotProduct(), "in-batch", schema=item),
        ... )
        >>> model.candidate_embeddings().to_ddf().compute().shape  # doctest: +SKIP
        (20, 4)
    """

    def __init__(
        self,
        *,
        query: keras.layers.Layer,
        output: keras.layers.Layer | list[keras.layers.Layer],
        candidate: keras.layers.Layer | None = None,
        query_name: str = "query",
        candidate_name: str = "candidate",
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        **kwargs: Unpack[ModelArguments],
    ) -> None:
        for argument, layer in (("query", query), ("candidate", candidate)):
            if layer is not None and not isinstance(layer, keras.layers.Layer):
                raise ConfigError(f"RetrievalModelV2: {argument}", expected="a layer", got=type(layer).__name__)
        last = output if isinstance(output, ModelOutput) else resolve_outputs(output)
        if isinstance(last, ContrastiveOutput):
            query_name, candidate_name = last.keys
        encoder = query
        if candidate is not None:
            check_tower_sizes(type(self).__name__, {query_name: query, candidate_name: candidate})
            encoder = ParallelBlock({query_name: query, candidate_name: candidate}, automatic_pruning=False)
        super().__init__(encoder, last, pre=pre, post=post, **kwargs)
        self.query_name = query_name
        self.candidate_name = candidate_name
        self._has_candidate_encoder = candidate is not None

    @property
    def encoder(self) -> keras.layers.Layer:
        """The query encoder, or both encoders as one `ParallelBlock`."""
        return self.blocks[0]

    @property
    def has_candidate_encoder(self) -> bool:
        """Whether candidates are encoded from their features."""
        return self._has_candidate_encoder

    @property
    def query_encoder(self) -> keras.layers.Layer:
        """The query encoder."""
        encoder = self.encoder
        return (
            encoder[self.query_name] if isinstance(encoder, ParallelBlock) and self._has_candidate_encoder else encoder
        )

    @property
    def candidate_encoder(self) -> keras.layers.Layer:
        """The candidate encoder.

        Raises:
            ConfigError: if there is none.
        """
        encoder = self.encoder
        if not isinstance(encoder, ParallelBlock) or not self._has_candidate_encoder:
            raise ConfigError(
                f"{self.name} has no candidate encoder",
                expected="a model with candidate=",
                fix="The output holds the vectors of the candidates: candidate_embeddings() gives them.",
            )
        return encoder[self.candidate_name]

    def query_embeddings(
        self, dataset: Data | None = None, index: Index | None = None, batch_size: int = 1024, **kwargs: object
    ) -> Dataset:
        """Returns the vectors of queries.

        Args:
            dataset: Features of the queries: a `merlin.io.Dataset`, a `Loader`, an Arrow table, or paths of Parquet
                files. Default: all ids, if the query encoder is an `EmbeddingEncoder`.
            index: Column to index the result by: a name, a column, a schema of one, or a tag. Default: the column
                tagged USER_ID.
            batch_size: Number of queries in a batch. Default: 1024.
            **kwargs: Further arguments of `Encoder.encode`.

        Returns:
            A data set with columns `"0"` to `"D - 1"`, indexed by the column; one row for each row of `dataset`.

        Raises:
            SchemaError: if the index is not one column.
            ConfigError: if there is no data, or the query encoder is no `Encoder`.
            DataError: if the data lacks a column.
        """
        return encode_rows(self.query_encoder, "query", dataset, index or Tags.USER_ID, batch_size, **kwargs)

    def candidate_embeddings(
        self, dataset: Data | None = None, index: Index | None = None, batch_size: int = 1024, **kwargs: object
    ) -> Dataset:
        """Returns the vectors of candidates.

        Args:
            dataset: Features of the candidates, or their ids if there is no candidate encoder. Default: all ids, if
                the output holds the vectors, or the candidate encoder is an `EmbeddingEncoder`.
            index: Column of the ids, as in `query_embeddings`. Default: the column tagged ITEM_ID or, where none is,
                the one by which the output identifies items.
            batch_size: Number of candidates in a batch. Default: 1024.
            **kwargs: Further arguments of `Encoder.encode`.

        Returns:
            A data set with columns `"0"` to `"D - 1"`, indexed by the ids; one row for each row of `dataset`.

        Raises:
            SchemaError: if the index is not one column.
            ConfigError: if there is no data, or neither an `Encoder` nor an output that holds the vectors.
            DataError: if the data lacks a column, or has an id without a vector.
        """
        if self._has_candidate_encoder:
            encoder = self.candidate_encoder
            column = self._index_of_candidates(index, getattr(encoder, "schema", None))
            return encode_rows(encoder, "candidate", dataset, column, batch_size, **kwargs)
        output = self.model_outputs[0]
        if not hasattr(output, "to_dataset"):
            raise ConfigError(
                f"{self.name} holds no vectors of candidates",
                expected="a candidate encoder, a ContrastiveOutput or a CategoricalOutput",
                got=type(output).__name__,
            )
        rows = output.to_dataset()
        if dataset is None:
            return rows
        return rows_of_ids(rows, dataset, self._index_of_candidates(index, getattr(dataset, "schema", None)))

    def _index_of_candidates(self, index: Index | None, schema: Schema | None) -> Index:
        index = index or Tags.ITEM_ID
        own_column = self._item_column()
        if index != Tags.ITEM_ID or own_column is None or (schema is not None and schema.select_by_tag(index)):
            return index
        return own_column

    def _item_column(self) -> str | None:
        """The column by which the output identifies items."""
        output = self.model_outputs[0]
        return str(output.col_schema.name) if isinstance(output, ContrastiveOutput) else output.target

    def to_top_k_encoder(
        self,
        candidates: Data | None = None,
        candidate_id: Index = Tags.ITEM_ID,
        strategy: str | TopKLayer | TopKOutput = "brute-force-topk",
        k: int = 10,
        batch_size: int = 1024,
        **kwargs: Any,
    ) -> TopKEncoder:
        """Returns the model that retrieves the top K candidates, which shares this model's encoders.

        If the output holds the candidates' vectors, its `pre` and its bias are included, so that the ranking is that of
        the model's scores. With a bias, the index has one dimension more.

        Args:
            candidates: Features of the candidates, one row for each; see `candidate_embeddings`. Default: as there.
            candidate_id: Column of their ids. Default: as in `candidate_embeddings`.
            strategy: A top-k layer, or its name, see `TopKEncoder`. Default: `"brute-force-topk"`.
            k: Number of candidates, K. Default: 10.
            batch_size: Number of candidates in a batch. Default: 1024.
            **kwargs: Further arguments of `TopKEncoder`. Default for `target`: the column by which the output
                identifies items.

        Returns:
            The encoder, to be compiled for evaluation.
        """
        kwargs.setdefault("target", self._item_column())
        vectors = self.candidate_embeddings(candidates, candidate_id, batch_size)
        if self._has_candidate_encoder:
            encoder = self.candidate_encoder
            return TopKEncoder(
                self.query_encoder, strategy, candidates=vectors, candidate_encoder=encoder, k=k, **kwargs
            )
        if not isinstance(strategy, TopKOutput):
            strategy = TopKOutput(strategy, k=k, target=kwargs.pop("target", None))
        query_layers = [strategy.pre, self.model_outputs[0].pre]
        bias = candidate_bias(self.model_outputs[0].to_call)
        if bias is not None:
            vectors = with_bias(vectors, bias)
            query_layers.append(ScoredWithBias())
        query_layers = [layer for layer in query_layers if layer is not None]
        strategy.pre = SequentialBlock(query_layers) if query_layers else None
        return TopKEncoder(self.query_encoder, strategy, candidates=vectors, k=k, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        with sharing(shared_layers(self._chain())):
            config = super().get_config()
            config.pop("blocks")
            return {
                **config,
                "query": to_config(self.query_encoder),
                "candidate": to_config(self.candidate_encoder) if self._has_candidate_encoder else None,
                "output": to_config(self.blocks[-1]),
                "query_name": self.query_name,
                "candidate_name": self.candidate_name,
            }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, object] | None = None) -> Self:
        """Creates the model from the configuration that `get_config` returned."""
        config_values = dict(config)
        frozen = config_values.pop("frozen", [])
        order = ("query", "candidate", "pre", "output", "post")  # a shared layer is restored at its first occurrence
        with sharing():
            arguments = {name: from_config(config_values.pop(name)) for name in order}
            arguments |= from_config(config_values)
        model = cls(**arguments)
        if frozen:
            model._freezer().freeze_indices(frozen)
        return model


def check_tower_sizes(owner: str, towers: Mapping[str, keras.layers.Layer]) -> None:
    """Checks that the vectors of the towers have the same size, if it follows from their schemas.

    Args:
        owner: The model, for errors.
        towers: The towers by name.

    Raises:
        ConfigError: if the sizes differ.
    """
    sizes = {name: vector_size(tower) for name, tower in towers.items()}
    known_sizes = {name: size for name, size in sizes.items() if size is not None}
    if len(set(known_sizes.values())) > 1:
        raise ConfigError(
            f"{owner} compares the vectors of {' and '.join(known_sizes)}",
            expected="both of one size",
            got=" and ".join(f"{size} ({name})" for name, size in known_sizes.items()),
            fix="End both towers with the same dimension.",
        )


def vector_size(tower: keras.layers.Layer) -> int | None:
    """Returns the size of a tower's vectors; None if it does not follow from its schema."""
    schema = getattr(tower, "schema", None)
    if schema is None or len(schema) == 0 or len(schema.select_by_tag(Tags.EMBEDDING)):
        return None
    try:
        shape = tower.compute_output_shape({column.name: _shape(column) for column in schema})
    except NotImplementedError:  # a layer of the user's own
        return None
    return shape[-1] if isinstance(shape, tuple) else None


def _shape(column: ColumnSchema) -> tuple[Any, ...]:
    return (None, fixed_length(column)) if column.is_list else (None, 1)


#: The column by which a result is indexed.
Index: TypeAlias = str | ColumnSchema | Schema | Tags

_ROWS_AT_ONCE = 65_536


def encode_rows(
    encoder: keras.layers.Layer, role: str, dataset: Data | None, index: Index, batch_size: int, **kwargs: object
) -> Dataset:
    """Encodes all rows of a data set, or all ids of an `EmbeddingEncoder` if `dataset` is None.

    Args:
        encoder: The encoder.
        role: "query" or "candidate", for error messages.
        dataset: Data for `Encoder.encode`, or None.
        index: Column to index the result by.
        batch_size: Rows of a batch.
        **kwargs: Further arguments of `Encoder.encode`.

    Raises:
        ConfigError: if it is no `Encoder`, or requires data and there is none.
    """
    if not isinstance(encoder, Encoder):
        raise ConfigError(
            f"the {role} encoder does not say which columns it reads",
            expected="an Encoder",
            got=type(encoder).__name__,
            fix="Wrap it: mm.Encoder(<inputs>, <layers>).",
        )
    if dataset is None:
        if not isinstance(encoder, EmbeddingEncoder):
            columns = ", ".join(encoder.schema.column_names) if encoder.schema is not None else "its features"
            raise ConfigError(
                f"{role}_embeddings needs data",
                expected=f"rows with {columns}",
                got="none",
                fix=f"Give one row for each {role}.",
            )
        index = str(encoder.table.schema.first.name)
        dataset = pa.table({index: np.arange(encoder.table.input_dim, dtype=np.int64)})
    return encoder.encode(dataset, index=index, batch_size=batch_size, **kwargs)


def rows_of_ids(vectors: Dataset, dataset: Data, index: Index) -> Dataset:
    """Returns the vectors of the ids in a data set, one for each row.

    Args:
        vectors: A row for each id, indexed by the ids.
        dataset: A `merlin.io.Dataset`, a `Loader`, an Arrow table, or paths of Parquet files.
        index: Column of the ids.

    Raises:
        DataError: if there is no such column, or an id has no vector.
    """
    from merlin.io import Dataset  # imported here: it starts Dask

    column = index_column(index, getattr(dataset, "schema", None))
    frame = vectors.to_ddf().compute(scheduler="synchronous")
    ids = _column(dataset, column)
    unknown = ids[~np.isin(ids, frame.index)]
    if len(unknown):
        raise DataError(
            "a candidate has no vector", column=column, expected=f"ids from 0 to {len(frame) - 1}", got=str(unknown[0])
        )
    return Dataset(frame.loc[ids].rename_axis(index=column))


def _column(data: Any, column: str) -> Any:
    source = data.source if isinstance(data, Loader) else open_source(data)
    names = source.arrow_schema.names
    if column not in names:
        raise DataError("the data has no such column", path=source.name, column=column, got=", ".join(names))
    parts = [
        np.asarray(batch.column(0))
        for group in range(len(source.group_rows))
        for batch, _, _ in source.batches(group, [column], _ROWS_AT_ONCE)
    ]
    return np.concatenate([np.zeros(0, np.int64), *parts])
