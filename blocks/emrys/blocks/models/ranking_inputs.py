"""What the ranking models read a batch with, where their caller does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.map_values import MapValues
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.errors import SchemaError
from emrys.blocks.inputs.embeddings import Embeddings
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.models.row_l2 import RowL2
from emrys.blocks.schema.functions import select_targets

#: What keeps a model from knowing the train split by heart after two epochs; measured in docs/quality-ranking.md.
#: Where a deep part reads the embeddings: they start so small that ids say little at first, and half of what they say
#: is dropped in training.
_SMALL, _DROPPED = 0.01, 0.5
#: The same where they are multiplied with each other before a deep part reads them.
_MULTIPLIED, _MULTIPLIED_DROPPED = 0.05, 0.6
#: Where their products are the prediction: larger, since products of small numbers learn too late, and pulled towards 0
#: each time that they are looked up, as in matrix factorization.
_LARGE, _L2 = 0.1, 0.03


def ranking_features(schema: Schema, owner: str) -> Schema:
    """The columns of `schema` that a ranking model reads: all but the targets.

    Raises:
        SchemaError: if none of them is categorical.
    """
    features = schema.excluding_by_name(select_targets(schema).column_names)
    if len(features.select_by_tag(Tags.CATEGORICAL)) == 0:
        raise SchemaError(
            f"{owner} has nothing to embed",
            expected="columns tagged CATEGORICAL",
            got=", ".join(features.column_names) or "no columns but targets",
        )
    return features


def ranking_embeddings(
    schema: Schema,
    dim: int | Mapping[str, int] | None = None,
    *,
    products: bool = False,
    multiplied: bool = False,
) -> ParallelBlock:
    """`Embeddings` of the categorical columns of `schema` that start, and are held back, as ranking models do best.

    Args:
        schema: The columns.
        dim: See `Embeddings`.
        products: Whether products of embeddings are the prediction, as in a factorization machine: then they are
            penalised, else they are dropped. Default: False.
        multiplied: Whether a deep part reads their products, as in DLRM. Default: False.
    """
    start_at = _LARGE if products else _MULTIPLIED if multiplied else _SMALL
    dropped = _MULTIPLIED_DROPPED if multiplied else _DROPPED
    categorical = schema.select_by_tag(Tags.CATEGORICAL)
    # An initializer draws the same numbers each time that it is asked: every table gets one of its own.
    start = {name: keras.initializers.RandomNormal(stddev=start_at) for name in categorical.column_names}
    return Embeddings(
        categorical,
        dim=dim,
        embeddings_initializer=start,
        activity_regularizer=RowL2(_L2) if products else None,
        post=None if products else MapValues(keras.layers.Dropout(dropped)),
    )


def ranking_input(
    schema: Schema,
    dim: int | Mapping[str, int] | None = None,
    aggregation: Any = "concat",
    products: bool = False,
    **kwargs: Any,
) -> ParallelBlock:
    """`InputBlockV2` with `ranking_embeddings` where the caller gives no `categorical` branch."""
    if "categorical" not in kwargs:
        kwargs["categorical"] = ranking_embeddings(schema, dim, products=products)
    return InputBlockV2(schema, aggregation=aggregation, **kwargs)
