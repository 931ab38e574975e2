"""Traversal of the layers inside blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras


def layers_inside(blocks: Iterable[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """Returns the blocks and all their inner layers, each once, in order.

    A table that an output shares with an earlier block is counted there, not at the output.
    """
    return list({id(layer): layer for layer in _inside(list(blocks))}.values())


def get_sub_blocks(blocks: keras.layers.Layer | Iterable[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """Returns blocks and all their inner layers, each once; see `layers_inside`.

    Args:
        blocks: One block, or several.
    """
    return layers_inside([blocks] if isinstance(blocks, keras.layers.Layer) else blocks)


def shared_layers(blocks: Iterable[keras.layers.Layer]) -> dict[int, int]:
    """Returns a number for each layer that occurs several times inside `blocks`, by `id`."""
    counts: dict[int, int] = {}
    _count(list(blocks), counts)
    return {key: number for number, key in enumerate(key for key, count in counts.items() if count > 1)}


def _inside(value: Any) -> Iterator[keras.layers.Layer]:
    if isinstance(value, keras.layers.Layer):
        yield value
        yield from _inside(children(value))
    else:
        for item in _items(value):
            yield from _inside(item)


def _count(value: Any, counts: dict[int, int]) -> None:
    if isinstance(value, keras.layers.Layer):
        counts[id(value)] = counts.get(id(value), 0) + 1
        if counts[id(value)] == 1:
            _count(_attributes(value), counts)
    else:
        for item in _items(value):
            _count(item, counts)


def children(layer: keras.layers.Layer) -> list[Any]:
    """Returns the inner layers of a layer, possibly in lists and dictionaries.

    They are the result of the layer's `children()`, or else the layers among its public attributes.
    """
    method = getattr(layer, "children", None)
    return list(method()) if callable(method) else _attributes(layer)


def _attributes(layer: keras.layers.Layer) -> list[Any]:
    return [item for name, item in vars(layer).items() if not name.startswith("_")]


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []
