"""Configurations of blocks that hold other blocks, schemas and tags."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.schema.metadata_json import schema_to_tensorflow_metadata_json, tensorflow_metadata_json_to_schema

_SCHEMA = "__schema__"
_TAG = "__tag__"
_SHARED = "__shared__"


@dataclass
class _Sharing:
    """The layers that occur several times in a configuration: their numbers, and the layers restored so far."""

    numbers: Mapping[int, int] = field(default_factory=dict)
    layers: dict[int, Any] = field(default_factory=dict)


_SHARING: contextvars.ContextVar[_Sharing | None] = contextvars.ContextVar("sharing", default=None)


@contextlib.contextmanager
def sharing(layers: Mapping[int, int] | None = None) -> Iterator[None]:
    """Context manager in which a layer that occurs several times in a configuration is restored as one layer.

    Args:
        layers: For serialization: the numbers of the shared layers, by `id`. Default: none.
    """
    if _SHARING.get() is not None:  # already open in the enclosing model
        yield
        return
    token = _SHARING.set(_Sharing(layers or {}))
    try:
        yield
    finally:
        _SHARING.reset(token)


def to_config(value: object) -> Any:
    """Converts constructor arguments to JSON values; layers, initializers, schemas and tags are serialized."""
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
    config = keras.saving.serialize_keras_object(value)
    shared = _SHARING.get()
    return (
        config if shared is None or id(value) not in shared.numbers else {**config, _SHARED: shared.numbers[id(value)]}
    )


def from_config(value: object) -> Any:
    """The inverse of `to_config`."""
    if isinstance(value, Mapping):
        if _SCHEMA in value:
            return tensorflow_metadata_json_to_schema(value[_SCHEMA])
        if _TAG in value:
            return Tags(value[_TAG])
        if "class_name" in value and "config" in value:
            return _deserialize(value)
        return {key: from_config(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [from_config(item) for item in value]
    return value


def _deserialize(config: Mapping[str, Any]) -> Any:
    shared, number = _SHARING.get(), config.get(_SHARED)
    if shared is not None and number in shared.layers:
        return shared.layers[number]
    layer = keras.saving.deserialize_keras_object({key: value for key, value in config.items() if key != _SHARED})
    if shared is not None and number is not None:
        shared.layers[number] = layer
    return layer
