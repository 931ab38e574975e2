"""Builders of retrieval models, those of sessions included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import SchemaError
from emrys.blocks.inputs.embedding_table import embedding_tables
from emrys.blocks.schema.functions import number_of_ids
from emrys.blocks.transforms.sequence_summary import SequenceLast
from emrys.blocks.workflow import FIRST_KNOWN
from emrys.components.build_model.config import STEP, Architecture
from emrys.components.build_model.inputs import input_block
from emrys.components.build_model.layers import MarkedHistory
from emrys.components.recipe import models as options


def build_two_tower(schema: Schema, option: options.TowerOptions) -> mm.RetrievalModelV2:
    """Two-tower model: user features with the history, and item features."""
    towers = [
        mm.Encoder(_inputs(schema.select_by_tag(tag), option, dropout), _layers(option))
        for tag, dropout in ((Tags.USER, option.dropout), (Tags.ITEM, 0.0))
    ]
    return mm.TwoTowerModelV2(*towers)


def build_matrix_factorization(schema: Schema, option: options.MatrixFactorizationOptions) -> mm.RetrievalModelV2:
    """Matrix factorization of the user ids and item ids."""
    ids = Schema([_only(schema, Tags.USER_ID), _only(schema, Tags.ITEM_ID)])
    return mm.MatrixFactorizationModelV2(
        ids, dim=option.embedding_dim, embeddings_l2_batch_regularization=option.embeddings_l2
    )


def build_youtube_dnn(schema: Schema, option: options.TowerOptions) -> mm.RetrievalModelV2:
    """YouTube DNN: the history and other user features without the id, and a vector for every item."""
    item = _only(schema, Tags.ITEM_ID)
    user = schema.select_by_tag(Tags.USER)
    user = user.excluding_by_name(user.select_by_tag(Tags.USER_ID).column_names)
    if not len(user.select_by_tag(Tags.SEQUENCE)):
        raise _no_history("youtube-dnn", schema)
    candidates = mm.EmbeddingTable(option.tower_layers[-1], item, name="candidates")
    return mm.YoutubeDNNRetrievalModelV2(
        user,
        inputs=_inputs(user, option, option.dropout),
        top_block=_layers(option),
        outputs=mm.CategoricalOutput(candidates, target_name=str(item.name)),
    )


def build_gpt2(schema: Schema, option: options.TransformerOptions) -> mm.RetrievalModelV2:
    """A causal transformer on the history: the vector of its last item scores the table that the history is read by."""
    return _transformer(schema, option, mm.GPT2Block, "gpt2", mark="first")


def build_bert4rec(schema: Schema, option: options.TransformerOptions) -> mm.RetrievalModelV2:
    """A bidirectional transformer on the history and a masked item behind it, whose vector scores the items.

    BERT4Rec hides items anywhere in a sequence; here each row hides the one that it is about, the item of its event.
    """
    return _transformer(schema, option, mm.BertBlock, "bert4rec", mark="last")


def build_last_item(schema: Schema, option: options.LastItemOptions) -> mm.RetrievalModelV2:
    """A factorized Markov chain: a vector for each last item, and one for each next item."""
    history, item = _history(schema, "last-item"), _only(schema, Tags.ITEM_ID)
    inputs = _sequence_inputs(history, option)
    table = mm.EmbeddingTable(option.embedding_dim, item, name="next_items")
    mark = MarkedHistory(str(history.name), end="first", max_length=1)
    query = mm.Encoder(inputs, SequenceLast(), pre=mark, schema=Schema([history]))
    return mm.RetrievalModelV2(query=query, output=_scores(table, item, option))


#: Builder of each retrieval architecture.
BUILDERS: dict[Architecture, Callable[[Schema, Any], mm.RetrievalModelV2]] = {
    Architecture.TWO_TOWER: build_two_tower,
    Architecture.MATRIX_FACTORIZATION: build_matrix_factorization,
    Architecture.YOUTUBE_DNN: build_youtube_dnn,
    Architecture.GPT2: build_gpt2,
    Architecture.BERT4REC: build_bert4rec,
    Architecture.LAST_ITEM: build_last_item,
}


def _transformer(
    schema: Schema, option: options.TransformerOptions, block: type[mm.TransformerBlock], name: str, mark: str
) -> mm.RetrievalModelV2:
    history, item = _history(schema, name), _only(schema, Tags.ITEM_ID)
    inputs = _sequence_inputs(history, option)
    body = block(
        d_model=option.embedding_dim,
        n_head=option.num_heads,
        n_layer=option.num_layers,
        dropout=option.dropout,
        max_position_embeddings=option.max_length + 1,
        post="sequence_last",
    )
    pre = MarkedHistory(str(history.name), end=mark, max_length=option.max_length)
    query = mm.Encoder(inputs, body, pre=pre, schema=Schema([history]))
    table = embedding_tables([inputs])[0]
    return mm.RetrievalModelV2(query=query, output=_scores(table, item, option))


def _sequence_inputs(history: ColumnSchema, option: options.LastItemOptions) -> keras.layers.Layer:
    tables = mm.Embeddings(
        Schema([history]),
        dim=option.embedding_dim,
        sequence_combiner=None,
        l2_batch_regularization_factor=option.embeddings_l2,
    )
    return mm.ParallelBlock({"categorical": tables}, aggregation="concat", is_input=True)


def _scores(table: mm.EmbeddingTable, item: ColumnSchema, option: options.LastItemOptions) -> mm.ModelOutput:
    """The output that scores all items by a table, or in training some negatives."""
    if not option.num_sampled:
        return mm.CategoricalOutput(table, target_name=str(item.name))
    ids = number_of_ids(item)
    sampled = min(option.num_sampled, ids - FIRST_KNOWN)
    sampler = mm.PopularityBasedSamplerV2(max_id=ids, min_id=FIRST_KNOWN, max_num_samples=sampled)
    return mm.ContrastiveOutput(
        table, sampler, target_name=str(item.name), logq_sampling_correction=True, schema=Schema([item])
    )


def _inputs(schema: Schema, option: options.TowerOptions, dropout: float) -> keras.layers.Layer:
    return input_block(schema, option.embedding_dim, option.embeddings_l2, dropout)


def _layers(option: options.TowerOptions) -> keras.layers.Layer:
    return mm.MLPBlock(list(option.tower_layers), no_activation_last_layer=True)


def _history(schema: Schema, name: str) -> ColumnSchema:
    """The history of items: the list in the domain of the item id."""
    domain = _only(schema, Tags.ITEM_ID).properties.get("domain", {}).get("name")
    for column in schema.select_by_tag(Tags.SEQUENCE):
        if column.properties.get("domain", {}).get("name") == domain:
            return column
    raise _no_history(name, schema)


def _no_history(name: str, schema: Schema) -> SchemaError:
    return SchemaError(
        f"{name} needs the histories of users",
        step=STEP,
        expected="a list of items, tagged USER and SEQUENCE",
        got=", ".join(schema.column_names),
        fix="Add a history to the features of the recipe, such as recent: {history_of: the item id, length: 50}.",
    )


def _only(schema: Schema, tag: Tags) -> ColumnSchema:
    columns = list(schema.select_by_tag(tag))
    if len(columns) != 1:
        raise SchemaError(
            f"a retrieval model needs exactly one column tagged {tag.name}",
            step=STEP,
            got=", ".join(column.name for column in columns) or "none",
        )
    return columns[0]
