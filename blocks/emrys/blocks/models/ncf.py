"""`NCFModel`: neural collaborative filtering."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import ConcatFeatures, ElementWiseMultiply
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import SchemaError
from emrys.blocks.inputs.embeddings import Embeddings
from emrys.blocks.models.model import Model
from emrys.blocks.outputs.model_output import OutputsArgument
from emrys.blocks.outputs.resolve import resolve_outputs


def NCFModel(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    embedding_dim: int,
    mlp_block: keras.layers.Layer,
    prediction_tasks: OutputsArgument = None,
    embeddings_l2_reg: float = 0.0,
    **kwargs: object,
) -> Model:
    """Neural collaborative filtering of user and item ids: a product of embeddings, and an MLP.

    Each of the two parts has its own embeddings; the output takes their concatenated outputs.

    Args:
        schema: Has one column tagged USER_ID and one tagged ITEM_ID and, where `prediction_tasks` is not given, the
            targets.
        embedding_dim: Dimension D of all embeddings.
        mlp_block: Layer on the concatenated embeddings, (B, 2 D).
        prediction_tasks: An output or a task, or a list of them. Default: one for each target of the schema.
        embeddings_l2_reg: Weight, in the loss, of the sum of squares of the vectors that a batch looks up. Default: 0.
        **kwargs: Further arguments of the `Embeddings` of the product.

    Returns:
        The model, to be compiled.

    Raises:
        SchemaError: unless exactly one column has each of the tags, or if there is neither a target nor an output.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema, Tags
        >>> schema = Schema([
        ...     mm.create_categorical_column("user", 9, tags=[Tags.USER_ID]),
        ...     mm.create_categorical_column("item", 19, tags=[Tags.ITEM_ID]),
        ... ])
        >>> model = mm.NCFModel(schema, 8, mm.MLPBlock([16, 8]), prediction_tasks=mm.BinaryOutput("click"))

    Reference:
        He et al., "Neural Collaborative Filtering", WWW 2017, https://arxiv.org/abs/1708.05031.
    """
    outputs = resolve_outputs(prediction_tasks, schema)
    ids = Schema([_only_column(schema, Tags.USER_ID), _only_column(schema, Tags.ITEM_ID)])
    regularization: dict[str, Any] = {"l2_batch_regularization_factor": embeddings_l2_reg}
    product = SequentialBlock(
        Embeddings(ids, dim=embedding_dim, block_name="mf_embeddings", **{**regularization, **kwargs}),
        ElementWiseMultiply(),
        block_name="mf",
    )
    deep = SequentialBlock(
        Embeddings(ids, dim=embedding_dim, block_name="mlp_embeddings", **regularization),
        ConcatFeatures(),
        mlp_block,
        block_name="mlp",
    )
    body = ParallelBlock({"mf": product, "mlp": deep}, aggregation="concat", is_input=True)
    return Model(body, outputs, schema=schema)


def _only_column(schema: Schema, tag: Tags) -> Any:
    columns = list(schema.select_by_tag(tag))
    if len(columns) != 1:
        raise SchemaError(
            f"NCFModel needs one column tagged {tag.name}",
            expected="one",
            got=", ".join(column.name for column in columns) or f"none among {', '.join(schema.column_names)}",
        )
    return columns[0]
