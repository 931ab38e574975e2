"""`Embeddings`: one embedding table for each domain of a schema."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.schema.functions import categorical_domains, column_cardinality, infer_embedding_dim

#: Combination of the rows of a list.
Combiner: TypeAlias = str | keras.layers.Layer | None

#: Arguments of a table that are passed on where they are None.
_CAN_BE_NONE = ("sequence_combiner",)


def Embeddings(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    dim: int | Mapping[str, int] | None = None,
    infer_dim_fn: Callable[[ColumnSchema], int] = infer_embedding_dim,
    sequence_combiner: Combiner | Mapping[str, Combiner] = "mean",
    embeddings_initializer: str | keras.initializers.Initializer | None = None,
    embeddings_regularizer: str | keras.regularizers.Regularizer | None = None,
    activity_regularizer: str | keras.regularizers.Regularizer | None = None,
    trainable: bool | Mapping[str, bool] | None = None,
    table_cls: type[EmbeddingTable] = EmbeddingTable,
    pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    aggregation: str | keras.layers.Layer | None = None,
    block_name: str = "embeddings",
    l2_batch_regularization_factor: float | Mapping[str, float] = 0.0,
    embedding_dim_default: int | None = None,
    infer_embedding_sizes: bool = True,
    infer_embedding_sizes_multiplier: float = 2.0,
    infer_embeddings_ensure_dim_multiple_of_8: bool = True,
    **kwargs: object,
) -> ParallelBlock:
    """Embeds the categorical columns of a schema, with one `EmbeddingTable` for each domain.

    Arguments of a table can be dictionaries by the name of the table (its domain) or of a column; other tables get the
    default.

    Args:
        schema: The columns. Continuous ones, and others without a domain of ids, are ignored.
        dim: Embedding dimension. Default: the result of `infer_dim_fn`.
        infer_dim_fn: Function from a column to its dimension. Default: `infer_embedding_dim`, twice the fourth root of
            the cardinality, rounded up to a multiple of 8.
        sequence_combiner: Combination of the rows of a list; see `EmbeddingTable`. Default: `"mean"`.
        embeddings_initializer: Initializer of the tables. Default: that of the table class.
        embeddings_regularizer: Regularizer of the tables. Default: none.
        activity_regularizer: Regularizer of the tables' outputs. Default: none.
        trainable: Whether the tables are trained. Default: True.
        table_cls: Class of the tables. Default: `EmbeddingTable`.
        pre: Layer before the lookup. Default: none.
        post: Layer on the dictionary of embeddings. Default: none.
        aggregation: Aggregation of the embeddings to one tensor, such as `"concat"`. Default: none.
        block_name: Name of the block. Default: `"embeddings"`.
        l2_batch_regularization_factor: See `EmbeddingTable`. Default: 0.
        embedding_dim_default: Dimension of the tables that `dim` does not name, with `infer_embedding_sizes=False`.
            Default: none.
        infer_embedding_sizes: Whether these dimensions are inferred. Default: True.
        infer_embedding_sizes_multiplier: Factor of `infer_embedding_dim`. Default: 2.
        infer_embeddings_ensure_dim_multiple_of_8: Whether `infer_embedding_dim` rounds up to a multiple of 8. Default:
            True.
        **kwargs: Further arguments of `table_cls`.

    Returns:
        A block from a batch to a dictionary of (B, D) by column.

    Raises:
        SchemaError: if a column tagged CATEGORICAL has no domain, or there is no column with one.
        ConfigError: if `infer_embedding_sizes` is False and a table has no dimension.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("a", 9), mm.create_categorical_column("b", 99)])
        >>> [table.dim for table in mm.Embeddings(schema, dim={"a": 4}).parallel_values]
        [4, 8]
    """
    domains = categorical_domains(schema.select_by_tag(Tags.CATEGORICAL) or schema)
    tables: dict[str, EmbeddingTable] = {}
    infer = infer_dim_fn
    if infer is infer_embedding_dim:
        infer = functools.partial(
            infer_embedding_dim,
            multiplier=infer_embedding_sizes_multiplier,
            ensure_multiple_of_8=infer_embeddings_ensure_dim_multiple_of_8,
        )
    for column in columns_with_domain(schema, block_name):
        table_name = domains.get(column.name, column.int_domain.name or column.name)
        if table_name in tables:
            tables[table_name].add_feature(column)
            continue
        names = (table_name, column.name)
        arguments = {
            "sequence_combiner": _value_for_table(sequence_combiner, names, "mean"),
            "embeddings_initializer": _value_for_table(embeddings_initializer, names),
            "embeddings_regularizer": _value_for_table(embeddings_regularizer, names),
            "activity_regularizer": _value_for_table(activity_regularizer, names),
            "trainable": _value_for_table(trainable, names),
            "l2_batch_regularization_factor": _value_for_table(l2_batch_regularization_factor, names, 0.0),
        }
        further = {key: _value_for_table(value, names) for key, value in kwargs.items()}
        table_arguments = {
            key: value for key, value in {**arguments, **further}.items() if value is not None or key in _CAN_BE_NONE
        }
        size = _value_for_table(dim, names)
        if size is None and not infer_embedding_sizes:
            size = embedding_dim_default
            if size is None:
                raise ConfigError(
                    f"{block_name}: a table has no dimension", column=column.name,
                    fix="Give dim= or embedding_dim_default=, or leave infer_embedding_sizes at True.",
                )  # fmt: skip
        tables[table_name] = table_cls(size or infer(column), column, name=table_name, **table_arguments)
    if not tables:
        raise SchemaError(
            "Embeddings finds no categorical column with a domain",
            expected="columns tagged CATEGORICAL with an int domain",
            got=", ".join(schema.column_names) or "an empty schema",
        )
    return ParallelBlock(tables, pre=pre, post=post, aggregation=aggregation, name=block_name, is_input=True)


def _value_for_table(value: Any, names: tuple[str, ...], default: Any = None) -> Any:
    """The value for a table: the argument itself, or its entry under one of `names`."""
    if not isinstance(value, Mapping):
        return value
    return next((value[name] for name in names if name in value), default)


def columns_with_domain(schema: Schema, owner: str) -> list[ColumnSchema]:
    """Returns the columns with a domain of ids, without the continuous ones.

    Args:
        schema: The columns.
        owner: Name of the caller, for error messages.

    Raises:
        SchemaError: if a column tagged CATEGORICAL has no domain.
    """
    columns = []
    for column in schema:
        categorical = Tags.CATEGORICAL in column.tags
        if column_cardinality(column) is not None:
            if categorical or Tags.CONTINUOUS not in column.tags:
                columns.append(column)
        elif categorical:
            raise SchemaError(
                f"{owner} does not know how many ids there are",
                column=column.name,
                expected="a domain with a maximum",
                fix="Give the column an int domain in the schema, or take the tag CATEGORICAL off it.",
            )
    return columns
