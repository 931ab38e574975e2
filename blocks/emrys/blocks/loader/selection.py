"""From a schema and the names that a caller chose to the columns of the batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.loader.columns import LoaderColumn, element_type, numpy_type

#: A column with one of these is a target.
TARGET_TAGS = (Tags.TARGET, Tags.BINARY_CLASSIFICATION, Tags.REGRESSION, Tags.MULTI_CLASS_CLASSIFICATION)
#: A target with one of these holds ids, which float32 cannot count past 2**24.
ID_TAGS = (Tags.CATEGORICAL, Tags.MULTI_CLASS_CLASSIFICATION)


@dataclass(frozen=True)
class Selection:
    """Which columns a loader gives, as the caller asked for.

    Args:
        features: Names of the features; None for all columns that are no targets, nor tagged so.
        categorical: Of the features, those that must be integers.
        continuous: Of the features, those that come as float32 whatever they are.
        targets: Names of the targets; None for those that the schema tags so.
        list_names: List columns that the next two are about; None for all.
        list_length: Length to which lists are cut or padded, for all or by name.
        as_dense: Whether lists come padded to `list_length`, or else to the greatest length of the schema.
    """

    features: Sequence[str] | None = None
    categorical: Sequence[str] = ()
    continuous: Sequence[str] = ()
    targets: Sequence[str] | None = None
    list_names: Sequence[str] | None = None
    list_length: int | Mapping[str, int] | None = None
    as_dense: bool = False

    def columns(self, schema: Schema, arrow_schema: pa.Schema) -> tuple[LoaderColumn, ...]:
        """The columns of the batches: features, then targets, each in the order of the schema.

        Args:
            schema: Names, tags, types and list lengths; a type that it leaves open is taken from the data.
            arrow_schema: Types in the data.

        Raises:
            SchemaError: A name is not in the schema.
            ConfigError: The choices contradict each other or the schema.
        """
        chosen = set(self.features or ())
        tagged = [column.name for column in schema if any(tag in column.tags for tag in TARGET_TAGS)]
        if self.targets is None:
            targets = [name for name in tagged if name not in chosen]
        else:
            targets = list(dict.fromkeys(self.targets))
        # A target that was not asked for is no feature either: it would give the answer away.
        features = [name for name in schema.column_names if name not in {*targets, *tagged}]
        if self.features is not None:
            features = [name for name in schema.column_names if name in chosen]
        for name in (*(self.features or ()), *targets):
            if name not in schema.column_names:
                raise SchemaError("the column is not in the schema", column=name,
                                  expected=f"one of {', '.join(schema.column_names)}")  # fmt: skip
        both = sorted(set(features) & set(targets))
        if both:
            raise ConfigError(f"a column is asked for as a feature and as a target: {', '.join(both)}")
        if not features:
            raise ConfigError("no feature column is left; name some, or take them out of label_names")
        made = [self._column(schema[name], arrow_schema, False) for name in features]
        return tuple(made + [self._column(schema[name], arrow_schema, True) for name in targets])

    def _column(self, column: ColumnSchema, arrow_schema: pa.Schema, is_target: bool) -> LoaderColumn:
        position = arrow_schema.get_field_index(column.name)
        arrow_type = arrow_schema.field(position).type if position >= 0 else None
        stored = numpy_type(arrow_type) if arrow_type is not None else None
        declared = _declared_type(column) or stored or np.dtype(np.int64)
        is_list = bool(column.is_list) or (_declared_type(column) is None and _is_list(arrow_type))
        length, exact = self._length(column, is_list)
        return LoaderColumn(
            name=column.name, dtype=self._type(column, declared, is_target), stored=stored or declared,
            is_target=is_target, is_list=is_list, length=length, exact=exact,
        )  # fmt: skip

    def _type(self, column: ColumnSchema, declared: np.dtype[Any], is_target: bool) -> np.dtype[Any]:
        if column.name in self.categorical and declared.kind == "f":
            raise ConfigError(f"cat_names has {column.name!r}, which is {declared}; expected integers")
        ids = declared.kind != "f" and any(tag in column.tags for tag in ID_TAGS)
        if declared.kind == "f" or column.name in self.continuous or (is_target and not ids):
            return np.dtype(np.float32)
        return np.dtype(np.int32) if declared == np.int32 else np.dtype(np.int64)

    def _length(self, column: ColumnSchema, is_list: bool) -> tuple[int | None, bool]:
        """Length of the dense lists, if they are dense, and whether the data must have it."""
        if not is_list:
            return None, False
        count = column.value_count
        longest = int(count.max) if count is not None and count.max else None
        fixed = longest is not None and count.min == count.max
        if self.list_names is None or column.name in self.list_names:
            given = self.list_length.get(column.name) if isinstance(self.list_length, Mapping) else self.list_length
            if given is not None:
                return given, False
            if self.as_dense and longest is None:
                raise ConfigError(
                    f"sparse_as_dense=True needs a length for {column.name!r}; give it in sparse_max, or as a maximum"
                    " of value_count in the schema"
                )
            if self.as_dense:
                return longest, fixed
        return (longest, True) if fixed else (None, False)


def schema_of(arrow_schema: pa.Schema) -> Schema:
    """A schema without tags, with the names and types of the data; types that are no numbers stay open."""
    return Schema([
        ColumnSchema(field.name, dtype=numpy_type(field.type), is_list=_is_list(field.type), is_ragged=_ragged(field))
        for field in arrow_schema
    ])  # fmt: skip


def _ragged(field: pa.Field) -> bool | None:
    return True if _is_list(field.type) else None


def _is_list(arrow_type: pa.DataType | None) -> bool:
    return arrow_type is not None and element_type(arrow_type)[1]


def _declared_type(column: ColumnSchema) -> np.dtype[Any] | None:
    if not (column.dtype.is_integer or column.dtype.is_float):
        return None
    return np.dtype(column.dtype.to_numpy)
