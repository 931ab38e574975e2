"""`InputBlock`: the input block of the first generation of the API."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.errors import SchemaError
from emrys.blocks.inputs.continuous_projection import ContinuousProjection
from emrys.blocks.inputs.embedding_features import EmbeddingFeatures
from emrys.blocks.inputs.embedding_options import EmbeddingOptions
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.legacy.continuous_features import ContinuousFeatures
from emrys.blocks.legacy.sequence_embedding_features import SequenceEmbeddingFeatures
from emrys.blocks.schema.functions import select_targets
from emrys.blocks.transforms.sequence_aggregator import SequenceAggregator


def InputBlock(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    branches: Mapping[str, keras.layers.Layer] | None = None,
    pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    aggregation: str | keras.layers.Layer | None = None,
    seq: bool = False,
    add_continuous_branch: bool = True,
    continuous_tags: Tags | Sequence[Tags] = (Tags.CONTINUOUS,),
    continuous_projection: keras.layers.Layer | None = None,
    add_embedding_branch: bool = True,
    embedding_options: EmbeddingOptions | None = None,
    categorical_tags: Tags | Sequence[Tags] = (Tags.CATEGORICAL,),
    sequential_tags: Tags | Sequence[Tags] = (Tags.SEQUENCE,),
    split_sparse: bool = False,
    seq_aggregator: keras.layers.Layer | None = None,
    **kwargs: object,
) -> Block:
    """Deprecated: use `InputBlockV2`, to which this function translates its arguments.

    Args:
        schema: The columns; targets are never read.
        branches: Further branches by name. Default: none.
        pre: Layer before all branches. Default: none.
        post: Layer on the dictionary of all their outputs. Default: none.
        aggregation: Aggregation of them to one tensor. Default: none, a dictionary.
        seq: Whether lists stay lists, (B, L, D), instead of becoming one vector. Default: False.
        add_continuous_branch: Whether continuous features are read. Default: True.
        continuous_tags: Tags of these. Default: CONTINUOUS.
        continuous_projection: Layer applied to all of them together, as `"continuous_projection"`. Default: none.
        add_embedding_branch: Whether categorical features are read. Default: True.
        embedding_options: Dimensions and initializers of the tables. Default: `EmbeddingOptions()`, with dimension 64.
        categorical_tags: Tags of the categorical features. Default: CATEGORICAL.
        sequential_tags: Tags of the lists for `split_sparse`. Default: SEQUENCE.
        split_sparse: Whether lists get a block of their own, `"sparse"`, that gives one tensor. Default: False.
        seq_aggregator: Aggregation of its lists to one vector, unless `seq`. Default: `SequenceAggregator("mean")`.
        **kwargs: Further arguments of `ParallelBlock`, such as `name`.

    Returns:
        A block from a batch to a dictionary by feature, or its aggregation.

    Raises:
        SchemaError: if there are no columns to read, or `split_sparse` is set and no column has one of its tags.

    Example:
        >>> import warnings
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("item", 99), mm.create_continuous_column("price")])
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     inputs = mm.InputBlock(schema, aggregation="concat")
        >>> tuple(inputs({"item": np.array([[7]]), "price": np.array([[0.5]])}).shape)
        (1, 65)
    """
    warnings.warn("InputBlock is deprecated: use InputBlockV2", DeprecationWarning, stacklevel=2)
    features = schema.excluding_by_name(select_targets(schema).column_names)
    all_branches = dict(branches or {})
    lists = features.select_by_tag(_tags(sequential_tags)) if split_sparse else Schema([])
    if split_sparse and len(lists) == 0:
        raise SchemaError(
            "InputBlock: split_sparse finds no lists",
            expected=f"columns tagged {', '.join(tag.name for tag in _tags(sequential_tags))}",
            got=", ".join(features.column_names) or "no columns but targets",
        )

    def feature_branches(columns: Schema, lists_stay: bool) -> dict[str, keras.layers.Layer]:
        layers: dict[str, keras.layers.Layer | None] = {}
        continuous = columns.select_by_tag(_tags(continuous_tags)) if add_continuous_branch else Schema([])
        if len(continuous) and continuous_projection is not None:
            layers["continuous_projection"] = ContinuousProjection(continuous, continuous_projection)
        elif len(continuous):
            layers["continuous"] = ContinuousFeatures.from_schema(continuous)
        if add_embedding_branch:
            embeddings = SequenceEmbeddingFeatures if lists_stay else EmbeddingFeatures
            layers["categorical"] = embeddings.from_schema(columns, embedding_options, tags=_tags(categorical_tags))
        return {name: layer for name, layer in layers.items() if layer is not None}

    if not split_sparse:
        return _parallel({**all_branches, **feature_branches(features, seq)}, features, pre, post, aggregation, kwargs)
    aggregation = "concat" if aggregation is None else aggregation
    sparse: Block = _parallel(feature_branches(lists, True), lists, None, None, aggregation, {})
    if not seq:
        sparse = sparse.connect(SequenceAggregator("mean") if seq_aggregator is None else seq_aggregator)
    context = features.excluding_by_name(lists.column_names)
    if len(context) == 0 and not all_branches:
        return sparse
    return _parallel(
        {**all_branches, **feature_branches(context, False), "sparse": sparse}, features, pre, post, aggregation, kwargs
    )


def _parallel(
    branches: dict[str, keras.layers.Layer],
    features: Schema,
    pre: Any,
    post: Any,
    aggregation: Any,
    kwargs: dict[str, Any],
) -> ParallelBlock:
    if not branches:
        raise SchemaError(
            "InputBlock has nothing to read",
            expected="continuous or categorical columns",
            got=", ".join(features.column_names) or "no columns but targets",
        )
    no_defaults = {"categorical": None, "continuous": None, "pretrained_embeddings": None}
    block = InputBlockV2(features, **{**no_defaults, **branches}, pre=pre, post=post, aggregation=aggregation)
    if not kwargs:
        return block
    return ParallelBlock(
        block.parallel_dict,
        pre=block.pre,
        post=block.post,
        aggregation=block.aggregation,
        **{"is_input": True, **kwargs},
    )


def _tags(tags: Tags | Sequence[Tags]) -> list[Tags]:
    return [tags] if isinstance(tags, Tags) else list(tags)
