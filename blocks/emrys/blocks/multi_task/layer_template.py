"""Making several layers of one kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError


@dataclass(frozen=True)
class LayerTemplate:
    """The configuration of a layer, of which layers with weights of their own are made.

    The layer itself is not kept: it would count as part of the block that copies it.
    """

    config: Any

    @classmethod
    def of(cls, layer: Any, argument: str) -> LayerTemplate:
        """The template of a layer.

        Raises:
            ConfigError: if it is no layer.
        """
        if not isinstance(layer, keras.layers.Layer):
            raise ConfigError(f"{argument} takes a block", expected="a layer", got=type(layer).__name__)
        return cls(_unbuilt(to_config(layer)))

    def make(self, name: str | None = None) -> keras.layers.Layer:
        """A new layer.

        Args:
            name: Its name. Default: the name of the layer that the template is of.
        """
        if name is None:
            return from_config(self.config)
        return from_config({**self.config, "config": {**self.config["config"], "name": name}})


def _unbuilt(config: Any) -> Any:
    """Leaves out for which shapes layers were built: a copy may get others."""
    if isinstance(config, Mapping):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    return [_unbuilt(value) for value in config] if isinstance(config, (list, tuple)) else config
