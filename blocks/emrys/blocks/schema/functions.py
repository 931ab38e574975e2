"""Creation and selection of schema columns, their cardinalities and embedding sizes."""

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
    "expected_input_cols_from_schema",
    "filter_dict_by_schema",
    "get_embedding_size_from_cardinality",
    "get_embedding_sizes_from_schema",
    "infer_embedding_dim",
    "schema_to_tensorflow_metadata_json",
    "select_targets",
    "tensorflow_metadata_json_to_schema",
]

#: The tags of targets, in the order of the targets.
TARGET_TAGS = (Tags.BINARY_CLASSIFICATION, Tags.TARGET, Tags.REGRESSION)

V = TypeVar("V")
TagLike: TypeAlias = Tags | str


def select_targets(schema: Schema, extra_tags: Iterable[TagLike] | TagLike | None = None) -> Schema:
    """Selects the target columns of a schema.

    Args:
        schema: Schema to choose from.
        extra_tags: Further tags of targets; a column needs one of them. None for no further tags.

    Returns:
        Columns tagged binary classification, then target, then regression, then those of `extra_tags`, each once, at
        its last position in that order.
    """
    tag_groups: list[Any] = list(TARGET_TAGS)
    if extra_tags:
        tag_groups.append(_tag_list(extra_tags))
    targets: dict[str, ColumnSchema] = {}
    for tags in tag_groups:
        for column in schema.select_by_tag(tags):
            targets.pop(column.name, None)
            targets[column.name] = column
    return Schema(list(targets.values()))


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
    """Creates a column of ids from 0 to `num_items`, both included: `num_items + 1` ids.

    Args:
        name: Name of the column.
        num_items: Largest id. None or 0 gives a column without a domain.
        dtype: Type of the ids.
        domain_name: Name of the domain; columns with the same domain share an embedding table. None for `name`.
        tags: Tags in addition to `Tags.CATEGORICAL`; not modified.
        properties: Further properties of the column; not modified.
        min_value_count: Minimum number of ids in a row, for a list column; None for a scalar column, whatever
            `max_value_count` is.
        max_value_count: Maximum number of ids in a row, None for any number. If it is `min_value_count`, the list has a
            fixed length, otherwise it is ragged.

    Returns:
        The column.

    Raises:
        ConfigError: if `num_items` is negative or the value counts contradict each other.
        SchemaError: if the tags contradict each other.
    """
    all_properties = dict(properties or {})
    if num_items is not None and num_items < 0:
        raise ConfigError("num_items cannot be negative", column=name, expected="the largest id", got=str(num_items))
    if num_items:
        all_properties["domain"] = {"name": domain_name or name, "min": 0, "max": num_items}
    kind: dict[str, bool] = {}
    if min_value_count is not None:
        if min_value_count < 0 or (max_value_count is not None and max_value_count < min_value_count):
            raise ConfigError(
                "the value counts do not fit each other",
                column=name,
                expected="0 <= min_value_count <= max_value_count",
                got=f"min_value_count={min_value_count}, max_value_count={max_value_count}",
            )
        all_properties["value_count"] = {"min": min_value_count, "max": max_value_count}
        kind = {"is_list": True, "is_ragged": min_value_count != max_value_count}
    return _column(name, [*_tag_list(tags), Tags.CATEGORICAL], all_properties, dtype, **kind)


def create_continuous_column(
    name: str,
    dtype: Any = np.float32,
    tags: Iterable[TagLike] | TagLike | None = None,
    properties: Mapping[str, Any] | None = None,
    min_value: float | None = None,
    max_value: float | None = None,
) -> ColumnSchema:
    """Creates a column of numbers.

    Args:
        name: Name of the column.
        dtype: Type of the numbers.
        tags: Tags in addition to `Tags.CONTINUOUS`; not modified.
        properties: Further properties of the column; not modified.
        min_value: Minimum, None for no bound.
        max_value: Maximum, None for no bound.

    Returns:
        The column; it has a domain if there is a bound.

    Raises:
        ConfigError: if `max_value` is below `min_value`.
        SchemaError: if the tags contradict each other.
    """
    all_properties = dict(properties or {})
    if min_value is not None and max_value is not None and max_value < min_value:
        raise ConfigError(
            "the bounds do not fit each other",
            column=name,
            expected="min_value <= max_value",
            got=f"min_value={min_value}, max_value={max_value}",
        )
    bounds = {key: value for key, value in (("min", min_value), ("max", max_value)) if value is not None}
    if bounds:
        all_properties["domain"] = bounds
    return _column(name, [*_tag_list(tags), Tags.CONTINUOUS], all_properties, dtype)


