"""Configurations of blocks that hold other blocks, schemas and tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from merlin.schema import Schema, Tags

from blocks.schema.functions import schema_to_tensorflow_metadata_json, tensorflow_metadata_json_to_schema

_SCHEMA = "__schema__"
_TAG = "__tag__"


def to_config(value: Any) -> Any:
    """Turns constructor arguments into what JSON can hold: layers, initializers, schemas and tags included."""
    if isinstance(value, Schema):
        return {_SCHEMA: schema_to_tensorflow_metadata_json(value)}
    if isinstance(value, Tags):
        return {_TAG: value.value}
    if isinstance(value, Mapping):
        return {str(key): to_config(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_config(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return keras.saving.serialize_keras_object(value)


def from_config(value: Any) -> Any:
    """The inverse of `to_config`."""
    if isinstance(value, Mapping):
        if _SCHEMA in value:
            return tensorflow_metadata_json_to_schema(value[_SCHEMA])
        if _TAG in value:
            return Tags(value[_TAG])
        if "class_name" in value and "config" in value:
            return keras.saving.deserialize_keras_object(value)
        return {key: from_config(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [from_config(item) for item in value]
    return value
