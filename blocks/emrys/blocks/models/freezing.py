"""Frozen blocks of a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras

from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.errors import ConfigError


def blocks_by_name(blocks: Iterable[keras.layers.Layer], names: str | Sequence[str]) -> list[keras.layers.Layer]:
    """Returns all blocks, or inner layers, with these names, in the order of the names.

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
    """The frozen layers of a model.

    Args:
        blocks: The blocks of the model.
    """

    def __init__(self, blocks: list[keras.layers.Layer]) -> None:
        self._blocks = blocks
        self._frozen: dict[int, keras.layers.Layer] = {}
        #: An optimizer, and the layers that were frozen when it was built, if they have changed since.
        self._built_with: tuple[Any, list[int]] = (None, [])

    @property
    def frozen(self) -> list[keras.layers.Layer]:
        """The frozen blocks, without the inner layers of a completely frozen block."""
        within = {id(layer) for block in self._frozen.values() for layer in layers_inside([block])[1:]}
        return [layer for key, layer in self._frozen.items() if key not in within]

    @property
    def layer_indices(self) -> list[int]:
        """Indices of the frozen layers among all layers of the model."""
        return [index for index, layer in enumerate(layers_inside(self._blocks)) if id(layer) in self._frozen]

    def select(self, blocks: str | keras.layers.Layer | Sequence[str | keras.layers.Layer]) -> list[keras.layers.Layer]:
        """Returns the blocks of a selection: blocks or names, one or a list.

        Raises:
            ConfigError: if a block is not in the model.
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

    def freeze(self, blocks: str | keras.layers.Layer | Sequence[str | keras.layers.Layer]) -> None:
        """Freezes blocks with all their inner layers."""
        for layer in layers_inside(self.select(blocks)):
            self._frozen[id(layer)] = layer
        self.apply()

    def freeze_indices(self, layer_indices: Iterable[int]) -> None:
        """Freezes the layers of these indices, which come from a model of the same configuration."""
        layers = layers_inside(self._blocks)
        self._frozen.update({id(layers[index]): layers[index] for index in layer_indices})
        self.apply()

    def unfreeze(self, blocks: str | keras.layers.Layer | Sequence[str | keras.layers.Layer]) -> None:
        """Unfreezes blocks with all their inner layers; an outer frozen block is then frozen in part."""
        for layer in layers_inside(self.select(blocks)):
            self._frozen.pop(id(layer), None)
            layer.trainable = True
        for key, outer in list(self._frozen.items()):
            if any(id(layer) not in self._frozen for layer in layers_inside([outer])):
                del self._frozen[key]
                outer.trainable = True
        self.apply()

    def unfreeze_all(self) -> None:
        """Unfreezes all blocks."""
        self.unfreeze(self.frozen)

    def record_build(self, optimizer: str | keras.optimizers.Optimizer | None) -> None:
        """Records, before a change, the frozen layers at the time `optimizer` was built: it has no state for them."""
        if getattr(optimizer, "built", False) and self._built_with[0] is not optimizer:
            self._built_with = (optimizer, self.layer_indices)

    def indices_at_build(self, optimizer: str | keras.optimizers.Optimizer | None) -> list[int]:
        """Returns the indices of the layers that were frozen when `optimizer` was built."""
        return self._built_with[1] if self._built_with[0] is optimizer else self.layer_indices

    @contextlib.contextmanager
    def frozen_as(self, indices: Sequence[int]) -> Iterator[None]:
        """Context manager in which the layers of these indices, and no others, are frozen."""
        layers = layers_inside(self._blocks)
        trainable_before = [layer.trainable for layer in layers]
        # Setting an outer layer sets its inner layers too; these follow in the list and are set afterwards.
        for index, layer in enumerate(layers):
            layer.trainable = index not in indices and (trainable_before[index] or id(layer) in self._frozen)
        try:
            yield
        finally:
            for layer, trainable in zip(layers, trainable_before, strict=True):
                layer.trainable = trainable

    def apply(self) -> None:
        """Applies the freezing, also to weights that were created since."""
        for layer in self._frozen.values():
            layer.trainable = False
