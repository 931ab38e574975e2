"""Finding layers inside blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras

from blocks.inputs.embedding_table import EmbeddingTable
from blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction


def layers_inside(blocks: Iterable[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """The blocks and all layers that they hold, each once, in order.

    A table that an output shares with an earlier block is counted there, not at the output.
    """
    return list({id(layer): layer for layer in _inside(list(blocks))}.values())


def embedding_tables(blocks: Iterable[keras.layers.Layer]) -> list[EmbeddingTable]:
    """The embedding tables among `layers_inside(blocks)`."""
    return [layer for layer in layers_inside(blocks) if isinstance(layer, EmbeddingTable)]


def _inside(value: Any) -> Iterator[keras.layers.Layer]:
    if isinstance(value, keras.layers.Layer):
        yield value
        if not isinstance(value, EmbeddingTablePrediction):
            yield from _inside([item for name, item in vars(value).items() if not name.startswith("_")])
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _inside(item)
    elif isinstance(value, Mapping):
        yield from _inside(list(value.values()))
