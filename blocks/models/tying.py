"""Tables that outputs share with the blocks before them, in a model's configuration.

The configuration of a block holds those of the layers inside it, so that a table which is in two blocks would come back
as two. A model therefore says which ones were one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras

from blocks.core.serializing import from_config
from blocks.models.layers_inside import embedding_tables, layers_inside
from blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction, known_tables


def tied_tables(blocks: Iterable[keras.layers.Layer]) -> dict[str, int]:
    """The number, among all tables of `blocks`, of the one that an `EmbeddingTablePrediction` shares, by its name."""
    blocks = list(blocks)
    numbers = {id(table): number for number, table in enumerate(embedding_tables(blocks))}
    predictions = [layer for layer in layers_inside(blocks) if isinstance(layer, EmbeddingTablePrediction)]
    return {each.name: numbers[id(each.table)] for each in predictions if id(each.table) in numbers}


def tied_blocks(configs: Iterable[Any], tied: Mapping[str, int]) -> list[keras.layers.Layer]:
    """Makes blocks of their configurations, with the tables of earlier ones where `tied_tables` said so."""
    blocks: list[keras.layers.Layer] = []
    for config in configs:
        tables = embedding_tables(blocks)
        with known_tables({name: tables[number] for name, number in tied.items() if number < len(tables)}):
            blocks.append(from_config(config))
    return blocks
