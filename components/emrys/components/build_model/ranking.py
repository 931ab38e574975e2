"""Builders of ranking models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.core.traversal import layers_inside
from emrys.components.build_model.config import Architecture
from emrys.components.build_model.inputs import (
    dense_branches,
    embeddings,
    input_block,
    number_lists,
    vectors,
)
from emrys.components.recipe import models as options

Outputs = list[mm.ModelOutput]


def build_dlrm(features: Schema, outputs: Outputs, option: options.DLRMOptions) -> mm.Model:
    """DLRM: dot products of all embeddings and of a projection of the numbers, lists of numbers and vectors."""
    ids = embeddings(features, option.embedding_dim, option.embeddings_l2)
    top = _layers(option.top_layers, option.dropout)
    dense = dense_branches(features)
    bottom = mm.MLPBlock([*option.bottom_layers, option.embedding_dim]) if dense else None
    if not len(number_lists(features)) and not len(vectors(features)):
        return mm.DLRMModel(features, embeddings=ids, bottom_block=bottom, top_block=top, prediction_tasks=outputs)
    projection = mm.SequentialBlock([mm.ParallelBlock(dense, aggregation="concat", is_input=True), bottom])
    all_vectors = mm.ParallelBlock({"embeddings": ids, "continuous_projection": projection})
    body = all_vectors.connect_with_shortcut(
        mm.DotProductInteractionBlock(), shortcut_filter=mm.Filter("continuous_projection"), aggregation="concat"
    ).connect(top)
    return _model(features, outputs, body)


def build_dcn(features: Schema, outputs: Outputs, option: options.DCNOptions) -> mm.Model:
    """DCN V2: cross layers on all features, and a deep part behind or beside them."""
    return mm.DCNModel(
        features,
        depth=option.depth,
        deep_block=_layers(option.deep_layers, option.dropout),
        stacked=option.stacked,
        input_block=input_block(features, option.embedding_dim, option.embeddings_l2),
        prediction_tasks=outputs,
    )


def build_deepfm(features: Schema, outputs: Outputs, option: options.DeepFMOptions) -> mm.Model:
    """DeepFM: a linear part on ids and numbers, all pairs of embeddings, and a deep part."""
    lists = [*vectors(features).column_names, *number_lists(features).column_names]
    # The linear part has no weights for lists of numbers, which the deep part reads.
    linear: dict[str, Any] = {}
    if lists:
        linear = {"wide_input_block": mm.WideLogit(features.excluding_by_name(lists)), "wide_logit_block": mm.NoOp()}
    return mm.DeepFMModel(
        features,
        deep_block=_layers(option.deep_layers, option.dropout),
        input_block=input_block(features, option.embedding_dim, option.embeddings_l2, aggregation=None),
        prediction_tasks=outputs,
        **linear,
    )


def build_wide_and_deep(features: Schema, outputs: Outputs, option: options.WideAndDeepOptions) -> mm.Model:
    """Wide & deep: a linear part on ids, and a deep part on all features."""
    return mm.WideAndDeepModel(
        features,
        _layers(option.deep_layers, option.dropout),
        wide_schema=features.select_by_tag(Tags.CATEGORICAL),
        deep_input_block=input_block(features, option.embedding_dim, option.embeddings_l2),
        prediction_tasks=outputs,
    )


def build_mlp(features: Schema, outputs: Outputs, option: options.MLPOptions) -> mm.Model:
    """Dense layers on all features side by side."""
    inputs = input_block(features, option.embedding_dim, option.embeddings_l2)
    return _model(features, outputs, inputs, _layers(option.layers, option.dropout))


def build_mmoe(features: Schema, outputs: Outputs, option: options.MMOEOptions) -> mm.Model:
    """MMoE: shared experts, which the gate of each target combines."""
    return _experts(features, outputs, option, lambda expert: mm.MMOEBlock(outputs, expert, option.num_experts))


def build_cgc(features: Schema, outputs: Outputs, option: options.CGCOptions) -> mm.Model:
    """CGC: experts of each target and shared ones, which the gate of each target combines."""

    def block(expert: keras.layers.Layer) -> keras.layers.Layer:
        return mm.CGCBlock(outputs, expert, option.num_task_experts, option.num_shared_experts)

    return _experts(features, outputs, option, block)


def build_ple(features: Schema, outputs: Outputs, option: options.PLEOptions) -> mm.Model:
    """PLE: layers of CGC."""

    def block(expert: keras.layers.Layer) -> keras.layers.Layer:
        return mm.PLEBlock(option.num_layers, outputs, expert, option.num_task_experts, option.num_shared_experts)

    return _experts(features, outputs, option, block)


#: Builder of each ranking architecture: of features, outputs and its options.
BUILDERS: dict[Architecture, Callable[[Schema, Outputs, Any], mm.Model]] = {
    Architecture.DLRM: build_dlrm,
    Architecture.DCN: build_dcn,
    Architecture.DEEPFM: build_deepfm,
    Architecture.WIDE_AND_DEEP: build_wide_and_deep,
    Architecture.MLP: build_mlp,
    Architecture.MMOE: build_mmoe,
    Architecture.CGC: build_cgc,
    Architecture.PLE: build_ple,
}


def zero_linear_weights(model: mm.Model) -> None:
    """Sets the weights of the linear parts to 0, so that an id that never occurs in training adds nothing."""
    for layer in layers_inside([model]):
        if isinstance(layer, mm.WideLogit):
            layer.kernel.assign(np.zeros(layer.kernel.shape))


def _experts(
    features: Schema, outputs: Outputs, option: Any, block: Callable[[keras.layers.Layer], keras.layers.Layer]
) -> mm.Model:
    inputs = input_block(features, option.embedding_dim, option.embeddings_l2)
    return _model(features, outputs, inputs, block(_layers(option.expert_layers, option.dropout)))


def _model(features: Schema, outputs: Outputs, *blocks: keras.layers.Layer) -> mm.Model:
    last = outputs[0] if len(outputs) == 1 else mm.ParallelBlock({each.task_name: each for each in outputs})
    return mm.Model(*blocks, last, schema=features)


def _layers(widths: Sequence[int], dropout: float) -> keras.layers.Layer:
    return mm.MLPBlock(list(widths), dropout=dropout or None)