def filter_dict_by_schema(input_dict: Mapping[str, V], schema: Schema) -> dict[str, V]:
    """Filters a dictionary to the keys that are columns of a schema, in the order of the dictionary.

    Args:
        input_dict: The dictionary.
        schema: The columns.
    """
    names = set(schema.column_names)
    return {name: value for name, value in input_dict.items() if name in names}


def expected_input_cols_from_schema(schema: Schema, inputs: Mapping[str, object] | None = None) -> list[str]:
    """Names of the tensors that a batch has for the columns of a schema, without those tagged TARGET.

    A ragged list column stands for two tensors, `<name>__values` and `<name>__offsets`, unless it is in `inputs`.

    Args:
        schema: The columns.
        inputs: A batch. Default: none, so that every ragged list counts as two tensors.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("genres", 9, min_value_count=0)])
        >>> expected_input_cols_from_schema(schema), expected_input_cols_from_schema(schema, {"genres": [[1, 2]]})
        (['genres__values', 'genres__offsets'], ['genres'])
    """
    names: list[str] = []
    for column in schema.remove_by_tag(Tags.TARGET):
        as_two = column.shape.is_list and column.shape.is_ragged and (inputs is None or column.name not in inputs)
        names += [f"{column.name}__values", f"{column.name}__offsets"] if as_two else [column.name]
    return names


def column_cardinality(column: ColumnSchema) -> int | None:
    """Number of ids of a column: its domain's maximum + 1.

    Args:
        column: The column.

    Returns:
        The number; None for a column of floats and for one whose domain is missing or has no maximum.
    """
    maximum = (column.properties.get("domain") or {}).get("max")
    if maximum is None or column.dtype.is_float:
        return None
    return int(maximum) + 1


def categorical_cardinalities(schema: Schema) -> dict[str, int]:
    """Cardinality by name of the categorical columns that have one (see `column_cardinality`).

    Args:
        schema: The columns.
    """
    cardinalities = {column.name: column_cardinality(column) for column in schema.select_by_tag(Tags.CATEGORICAL)}
    return {name: cardinality for name, cardinality in cardinalities.items() if cardinality is not None}


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
        schema: The columns.
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
    """Embedding size for a number of ids: `ceil(multiplier * cardinality ** 0.25)`.

    Args:
        cardinality: Number of ids.
        multiplier: Factor on the fourth root.
        ensure_multiple_of_8: Whether to round up to a multiple of 8.
    """
    size = math.ceil(multiplier * cardinality**0.25)
    return math.ceil(size / 8) * 8 if ensure_multiple_of_8 else size


def infer_embedding_dim(col_schema: ColumnSchema, multiplier: float = 2.0, ensure_multiple_of_8: bool = True) -> int:
    """Embedding size for a column, from its domain (see `get_embedding_size_from_cardinality`).

    Args:
        col_schema: Column of ids with a domain.
        multiplier: Factor on the fourth root of the cardinality.
        ensure_multiple_of_8: Whether to round up to a multiple of 8.

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
            fix="Make the column with create_categorical_column, or pass its dimension.",
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
    """Number of ids of a column, including 0.

    Raises:
        SchemaError: if it has no domain with a maximum.
    """
    if column.int_domain is None or not column.int_domain.max:
        raise SchemaError(
            "the number of classes is unknown",
            column=column.name,
            expected="an integer column with a domain that ends above 0",
            fix="Set an int domain of the column in the schema.",
        )
    return int(column.int_domain.max) + 1


def id_column(schema: Schema, tag: Tags | str, owner: str, argument: str) -> ColumnSchema:
    """The one column of a schema with a tag.

    Args:
        schema: The columns.
        tag: The tag.
        owner: Name of the caller, for errors.
        argument: The caller's argument for the tag, for errors.

    Raises:
        SchemaError: if there is none, or there are several, or it has no domain.
    """
    name = tag.name if isinstance(tag, Tags) else str(tag)
    matches = list(schema.select_by_tag(tag))
    if len(matches) != 1:
        raise SchemaError(
            f"{owner} needs exactly one id column",
            expected=f"one column tagged {name}",
            got=", ".join(column.name for column in matches) or f"none among {_column_names(schema)}",
            fix=f"Tag the column, or pass another tag as {argument}=.",
        )
    if matches[0].int_domain is None or not matches[0].int_domain.max:
        raise SchemaError(
            f"{owner}: the number of ids is unknown",
            column=matches[0].name,
            expected="a domain with a maximum",
            fix="Set an int domain of the column in the schema.",
        )
    return matches[0]


def _column_names(schema: Schema) -> str:
    return ", ".join(schema.column_names) or "no columns"
