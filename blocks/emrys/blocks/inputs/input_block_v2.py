"""`InputBlockV2`: creates the block that embeds ids and concatenates all features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.continuous import Continuous
from emrys.blocks.inputs.embeddings import Embeddings
from emrys.blocks.inputs.pretrained_embeddings import PretrainedEmbeddings
from emrys.blocks.schema.functions import select_targets

_MAKERS: dict[Tags, Callable[[Schema], keras.layers.Layer]] = {
    Tags.CONTINUOUS: Continuous,
    Tags.CATEGORICAL: Embeddings,
    Tags.EMBEDDING: PretrainedEmbeddings,
}


def InputBlockV2(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema | None = None,
    categorical: Tags | keras.layers.Layer | None = Tags.CATEGORICAL,
    continuous: Tags | keras.layers.Layer | None = Tags.CONTINUOUS,
    pretrained_embeddings: Tags | keras.layers.Layer | None = Tags.EMBEDDING,
    pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    aggregation: str | keras.layers.Layer | None = "concat",
    tag_to_block: Mapping[Tags, Callable[[Schema], keras.layers.Layer]] | None = None,
    **branches: Tags | keras.layers.Layer,
) -> ParallelBlock:
    """Reads the features of a batch: embeds ids, keeps numbers and vectors, and concatenates all of them.

    Every branch is a layer or a tag. For a tag, `tag_to_block` creates it from the columns with that tag; without such
    columns there is no branch. Targets are never read.

    Args:
        schema: The columns. It can be left out where all branches are layers.
        categorical: The branch of ids; None for none. Default: `Embeddings` of the columns tagged CATEGORICAL.
        continuous: The branch of numbers; None for none. Default: `Continuous`, those tagged CONTINUOUS as they are.
        pretrained_embeddings: The branch of vectors; None for none. Default: `PretrainedEmbeddings` of the columns
            tagged EMBEDDING.
        pre: Layer before all branches. Default: none.
        post: Layer on the dictionary of all their outputs. Default: none.
        aggregation: Aggregation of them to one tensor. Default: `"concat"`; None gives a dictionary.
        tag_to_block: Functions from a schema to a layer, by tag, in addition to those above. Default: none.
        **branches: Further branches by name.

    Returns:
        A block from a batch to (B, sum of all dimensions), or a dictionary by feature.

    Raises:
        SchemaError: if there are no columns to read.
        ConfigError: if a branch is neither a layer nor a tag that `tag_to_block` knows.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("item", 99), mm.create_continuous_column("price")])
        >>> inputs = mm.InputBlockV2(schema)
        >>> tuple(inputs({"item": np.array([[7]]), "price": np.array([[0.5]])}).shape)
        (1, 9)
    """
    requested: dict[str, Any] = {
        "categorical": categorical,
        "continuous": continuous,
        "pretrained_embeddings": pretrained_embeddings,
        **branches,
    }
    features = None if schema is None else schema.excluding_by_name(select_targets(schema).column_names)
    makers = {**_MAKERS, **(tag_to_block or {})}
    layers = {name: _branch(name, branch, features, makers) for name, branch in requested.items() if branch is not None}
    present = {name: layer for name, layer in layers.items() if layer is not None}
    if not present:
        raise SchemaError(
            "InputBlockV2 has nothing to read",
            expected=f"columns tagged {', '.join(tag.name for tag in requested.values() if isinstance(tag, Tags))}",
            got="no schema" if features is None else ", ".join(features.column_names) or "no columns but targets",
            fix="Tag the columns, or give the branches as layers.",
        )
    if features is not None:
        for layer in present.values():
            if isinstance(layer, Block):
                layer.set_schema(features)
    return ParallelBlock(present, pre=pre, post=post, aggregation=aggregation, is_input=True)


def _branch(
    name: str, branch: Any, features: Schema | None, makers: Mapping[Tags, Callable[[Schema], keras.layers.Layer]]
) -> keras.layers.Layer | None:
    if isinstance(branch, keras.layers.Layer):
        return branch
    if not isinstance(branch, Tags) or branch not in makers:
        raise ConfigError(
            f"InputBlockV2: {name}",
            expected=f"a layer or one of {', '.join(f'Tags.{tag.name}' for tag in makers)}",
            got=f"Tags.{branch.name}" if isinstance(branch, Tags) else repr(branch),
            fix="Give the tag a maker in tag_to_block.",
        )
    chosen = Schema([]) if features is None else features.select_by_tag(branch)
    return makers[branch](chosen) if len(chosen) else None
