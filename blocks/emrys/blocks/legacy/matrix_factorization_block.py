"""Matrix factorization, as the first generation writes it."""

from __future__ import annotations

from typing import Any

from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import CosineSimilarity
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.legacy.query_item_ids_embeddings_block import QueryItemIdsEmbeddingsBlock

_COSINE: Any = object()


def MatrixFactorizationBlock(  # noqa: N802 - looks like the class that it is used as
    schema: Schema,
    dim: int,
    query_id_tag: Tags = Tags.USER_ID,
    item_id_tag: Tags = Tags.ITEM_ID,
    embeddings_initializers: Any = None,
    embeddings_l2_reg: float = 0.0,
    aggregation: Any = _COSINE,
    **kwargs: Any,
) -> QueryItemIdsEmbeddingsBlock:
    """The score of a user and an item by the vectors of both. Deprecated: use `MatrixFactorizationModelV2`.

    Args:
        schema: The columns, those of the ids among them.
        dim: Size of the vectors.
        query_id_tag: Tag of the column of users. Default: `Tags.USER_ID`.
        item_id_tag: Tag of the column of items. Default: `Tags.ITEM_ID`.
        embeddings_initializers: Initializer of both tables, or initializers by name of a column. Default: a truncated
            normal distribution with standard deviation 0.05.
        embeddings_l2_reg: Weight, in the loss, of the sum of squares of what a batch looks up. Default: 0.
        aggregation: Makes one tensor of both vectors; None leaves the dictionary. Default: `CosineSimilarity()`, made
            anew for each block.
        **kwargs: Further arguments of `QueryItemIdsEmbeddingsBlock`.

    Returns:
        A block that takes a batch and gives (B, 1), or a dictionary of `"query"` and `"item"`.

    Raises:
        SchemaError: if not one column has each of the tags, or one has no domain.
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
