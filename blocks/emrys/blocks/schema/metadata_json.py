"""Schemas as JSON in the layout of TensorFlow Metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import merlin.dtypes as md
import numpy as np
from merlin.schema import ColumnSchema, Schema, Tags
from merlin.schema.io.tensorflow_metadata import TensorflowMetadata

from emrys.blocks.errors import SchemaError
from emrys.blocks.io import atomic_file

#: Key of the exact description of a column, if the standard fields lose a part of it.
_EXACT = "_exact"
_TYPES = {"int": "INT", "uint": "INT", "float": "FLOAT"}


def schema_to_tensorflow_metadata_json(schema: Schema, path: str | os.PathLike[str] | None = None) -> str:
    """Writes a schema as JSON in the layout of TensorFlow Metadata.

    Equal schemas give equal text: tags and properties are sorted. Information without a field in the layout (an
    unsigned or string dtype, a domain with one bound, integer properties) is stored in an additional field, so that
    `tensorflow_metadata_json_to_schema` restores the same schema; other readers ignore it.

    Args:
        schema: Schema to write.
        path: File to write the text to. None for no file.

    Returns:
        The text.

    Raises:
        SchemaError: if a property of a column cannot be serialized as JSON.
    """
    features = []
    for column in schema:
        exact = _exactly(column)
        feature = _feature(column, exact["properties"])
        if not _same(_read([feature])[0], exact):
            feature["annotation"]["extraMetadata"][0][_EXACT] = exact
        features.append(feature)
    text = json.dumps({"feature": features})
    if path is not None:
        with atomic_file(path) as work:
            work.write_text(text, encoding="utf-8")
    return text


def tensorflow_metadata_json_to_schema(value: str | os.PathLike[str]) -> Schema:
    """Reads a schema from JSON in the layout of TensorFlow Metadata.

    Args:
        value: The text, or the path of a file.

    Returns:
        The schema, equal to the one that `schema_to_tensorflow_metadata_json` wrote.

    Raises:
        SchemaError: if the file does not exist, or is not a schema.
    """
    path = None
    text = value if isinstance(value, str) else ""
    if not text.lstrip().startswith(("{", "[")):
        path = Path(value)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SchemaError(
                "the schema cannot be read", path=path, expected="JSON or the path of a JSON file"
            ) from error
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise TypeError(f"it is a {type(document).__name__}")
        return Schema(_read(document.get("feature", [])))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise SchemaError(f"not a schema as TensorFlow Metadata writes it ({error})", path=path) from error


def _feature(column: ColumnSchema, properties: dict[str, Any]) -> dict[str, Any]:
    """The column in the standard fields, without zeros, as in the protobuf."""
    feature: dict[str, Any] = {"name": column.name}
    counts = properties.get("value_count")
    if counts:
        feature["valueCount"] = {key: str(counts[key]) for key in ("min", "max") if counts.get(key)}
    kind = _TYPES.get(column.dtype.element_type.value)
    if kind:
        feature["type"] = kind
    if kind and properties.get("domain"):
        feature[f"{kind.lower()}Domain"] = _domain(column, properties["domain"])
    feature["annotation"] = {"extraMetadata": [_extra_metadata(column, properties)]}
    if len(column.tags):
        names = sorted(str(tag.value if isinstance(tag, Tags) else tag) for tag in column.tags)
        feature["annotation"] = {"tag": names, **feature["annotation"]}
    return feature


def _domain(column: ColumnSchema, domain: Mapping[str, Any]) -> dict[str, Any]:
    """The domain; bounds of ints are text, because not all JSON readers support 64-bit numbers."""
    bounds = {key: domain[key] for key in ("min", "max") if domain.get(key)}
    if column.dtype.is_float:
        return {"name": domain.get("name"), **bounds}
    int_domain = {"name": domain.get("name"), **{key: str(int(bound)) for key, bound in bounds.items()}}
    if Tags.CATEGORICAL in column.tags:
        int_domain["isCategorical"] = True
    return int_domain


def _extra_metadata(column: ColumnSchema, properties: Mapping[str, Any]) -> dict[str, Any]:
    extra = {key: value for key, value in properties.items() if key not in ("domain", "value_count")}
    extra.update(_dims=_dims(column), is_list=column.is_list, is_ragged=column.is_ragged)
    if column.dtype.element_size:
        extra["dtype_item_size"] = column.dtype.element_size
    return dict(sorted(extra.items()))


def _exactly(column: ColumnSchema) -> dict[str, Any]:
    """The exact dtype, shape and properties of a column, as plain JSON."""
    try:
        text = json.dumps(column.properties, sort_keys=True, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"the properties cannot be written as JSON ({error})",
            column=column.name,
            expected="finite numbers, text, lists and dictionaries",
            got=str(column.properties),
        ) from None
    return {"dtype": column.dtype.name, "dims": _dims(column), "properties": json.loads(text)}


def _plain(value: Any) -> Any:
    """Converts NumPy numbers to Python numbers; other types are errors."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def _dims(column: ColumnSchema) -> list[Any]:
    return [list(dim) if isinstance(dim, tuple) else dim for dim in column.shape.as_tuple or ()]


def _same(left: ColumnSchema, right: dict[str, Any]) -> bool:
    """Compares as text, which distinguishes 1 from 1.0."""
    return json.dumps(_exactly(left), sort_keys=True) == json.dumps(right, sort_keys=True)


def _read(features: list[dict[str, Any]]) -> list[ColumnSchema]:
    columns = []
    for feature in features:
        extra = [dict(extra) for extra in feature.get("annotation", {}).get("extraMetadata", [])]
        exact = extra[0].pop(_EXACT, None) if extra else None
        if exact is not None:
            feature = {**feature, "annotation": {**feature["annotation"], "extraMetadata": extra}}
        document = json.dumps({"feature": [feature]})
        column = TensorflowMetadata.from_json(document).to_merlin_schema().first
        columns.append(column if exact is None else _restored(column, exact))
    return columns


def _restored(column: ColumnSchema, exact: Mapping[str, Any]) -> ColumnSchema:
    dims = tuple(tuple(dim) if isinstance(dim, list) else dim for dim in exact["dims"])
    # Merlin resolves this name to NumPy's text type.
    dtype = md.unknown if exact["dtype"] == md.unknown.name else md.dtype(exact["dtype"])
    return ColumnSchema(column.name, tags=column.tags, properties=dict(exact["properties"]), dtype=dtype, dims=dims)
