"""Outputs that look for the table of the items."""

from __future__ import annotations

from collections.abc import Iterable

import keras

from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.inputs.embedding_table import embedding_tables
from emrys.blocks.outputs.items_prediction_weight_tying import ItemsPredictionWeightTying


def tie_items(blocks: Iterable[keras.layers.Layer]) -> None:
    """Gives each `ItemsPredictionWeightTying` among the blocks of a model the table of the items, if there is one."""
    blocks = list(blocks)
    looking = [layer for layer in layers_inside(blocks) if isinstance(layer, ItemsPredictionWeightTying)]
    for layer in looking:
        layer.tie(embedding_tables(blocks))
