"""The branches of a parallel block by name, and what they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from emrys.blocks.core.registry import parse_layer
from emrys.blocks.errors import ConfigError


def named_layers(inputs: tuple[Any, ...], use_layer_name: bool) -> dict[str, keras.layers.Layer]:
    """The branches by name.

    Args:
        inputs: Dictionaries by name, layers, or one list of these.
        use_layer_name: Whether layers are known by their own names instead of by their number.

    Raises:
        ConfigError: if something is no layer, or two have one name.
    """
    if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
        inputs = tuple(inputs[0])
    branches: dict[str, keras.layers.Layer] = {}
    for number, item in enumerate(inputs):
        # An output is known by its task: a layer's name cannot hold the slash of "click/binary_output".
        own = getattr(item, "task_name", None) or getattr(item, "name", "")
        named = dict(item) if isinstance(item, Mapping) else {str(own if use_layer_name else number): item}
        for name, given in named.items():
            layer = parse_layer(given, "ParallelBlock", "branches")
            if name in branches:
                raise ConfigError(f"ParallelBlock has two branches called {name!r}", fix="Give them names.")
            branches[name] = layer
    return branches


def collect(outputs: dict[str, Any], name: str, output: Any, block: str) -> None:
    """Adds what a branch gives to `outputs`: a tensor under the branch's name, a dictionary entry by entry.

    Raises:
        ConfigError: if there is an output of that name already; `block` is who says so.
    """
    for key, value in (output if isinstance(output, dict) else {name: output}).items():
        if key in outputs:
            raise ConfigError(f"{block}: two branches give an output called {key!r}", fix="Rename one of them.")
        outputs[key] = value
