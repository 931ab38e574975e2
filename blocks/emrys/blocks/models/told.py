"""What a model knows during a step besides the features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.calling import call_layer
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError


@dataclass(frozen=True)
class Told:
    """What blocks are told in a step; an object of its own, since Keras takes what a model's dictionaries hold."""

    targets: Any = None
    testing: bool = False


@dataclass(frozen=True)
class Ahead:
    """The layer that batches go through before they reach the model, which is no part of it.

    Attributes:
        layer: It takes the features, and `targets`, `features`, `training` and `testing` if it wants them. A
            dictionary that it gives takes the features' place; a `Prediction` (outputs=features, targets,
            sample_weight) or a tuple of these that of targets and weights too. None leaves batches as they are.
    """

    layer: keras.layers.Layer | None = None

    def __call__(self, data: Any, *, prepared: Any, **mode: bool) -> Any:
        """The batch `(features, targets, sample_weight)` behind the layer.

        Args:
            data: The batch as it came.
            prepared: Gives features the form that layers take.
            **mode: `training` or `testing`.
        """
        if self.layer is None:
            return data
        features, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        features = prepared(features)
        found = call_layer(self.layer, features, targets=targets, features=features, **mode)
        if isinstance(found, Prediction):
            found = (found.outputs, found.targets, found.sample_weight)
        if not isinstance(found, tuple):
            return found, targets, weights
        changed = [*found, None, None][:3]
        return (
            changed[0],
            targets if changed[1] is None else changed[1],
            weights if changed[2] is None else changed[2],
        )


def as_ahead(pre: Any) -> Ahead:
    """The layer given as `pre=`.

    Raises:
        ConfigError: if it is no layer.
    """
    if pre is not None and not isinstance(pre, keras.layers.Layer):
        raise ConfigError("pre", expected="a layer", got=type(pre).__name__)
    return Ahead(pre)


def shapes_behind(ahead: Ahead, data: Any, prepared: Any) -> Any:
    """The shapes of the features that come out of the layer; None where `data` is no `tf.data.Dataset`."""
    if not isinstance(data, tf.data.Dataset):
        return None

    def features(batch: Any) -> Any:
        return ahead(batch, prepared=prepared, training=True)[0]

    found = tf.function(features).get_concrete_function(data.element_spec).structured_outputs
    return {name: tuple(tensor.shape) for name, tensor in found.items()} if isinstance(found, dict) else found.shape


def follow(found: Prediction, told: Mapping[str, Any]) -> dict[str, Any]:
    """What later blocks are told, after one that gave features and targets as a `Prediction`."""
    known = dict(told)
    if isinstance(found.outputs, Mapping):
        known["features"] = found.outputs
        if found.targets is not None:
            known["targets"] = found.targets
    return known
