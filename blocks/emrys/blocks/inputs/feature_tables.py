"""Creation of the tables of `EmbeddingFeatures` from their configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import keras
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.inputs.feature_config import FeatureConfig
from emrys.blocks.inputs.table_config import TableConfig
from emrys.blocks.schema.functions import column_cardinality


def make_tables(
    features: Mapping[str, FeatureConfig], schema: Schema | None, combines: bool
) -> dict[str, EmbeddingTable]:
    """Creates the tables, by name.

    Args:
        features: The configurations, with the names of the tables; see `with_table_names`.
        schema: The columns, if they are known.
        combines: Whether the rows of a list are combined into one.

    Raises:
        SchemaError: if a table is smaller than the domain of a column that it is for.
    """
    tables: dict[str, EmbeddingTable] = {}
    for feature, config in features.items():
        name = str(config.table.name)
        column = _column(feature, config.table, schema)
        if name in tables:
            tables[name].add_feature(column)
        else:
            tables[name] = _table(config.table, column, combines)
    return tables


def with_table_names(feature_config: Mapping[str, FeatureConfig]) -> dict[str, FeatureConfig]:
    """Returns the configurations with a name for each table: its own, or that of the first feature that uses it.

    Raises:
        ConfigError: if there is none, or two tables of one name differ.
    """
    if not isinstance(feature_config, Mapping) or not feature_config:
        expected = "a dictionary of FeatureConfig by feature name"
        raise ConfigError("EmbeddingFeatures: feature_config", expected=expected, got=repr(feature_config))
    names: dict[int, str] = {}
    tables: dict[str, TableConfig] = {}
    configs: dict[str, FeatureConfig] = {}
    for feature, config in feature_config.items():
        if not isinstance(config, FeatureConfig):
            raise ConfigError(
                "EmbeddingFeatures: feature_config", column=feature, expected="a FeatureConfig", got=repr(config)
            )
        name = config.table.name or names.setdefault(id(config.table), feature)
        table = config.table if config.table.name == name else replace(config.table, name=name)
        first = tables.setdefault(name, table)
        if _describe(first) != _describe(table):
            raise ConfigError(
                f"EmbeddingFeatures: two tables called {name!r} differ",
                column=feature,
                expected=_describe(first),
                got=_describe(table),
                fix="Give them different names.",
            )
        configs[feature] = replace(config, table=first)
    return configs


def _describe(table: TableConfig) -> str:
    return f"{table.vocabulary_size} ids, dimension {table.dim}, combiner {table.combiner}"


def _table(config: TableConfig, column: ColumnSchema, combines: bool) -> EmbeddingTable:
    initializer = config.initializer
    return EmbeddingTable(
        config.dim,
        column,
        embeddings_initializer=keras.initializers.TruncatedNormal(stddev=config.dim**-0.5)
        if initializer is None
        else initializer,
        sequence_combiner=config.combiner if combines else None,
        name=config.name,
    )


def _column(feature: str, table: TableConfig, schema: Schema | None) -> ColumnSchema:
    """The feature's column, with the table as its domain."""
    domain = {"name": table.name, "min": 0, "max": table.vocabulary_size - 1}
    if schema is None or feature not in schema.column_names:
        return ColumnSchema(feature, dtype="int64", tags=[Tags.CATEGORICAL], properties={"domain": domain})
    column = schema[feature]
    cardinality = column_cardinality(column)
    if cardinality is not None and cardinality > table.vocabulary_size:
        raise SchemaError(
            f"EmbeddingFeatures: table {table.name!r} is too small",
            column=feature,
            expected=f"at least {cardinality} ids",
            got=str(table.vocabulary_size),
        )
    return column.with_properties({"domain": domain})
