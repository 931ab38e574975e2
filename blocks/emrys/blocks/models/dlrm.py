"""Deep learning recommendation model."""

from __future__ import annotations

import dataclasses

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.tabular import Filter
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.continuous import Continuous
from emrys.blocks.inputs.embedding_features import EmbeddingFeatures
from emrys.blocks.inputs.embedding_options import EmbeddingOptions
from emrys.blocks.inputs.embeddings import Embeddings
from emrys.blocks.interactions.dot_product import DotProductInteractionBlock
from emrys.blocks.models.model import Model
from emrys.blocks.models.ranking_features import ranking_features
from emrys.blocks.outputs.model_output import OutputsArgument
from emrys.blocks.outputs.resolve import resolve_outputs
from emrys.blocks.schema.functions import categorical_domains


def DLRMBlock(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    *,
    embedding_dim: int | None = None,
    embedding_options: EmbeddingOptions | None = None,
    embeddings: keras.layers.Layer | None = None,
    bottom_block: SequentialBlock | None = None,
    top_block: keras.layers.Layer | None = None,
) -> SequentialBlock:
    """The body of a DLRM: embeddings and projected continuous features, their pairwise dot products, a top block.

    The continuous features go through `bottom_block` to the size of the embeddings; all vectors are combined by
    `DotProductInteraction`; the result, with the output of `bottom_block` beside it, goes into `top_block`. Without a
    `top_block` the dot products are the output.

    Args:
        schema: The features; categorical ones with a domain are embedded.
        embedding_dim: Dimension of the embeddings. Default: the last dimension of `bottom_block`.
        embedding_options: Initializers, regularisation and the combiner of lists, for `EmbeddingFeatures`. Dimensions
            that they do not name are `embedding_dim`. Default: those of `Embeddings`.
        embeddings: The embeddings themselves, instead of `embedding_dim` and `embedding_options`.
        bottom_block: What the continuous features go through; needed when there are any.
        top_block: What the interactions and the projection go through. Default: none, and the interactions alone are
            the output.

    Returns:
        A block that takes a batch and gives (B, D).

    Raises:
        SchemaError: if the schema has no categorical feature.
        ConfigError: if the dimensions do not agree.

    Reference:
        Naumov et al., "Deep Learning Recommendation Model for Personalization and Recommendation Systems", 2019,
        https://arxiv.org/abs/1906.00091
    """
    features = ranking_features(schema, "DLRM")
    categorical = features.select_by_tag(Tags.CATEGORICAL)
    continuous = features.select_by_tag(Tags.CONTINUOUS)
    if embeddings is None:
        dim = _embedding_dim(embedding_dim, bottom_block)
        embeddings = _embeddings(categorical, dim, embedding_options)
    elif embedding_options is not None:
        raise ConfigError("DLRM: embedding_options", expected="None beside embeddings", got=repr(embedding_options))
    branches: dict[str, keras.layers.Layer] = {"embeddings": embeddings}
    if len(continuous) and bottom_block is None:
        raise ConfigError(
            "DLRM: bottom_block",
            expected=f"a block for the continuous features {', '.join(continuous.column_names)}",
            got="None",
            fix="Give bottom_block=MLPBlock([..., embedding_dim]).",
        )
    if len(continuous):
        branches["continuous_projection"] = SequentialBlock(Continuous(continuous), bottom_block)
    vectors = ParallelBlock(branches)
    if top_block is None:
        return vectors.connect(DotProductInteractionBlock())
    if len(continuous) == 0:
        return vectors.connect(DotProductInteractionBlock(), top_block)
    return vectors.connect_with_shortcut(
        DotProductInteractionBlock(), shortcut_filter=Filter("continuous_projection"), aggregation="concat"
    ).connect(top_block)


def DLRMModel(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    *,
    embeddings: keras.layers.Layer | None = None,
    embedding_dim: int | None = None,
    embedding_options: EmbeddingOptions | None = None,
    bottom_block: SequentialBlock | None = None,
    top_block: keras.layers.Layer | None = None,
    prediction_tasks: OutputsArgument = None,
) -> Model:
    """A DLRM: `DLRMBlock` with an output.

    Args:
        schema: The features and, where `prediction_tasks` is not given, the targets.
        embeddings: See `DLRMBlock`.
        embedding_dim: See `DLRMBlock`.
        embedding_options: See `DLRMBlock`.
        bottom_block: See `DLRMBlock`.
        top_block: See `DLRMBlock`.
        prediction_tasks: An output or a task, or a list of them. Default: those that the schema's targets ask for.

    Returns:
        The model, to be compiled.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema, Tags
        >>> schema = Schema([
        ...     mm.create_categorical_column("user", 9), mm.create_categorical_column("item", 19),
        ...     mm.create_continuous_column("age"),
        ... ])
        >>> model = mm.DLRMModel(
        ...     schema, embedding_dim=4, bottom_block=mm.MLPBlock([8, 4]), top_block=mm.MLPBlock([6]),
        ...     prediction_tasks=mm.BinaryOutput("click"),
        ... )
    """
    body = DLRMBlock(
        schema,
        embedding_dim=embedding_dim,
        embedding_options=embedding_options,
        embeddings=embeddings,
        bottom_block=bottom_block,
        top_block=top_block,
    )
    return Model(body, resolve_outputs(prediction_tasks, schema), schema=schema)


def _embeddings(categorical: Schema, dim: int, options: EmbeddingOptions | None) -> keras.layers.Layer:
    if options is None:
        return Embeddings(categorical, dim=dim)
    domains = categorical_domains(categorical)
    sharing = [[each for each in categorical if domains[each.name] == name] for name in dict.fromkeys(domains.values())]
    # a table whose initial values the options leave open starts as those of `Embeddings`
    initializers = {
        columns[0].name: "uniform" if (initializer := options.initializer(*columns)) is None else initializer
        for columns in sharing
    }
    options = dataclasses.replace(
        options, embedding_dim_default=dim, infer_embedding_sizes=False, embeddings_initializers=initializers
    )
    embeddings = EmbeddingFeatures.from_schema(categorical, options)
    if embeddings is None:  # no categorical column, which has been checked
        raise SchemaError("DLRM has nothing to embed", expected="columns tagged CATEGORICAL")
    others = {name: table.dim for name, table in embeddings.parallel_dict.items() if table.dim != dim}
    if others:
        raise ConfigError(
            "DLRM: all embeddings and the projected continuous features must have one size",
            column=min(others),
            expected=f"dimension {dim}",
            got=f"embedding_options with {others[min(others)]}",
        )
    return embeddings


def _embedding_dim(dim: int | None, bottom: SequentialBlock | None) -> int:
    last = None if bottom is None else getattr(bottom.layers[-1], "units", None)
    if dim is None and last is None:
        raise ConfigError("DLRM: embedding_dim", expected="a whole number", got="None")
    if dim is not None and last is not None and dim != last:
        raise ConfigError(
            "DLRM: the projected continuous features and the embeddings must have one size",
            expected=f"embedding_dim {dim}",
            got=f"a bottom_block that ends with {last}",
        )
    return int(dim if dim is not None else last or 0)
