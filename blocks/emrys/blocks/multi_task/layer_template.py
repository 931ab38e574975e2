"""Copies of a layer with separate weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from emrys.blocks.core.block import own_classes
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError


@dataclass(frozen=True)
class LayerTemplate:
    """The configuration of a layer, from which copies with separate weights are created.

    The layer itself is not stored: Keras would track it as part of the block that copies it.
    """

    config: Any
    #: The user's classes in it, by name: Keras finds only registered ones.
    classes: Mapping[str, type]

    @classmethod
    def of(cls, layer: keras.layers.Layer | None, argument: str) -> LayerTemplate:
        """The template of a layer.

        Raises:
            ConfigError: if it is not a layer.
        """
        if not isinstance(layer, keras.layers.Layer):
            raise ConfigError(f"{argument} must be a layer", expected="a layer", got=type(layer).__name__)
        return cls(_unbuilt(to_config(layer)), own_classes(layer))

    def create(self, name: str | None = None) -> keras.layers.Layer:
        """Creates a layer.

        Args:
            name: Its name. Default: the name of the original layer.
        """
        config = self.config if name is None else {**self.config, "config": {**self.config["config"], "name": name}}
        with keras.saving.custom_object_scope(self.classes):
            return from_config(config)


def _unbuilt(config: Any) -> Any:
    """Removes the input shapes of built layers: a copy may have others."""
    if isinstance(config, Mapping):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    return [_unbuilt(value) for value in config] if isinstance(config, (list, tuple)) else config
