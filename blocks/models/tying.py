"""Tables that outputs share with the blocks before them, in a model's configuration.

The configuration of a block holds those of the layers inside it, so that a table which is in two blocks would come back
as two. A model therefore says which ones were one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras

from blocks.core.serializing import from_config
from blocks.inputs.embedding_table import EmbeddingTable
from blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction, known_tables


def tied_tables(blocks: Iterable[keras.layers.Layer]) -> dict[str, int]:
    """The number, among all tables of `blocks`, of the one that an `EmbeddingTablePrediction` shares, by its name."""
    layers = _layers(blocks)
    numbers = {id(table): number for number, table in enumerate(_tables(layers))}
    predictions = [layer for layer in layers if isinstance(layer, EmbeddingTablePrediction)]
    return {each.name: numbers[id(each.table)] for each in predictions if id(each.table) in numbers}


def tied_blocks(configs: Iterable[Any], tied: Mapping[str, int]) -> list[keras.layers.Layer]:
    """Makes blocks of their configurations, with the tables of earlier ones where `tied_tables` said so."""
    blocks: list[keras.layers.Layer] = []
    for config in configs:
        tables = _tables(_layers(blocks))
        with known_tables({name: tables[number] for name, number in tied.items() if number < len(tables)}):
            blocks.append(from_config(config))
    return blocks


def _layers(blocks: Iterable[keras.layers.Layer]) -> list[keras.layers.Layer]:
    return list({id(layer): layer for layer in _inside(list(blocks))}.values())


def _tables(layers: Iterable[keras.layers.Layer]) -> list[EmbeddingTable]:
    return [layer for layer in layers if isinstance(layer, EmbeddingTable)]


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
