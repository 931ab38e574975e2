"""Two-tower block from a schema (first generation)."""

from __future__ import annotations

import warnings
from typing import Unpack

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import BlockArguments
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.embedding_options import EmbeddingOptions
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.legacy.dual_encoder_block import DualEncoderBlock
from emrys.blocks.legacy.input_block import InputBlock
from emrys.blocks.models.encoder import Encoder
from emrys.blocks.models.retrieval_model import check_tower_sizes
from emrys.blocks.schema.functions import select_targets


def TwoTowerBlock(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    query_tower: keras.layers.Layer,
    item_tower: keras.layers.Layer | None = None,
    query_tower_tag: Tags = Tags.USER,
    item_tower_tag: Tags = Tags.ITEM,
    embedding_options: EmbeddingOptions | None = None,
    post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    **kwargs: Unpack[BlockArguments],
) -> DualEncoderBlock:
    """Creates two towers with their inputs. Deprecated: use `Encoder` and `TwoTowerModelV2`.

    Args:
        schema: The columns of users and items.
        query_tower: Layer on the user features. One that begins with an input block reads the batch itself; others
            get an `InputBlock` in front.
        item_tower: Layer on the item features, likewise. Default: a copy of `query_tower`.
        query_tower_tag: Tag of the user columns. Default: `Tags.USER`.
        item_tower_tag: Tag of the item columns. Default: `Tags.ITEM`.
        embedding_options: Dimensions and initializers of the tables. Default: dimension 64.
        post: Layer after both towers, on the dictionary of their vectors. Default: none.
        **kwargs: Further arguments of `DualEncoderBlock`.

    Returns:
        A block from a batch of features to a dictionary of `"query"` and `"item"`, (B, D) each.

    Raises:
        SchemaError: if no column has one of the tags.
        ConfigError: if a tower is not a layer, or the dimensions of their outputs differ.
    """
    warn_deprecated("TwoTowerBlock", "TwoTowerModelV2")
    if not isinstance(schema, Schema):
        raise ConfigError("TwoTowerBlock: schema", expected="a Schema", got=type(schema).__name__)
    if not isinstance(query_tower, keras.layers.Layer):
        raise ConfigError("TwoTowerBlock: query_tower", expected="a layer", got=type(query_tower).__name__)
    item_tower = _copy(query_tower) if item_tower is None else item_tower
    sides = (
        ("query", query_tower, query_tower_tag, "query_tower_tag"),
        ("item", item_tower, item_tower_tag, "item_tower_tag"),
    )
    with quietly():
        towers = {
            name: _with_inputs(schema, tower, tag, argument, embedding_options) for name, tower, tag, argument in sides
        }
        check_tower_sizes("TwoTowerBlock", towers)
        return DualEncoderBlock(towers["query"], towers["item"], post=post, **kwargs)


def _with_inputs(
    schema: Schema, tower: keras.layers.Layer, tag: Tags, argument: str, options: EmbeddingOptions | None
) -> keras.layers.Layer:
    if isinstance(tower, Encoder) or (isinstance(tower, SequentialBlock) and tower.inputs is not None):
        return tower
    columns = schema.excluding_by_name(select_targets(schema).column_names).select_by_tag(tag)
    if len(columns) == 0:
        raise SchemaError(
            "TwoTowerBlock has no columns for a tower",
            expected=f"columns tagged {tag.name if isinstance(tag, Tags) else tag}",
            got=", ".join(schema.column_names) or "no columns",
            fix=f"Tag the columns, or pass another tag as {argument}=.",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        inputs = InputBlock(columns, embedding_options=options, aggregation="concat")
    return SequentialBlock([inputs, tower])


def _copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
