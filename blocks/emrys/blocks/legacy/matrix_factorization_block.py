"""Matrix factorization block (first generation)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import CosineSimilarity
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.legacy.query_item_ids_embeddings_block import QueryItemIdsEmbeddingsBlock

_COSINE: Any = object()


def MatrixFactorizationBlock(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    dim: int,
    query_id_tag: Tags = Tags.USER_ID,
    item_id_tag: Tags = Tags.ITEM_ID,
    embeddings_initializers: str
    | keras.initializers.Initializer
    | Mapping[str, str | keras.initializers.Initializer]
    | None = None,
    embeddings_l2_reg: float = 0.0,
    aggregation: str | keras.layers.Layer = _COSINE,
    **kwargs: Any,
) -> QueryItemIdsEmbeddingsBlock:
    """Creates a block that scores user-item pairs by their embeddings. Deprecated: use `MatrixFactorizationModelV2`.

    Args:
        schema: Schema with the id columns.
        dim: Dimension of the embeddings.
        query_id_tag: Tag of the user id. Default: `Tags.USER_ID`.
        item_id_tag: Tag of the item id. Default: `Tags.ITEM_ID`.
        embeddings_initializers: Initializer of both tables, or initializers by column name. Default: a truncated
            normal distribution with standard deviation 0.05.
        embeddings_l2_reg: Weight of the L2 regularization of the embeddings of a batch. Default: 0.
        aggregation: Aggregation of both vectors to one tensor; None for a dictionary. Default: a new
            `CosineSimilarity()`.
        **kwargs: Further arguments of `QueryItemIdsEmbeddingsBlock`.

    Returns:
        A block from a batch of features to (B, 1), or to a dictionary of `"query"` and `"item"`.

    Raises:
        SchemaError: if not exactly one column has each of the tags, or one has no domain.
    """
    warn_deprecated("MatrixFactorizationBlock", "MatrixFactorizationModelV2")
    with quietly():
        return QueryItemIdsEmbeddingsBlock(
            schema,
            dim,
            query_id_tag,
            item_id_tag,
            embeddings_initializers,
            embeddings_l2_reg,
            aggregation=CosineSimilarity() if aggregation is _COSINE else aggregation,
            **kwargs,
        )
