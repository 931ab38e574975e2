"""Which layers of a model are not trained."""

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
    found: list[keras.layers.Layer] = []
    for name in [names] if isinstance(names, str) else names:
        own = [layer for layer in layers if name in (layer.name, getattr(layer, "task_name", None))]
        if not own:
            raise ConfigError(
                f"the model has no block called {name!r}",
                expected=f"one of {', '.join(sorted({layer.name for layer in layers}))}",
            )
        found += [layer for layer in own if layer not in found]
    return found


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
    def numbers(self) -> list[int]:
        """The frozen layers by their place among all layers of the model."""
        return [number for number, layer in enumerate(layers_inside(self._blocks)) if id(layer) in self._frozen]

    def select(self, blocks: Any) -> list[keras.layers.Layer]:
        """Blocks given themselves or by name, or a list of either.

        Raises:
            ConfigError: if one is not in the model, or is neither.
        """
        given = list(blocks) if isinstance(blocks, (list, tuple, set)) else [blocks]
        known = {id(layer) for layer in layers_inside(self._blocks)}
        found: list[keras.layers.Layer] = []
        for block in given:
            if isinstance(block, str):
                found += blocks_by_name(self._blocks, block)
            elif isinstance(block, keras.layers.Layer) and id(block) in known:
                found.append(block)
            else:
                got = getattr(block, "name", None) or repr(block)
                raise ConfigError("blocks to freeze", expected="blocks of this model, or their names", got=got)
        return found

    def freeze(self, blocks: Any) -> None:
        """Freezes blocks with all that is in them."""
        for layer in layers_inside(self.select(blocks)):
            self._frozen[id(layer)] = layer
        self.apply()

    def freeze_numbers(self, numbers: Iterable[int]) -> None:
        """Freezes the layers that `numbers` gave for a model of the same configuration."""
        layers = layers_inside(self._blocks)
        self._frozen.update({id(layers[number]): layers[number] for number in numbers})
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

    def remember(self, optimizer: Any) -> None:
        """Keeps in mind, before a change, what was frozen when `optimizer` was built: it has no state of that."""
        if getattr(optimizer, "built", False) and self._built_with[0] is not optimizer:
            self._built_with = (optimizer, self.numbers)

    def numbers_behind(self, optimizer: Any) -> list[int]:
        """What was frozen when `optimizer` was built."""
        return self._built_with[1] if self._built_with[0] is optimizer else self.numbers

    @contextlib.contextmanager
    def as_behind(self, optimizer_numbers: Sequence[int]) -> Iterator[None]:
        """Freezes the layers of these numbers and no others, for as long as it is open."""
        layers = layers_inside(self._blocks)
        before = [layer.trainable for layer in layers]
        # Setting an outer layer sets those inside it too; they come after it, and have the last word.
        for number, layer in enumerate(layers):
            layer.trainable = number not in optimizer_numbers and (before[number] or id(layer) in self._frozen)
        try:
            yield
        finally:
            for layer, trainable in zip(layers, before, strict=True):
                layer.trainable = trainable

    def apply(self) -> None:
        """Freezes what is frozen, weights that have come since included."""
        for layer in self._frozen.values():
            layer.trainable = False
