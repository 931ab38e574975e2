"""Making columns, choosing them, and what follows from their cardinalities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.schema.metadata_json import schema_to_tensorflow_metadata_json, tensorflow_metadata_json_to_schema

__all__ = [
    "categorical_cardinalities",
    "categorical_domains",
    "column_cardinality",
    "create_categorical_column",
    "create_continuous_column",
    "filter_dict_by_schema",
    "get_embedding_size_from_cardinality",
    "get_embedding_sizes_from_schema",
    "infer_embedding_dim",
    "schema_to_tensorflow_metadata_json",
    "select_targets",
    "tensorflow_metadata_json_to_schema",
]

#: The tags that make a column a target, in the order in which targets are listed.
TARGET_TAGS = (Tags.BINARY_CLASSIFICATION, Tags.TARGET, Tags.REGRESSION)

V = TypeVar("V")
TagLike: TypeAlias = Tags | str


def select_targets(schema: Schema, extra_tags: Iterable[TagLike] | TagLike | None = None) -> Schema:
    """Selects the target columns of a schema.

    Args:
        schema: Schema to choose from.
        extra_tags: Further tags whose columns count as targets; a column needs one of them. None for no more.

    Returns:
        Columns tagged binary classification, then target, then regression, then those of `extra_tags`, each once, at
        its last place in that order.
    """
    chosen: list[Any] = list(TARGET_TAGS)
    if extra_tags:
        chosen.append(_tag_list(extra_tags))
    found: dict[str, ColumnSchema] = {}
    for tags in chosen:
        for column in schema.select_by_tag(tags):
            found.pop(column.name, None)
            found[column.name] = column
    return Schema(list(found.values()))


def create_categorical_column(
    name: str,
    num_items: int | None,
    dtype: Any = np.int32,
    domain_name: str | None = None,
    tags: Iterable[TagLike] | TagLike | None = None,
    properties: Mapping[str, Any] | None = None,
    min_value_count: int | None = None,
    max_value_count: int | None = None,
) -> ColumnSchema:
    """Describes a column of ids from 0 to `num_items`, both included: `num_items + 1` different ones.

    Args:
        name: Name of the column.
        num_items: Largest id. None or 0 gives a column without a domain.
        dtype: Type of the ids.
        domain_name: Name of the domain; columns with the same one share an embedding table. None for `name`.
        tags: Tags beside `Tags.CATEGORICAL`. What is passed in stays as it is.
        properties: Further properties of the column. What is passed in stays as it is.
        min_value_count: Fewest ids in a row. Giving it makes the column a list; None makes it a scalar, whatever
            `max_value_count` is.
        max_value_count: Most ids in a row, None for any number. The same as `min_value_count` makes the list one of
            fixed length, anything else a ragged one.

    Returns:
        The column.

    Raises:
        ConfigError: if `num_items` is negative or the value counts contradict each other.
        SchemaError: if the tags contradict each other.
    """
    found = dict(properties or {})
    if num_items is not None and num_items < 0:
        raise ConfigError("num_items cannot be negative", column=name, expected="the largest id", got=str(num_items))
    if num_items:
        found["domain"] = {"name": domain_name or name, "min": 0, "max": num_items}
    kind: dict[str, bool] = {}
    if min_value_count is not None:
        if min_value_count < 0 or (max_value_count is not None and max_value_count < min_value_count):
            raise ConfigError(
                "the value counts do not fit each other",
                column=name,
                expected="0 <= min_value_count <= max_value_count",
                got=f"min_value_count={min_value_count}, max_value_count={max_value_count}",
            )
        found["value_count"] = {"min": min_value_count, "max": max_value_count}
        kind = {"is_list": True, "is_ragged": min_value_count != max_value_count}
    return _column(name, [*_tag_list(tags), Tags.CATEGORICAL], found, dtype, **kind)


def create_continuous_column(
    name: str,
    dtype: Any = np.float32,
    tags: Iterable[TagLike] | TagLike | None = None,
    properties: Mapping[str, Any] | None = None,
    min_value: float | None = None,
    max_value: float | None = None,
) -> ColumnSchema:
    """Describes a column of numbers.

    Args:
        name: Name of the column.
        dtype: Type of the numbers.
        tags: Tags beside `Tags.CONTINUOUS`. What is passed in stays as it is.
        properties: Further properties of the column. What is passed in stays as it is.
        min_value: Smallest value, None if it has no bound.
        max_value: Largest value, None if it has no bound.

    Returns:
        The column; it has a domain if a bound is given.

    Raises:
        ConfigError: if `max_value` is below `min_value`.
        SchemaError: if the tags contradict each other.
    """
    found = dict(properties or {})
    if min_value is not None and max_value is not None and max_value < min_value:
        raise ConfigError(
            "the bounds do not fit each other",
            column=name,
            expected="min_value <= max_value",
            got=f"min_value={min_value}, max_value={max_value}",
        )
    bounds = {key: value for key, value in (("min", min_value), ("max", max_value)) if value is not None}
    if bounds:
        found["domain"] = bounds
    return _column(name, [*_tag_list(tags), Tags.CONTINUOUS], found, dtype)


def filter_dict_by_schema(input_dict: Mapping[str, V], schema: Schema) -> dict[str, V]:
    """Keeps those entries of a dictionary whose keys are columns of a schema, in the order of the dictionary.

    Args:
        input_dict: The dictionary.
        schema: The columns.
    """
    names = set(schema.column_names)
    return {name: value for name, value in input_dict.items() if name in names}


def column_cardinality(column: ColumnSchema) -> int | None:
    """Number of different ids that a column can hold: its domain's maximum + 1.

    Args:
        column: Column to look at.

    Returns:
        The number; None for a column of floats and for one whose domain is missing or has no maximum.
    """
    maximum = (column.properties.get("domain") or {}).get("max")
    if maximum is None or column.dtype.is_float:
        return None
    return int(maximum) + 1


def categorical_cardinalities(schema: Schema) -> dict[str, int]:
    """Cardinality by name of the columns tagged categorical that have one (see `column_cardinality`).

    Args:
        schema: The columns.
    """
    found = {column.name: column_cardinality(column) for column in schema.select_by_tag(Tags.CATEGORICAL)}
    return {name: cardinality for name, cardinality in found.items() if cardinality is not None}


def categorical_domains(schema: Schema) -> dict[str, str]:
    """Name of the domain of each column tagged categorical; a column whose domain has no name is its own domain.

    Args:
        schema: The columns.
    """
    return {
        column.name: (column.properties.get("domain") or {}).get("name") or column.name
        for column in schema.select_by_tag(Tags.CATEGORICAL)
    }


def get_embedding_sizes_from_schema(
    schema: Schema, multiplier: float = 2.0, ensure_multiple_of_8: bool = False
) -> dict[str, int]:
    """Embedding size by name of the columns that `categorical_cardinalities` lists.

    Args:
        schema: Schema to look at.
        multiplier: See `get_embedding_size_from_cardinality`.
        ensure_multiple_of_8: See `get_embedding_size_from_cardinality`.
    """
    return {
        name: get_embedding_size_from_cardinality(cardinality, multiplier, ensure_multiple_of_8)
        for name, cardinality in categorical_cardinalities(schema).items()
    }


def get_embedding_size_from_cardinality(
    cardinality: int, multiplier: float = 2.0, ensure_multiple_of_8: bool = False
) -> int:
    """Embedding size for a number of different ids: `ceil(multiplier * cardinality ** 0.25)`.

    Args:
        cardinality: Number of different ids.
        multiplier: Factor on the fourth root.
        ensure_multiple_of_8: Whether to go up to the next multiple of 8.
    """
    size = math.ceil(multiplier * cardinality**0.25)
    return math.ceil(size / 8) * 8 if ensure_multiple_of_8 else size


def infer_embedding_dim(col_schema: ColumnSchema, multiplier: float = 2.0, ensure_multiple_of_8: bool = True) -> int:
    """Embedding size for a column, from its domain (see `get_embedding_size_from_cardinality`).

    Args:
        col_schema: Column of ids with a domain.
        multiplier: Factor on the fourth root of the cardinality.
        ensure_multiple_of_8: Whether to go up to the next multiple of 8.

    Raises:
        SchemaError: if the column has no cardinality.
    """
    cardinality = column_cardinality(col_schema)
    if cardinality is None:
        raise SchemaError(
            "an embedding size cannot be inferred",
            column=col_schema.name,
            expected="a column of ids whose domain has a maximum",
            got=f"dtype {col_schema.dtype.name}, domain {col_schema.properties.get('domain')}",
            fix="Make the column with create_categorical_column, or give its dimension.",
        )
    return get_embedding_size_from_cardinality(cardinality, multiplier, ensure_multiple_of_8)


def _tag_list(tags: Iterable[TagLike] | TagLike | None) -> list[TagLike]:
    if tags is None:
        return []
    return [tags] if isinstance(tags, (str, Tags)) else list(tags)


def _column(name: str, tags: list[TagLike], properties: dict[str, Any], dtype: Any, **kind: bool) -> ColumnSchema:
    try:
        return ColumnSchema(name, tags=tags, properties=properties, dtype=dtype, **kind)
    except (TypeError, ValueError) as error:
        raise SchemaError(str(error), column=name) from None


def number_of_ids(column: ColumnSchema) -> int:
    """How many ids a column can have, 0 included.

    Raises:
        SchemaError: if it has no domain with a maximum.
    """
    if column.int_domain is None or not column.int_domain.max:
        raise SchemaError(
            "the number of classes is unknown",
            column=column.name,
            expected="an integer column with a domain that ends above 0",
            fix="Give the column an int domain in the schema.",
        )
    return int(column.int_domain.max) + 1


def id_column(schema: Schema, tag: Tags | str, owner: str, argument: str) -> ColumnSchema:
    """The one column of a schema with a tag.

    Args:
        schema: The columns.
        tag: The tag.
        owner: What needs the column, for errors.
        argument: Its argument that says the tag.

    Raises:
        SchemaError: if there is none, or there are several, or it has no domain.
    """
    name = tag.name if isinstance(tag, Tags) else str(tag)
    found = list(schema.select_by_tag(tag))
    if len(found) != 1:
        raise SchemaError(
            f"{owner} looks for its column of ids",
            expected=f"one column tagged {name}",
            got=", ".join(column.name for column in found) or f"none among {_column_names(schema)}",
            fix=f"Tag the column, or say another tag as {argument}=.",
        )
    if found[0].int_domain is None or not found[0].int_domain.max:
        raise SchemaError(
            f"{owner} does not know how many ids there are",
            column=found[0].name,
            expected="a domain with a maximum",
            fix="Give the column an int domain in the schema.",
        )
    return found[0]


def _column_names(schema: Schema) -> Any:
    return ", ".join(schema.column_names) or "no columns"
