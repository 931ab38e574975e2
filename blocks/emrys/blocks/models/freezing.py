"""Frozen blocks of a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras

from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.errors import ConfigError


def blocks_by_name(blocks: Iterable[keras.layers.Layer], names: str | Sequence[str]) -> list[keras.layers.Layer]:
    """The blocks, or layers inside them, of these names, in the order of the names; all of one name.

    Raises:
        ConfigError: if a name is not there.
    """
    layers = layers_inside(blocks)
    selected: list[keras.layers.Layer] = []
    for name in [names] if isinstance(names, str) else names:
        matches = [layer for layer in layers if name in (layer.name, getattr(layer, "task_name", None))]
        if not matches:
            raise ConfigError(
                f"the model has no block called {name!r}",
                expected=f"one of {', '.join(sorted({layer.name for layer in layers}))}",
            )
        selected += [layer for layer in matches if layer not in selected]
    return selected


class Freezer:
    """The frozen layers of a model; no layer itself, so that Keras does not take them for the model's once more.

    Args:
        blocks: The blocks of the model.
    """

    def __init__(self, blocks: list[keras.layers.Layer]) -> None:
        self._blocks = blocks
        self._frozen: dict[int, keras.layers.Layer] = {}
        #: An optimizer, and what was frozen when it was built, where that has changed since.
        self._built_with: tuple[Any, list[int]] = (None, [])

    @property
    def frozen(self) -> list[keras.layers.Layer]:
        """The frozen blocks; of one that is frozen as a whole, not the layers inside."""
        within = {id(layer) for block in self._frozen.values() for layer in layers_inside([block])[1:]}
        return [layer for key, layer in self._frozen.items() if key not in within]

    @property
    def layer_indices(self) -> list[int]:
        """The frozen layers by their place among all layers of the model."""
        return [index for index, layer in enumerate(layers_inside(self._blocks)) if id(layer) in self._frozen]

    def select(self, blocks: Any) -> list[keras.layers.Layer]:
        """Blocks given themselves or by name, or a list of either.

        Raises:
            ConfigError: if one is not in the model, or is neither.
        """
        requested = list(blocks) if isinstance(blocks, (list, tuple, set)) else [blocks]
        layer_ids = {id(layer) for layer in layers_inside(self._blocks)}
        selected: list[keras.layers.Layer] = []
        for block in requested:
            if isinstance(block, str):
                selected += blocks_by_name(self._blocks, block)
            elif isinstance(block, keras.layers.Layer) and id(block) in layer_ids:
                selected.append(block)
            else:
                got = getattr(block, "name", None) or repr(block)
                raise ConfigError("blocks to freeze", expected="blocks of this model, or their names", got=got)
        return selected

    def freeze(self, blocks: Any) -> None:
        """Freezes blocks with all that is in them."""
        for layer in layers_inside(self.select(blocks)):
            self._frozen[id(layer)] = layer
        self.apply()

    def freeze_indices(self, layer_indices: Iterable[int]) -> None:
        """Freezes the layers that `numbers` gave for a model of the same configuration."""
        layers = layers_inside(self._blocks)
        self._frozen.update({id(layers[index]): layers[index] for index in layer_indices})
        self.apply()

    def unfreeze(self, blocks: Any) -> None:
        """Trains blocks, and all that is in them, again; a frozen block around them is no longer frozen as a whole."""
        for layer in layers_inside(self.select(blocks)):
            self._frozen.pop(id(layer), None)
            layer.trainable = True
        for key, outer in list(self._frozen.items()):
            if any(id(layer) not in self._frozen for layer in layers_inside([outer])):
                del self._frozen[key]
                outer.trainable = True
        self.apply()

    def unfreeze_all(self) -> None:
        """Trains all frozen blocks again."""
        self.unfreeze(self.frozen)

    def record_build(self, optimizer: Any) -> None:
        """Keeps in mind, before a change, what was frozen when `optimizer` was built: it has no state of that."""
        if getattr(optimizer, "built", False) and self._built_with[0] is not optimizer:
            self._built_with = (optimizer, self.layer_indices)

    def indices_at_build(self, optimizer: Any) -> list[int]:
        """What was frozen when `optimizer` was built."""
        return self._built_with[1] if self._built_with[0] is optimizer else self.layer_indices

    @contextlib.contextmanager
    def frozen_as(self, indices: Sequence[int]) -> Iterator[None]:
        """Freezes the layers of these numbers and no others, for as long as it is open."""
        layers = layers_inside(self._blocks)
        trainable_before = [layer.trainable for layer in layers]
        # Setting an outer layer sets those inside it too; they come after it, and have the last word.
        for index, layer in enumerate(layers):
            layer.trainable = index not in indices and (trainable_before[index] or id(layer) in self._frozen)
        try:
            yield
        finally:
            for layer, trainable in zip(layers, trainable_before, strict=True):
                layer.trainable = trainable

    def apply(self) -> None:
        """Freezes what is frozen, weights that have come since included."""
        for layer in self._frozen.values():
            layer.trainable = False
