"""Builders of retrieval models."""

from __future__ import annotations

from collections.abc import Callable

import keras
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import SchemaError
from emrys.components.build_model.config import STEP, Architecture, BuildModelConfig


def build_two_tower(schema: Schema, config: BuildModelConfig) -> mm.RetrievalModelV2:
    """Two-tower model: user features with the history, and item features."""
    towers = [
        mm.Encoder(_inputs(schema.select_by_tag(tag), config, dropout), _layers(config))
        for tag, dropout in ((Tags.USER, config.dropout), (Tags.ITEM, 0.0))
    ]
    return mm.TwoTowerModelV2(*towers)


def build_matrix_factorization(schema: Schema, config: BuildModelConfig) -> mm.RetrievalModelV2:
    """Matrix factorization of the user ids and item ids."""
    ids = Schema([_only(schema, Tags.USER_ID), _only(schema, Tags.ITEM_ID)])
    return mm.MatrixFactorizationModelV2(
        ids, dim=config.embedding_dim, embeddings_l2_batch_regularization=config.embeddings_l2
    )


def build_youtube_dnn(schema: Schema, config: BuildModelConfig) -> mm.RetrievalModelV2:
    """YouTube DNN: the history and other user features without the id, and a vector for every item."""
    item = _only(schema, Tags.ITEM_ID)
    user = schema.select_by_tag(Tags.USER)
    user = user.excluding_by_name(user.select_by_tag(Tags.USER_ID).column_names)
    if not len(user.select_by_tag(Tags.SEQUENCE)):
        raise SchemaError(
            "youtube-dnn needs the histories of users",
            step=STEP,
            expected="a list of items, tagged USER and SEQUENCE",
            got=", ".join(schema.column_names),
            fix="Set history in the step ingest, and features: retrieval in the step preprocess.",
        )
    candidates = mm.EmbeddingTable(config.tower_layers[-1], item, name="candidates")
    return mm.YoutubeDNNRetrievalModelV2(
        user,
        inputs=_inputs(user, config, config.dropout),
        top_block=_layers(config),
        outputs=mm.CategoricalOutput(candidates, target_name=str(item.name)),
    )


#: Builder of each retrieval architecture.
BUILDERS: dict[Architecture, Callable[[Schema, BuildModelConfig], mm.RetrievalModelV2]] = {
    Architecture.TWO_TOWER: build_two_tower,
    Architecture.MATRIX_FACTORIZATION: build_matrix_factorization,
    Architecture.YOUTUBE_DNN: build_youtube_dnn,
}


def _inputs(schema: Schema, config: BuildModelConfig, dropout: float) -> keras.layers.Layer:
    categorical = mm.Embeddings(
        schema.select_by_tag(Tags.CATEGORICAL),
        dim=config.embedding_dim,
        l2_batch_regularization_factor=config.embeddings_l2,
        post=mm.MapValues(keras.layers.Dropout(dropout)) if dropout else None,
    )
    return mm.InputBlockV2(schema, categorical=categorical)


def _layers(config: BuildModelConfig) -> keras.layers.Layer:
    return mm.MLPBlock(list(config.tower_layers), no_activation_last_layer=True)


def _only(schema: Schema, tag: Tags) -> ColumnSchema:
    columns = list(schema.select_by_tag(tag))
    if len(columns) != 1:
        raise SchemaError(
            f"a retrieval model needs exactly one column tagged {tag.name}",
            step=STEP,
            got=", ".join(column.name for column in columns) or "none",
        )
    return columns[0]
