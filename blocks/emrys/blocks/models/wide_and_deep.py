"""Wide & deep."""

from __future__ import annotations

import warnings
from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import ConcatFeatures
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.tabular import Filter
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.interactions.wide_features import WideFeatures
from emrys.blocks.interactions.wide_logit import WideLogit
from emrys.blocks.mlp.mlp_block import MLPBlock
from emrys.blocks.models.model import Model
from emrys.blocks.models.ranking_features import ranking_features
from emrys.blocks.outputs.model_output import OutputsArgument
from emrys.blocks.outputs.resolve import resolve_outputs
from emrys.blocks.schema.functions import select_targets
from emrys.blocks.transforms.value_dropout import ValueDropout


def WideAndDeepModel(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    deep_block: keras.layers.Layer,
    wide_schema: Schema | None = None,
    deep_schema: Schema | None = None,
    wide_preprocess: keras.layers.Layer | list[keras.layers.Layer] | tuple[keras.layers.Layer, ...] | None = None,
    deep_input_block: keras.layers.Layer | None = None,
    wide_input_block: keras.layers.Layer | None = None,
    deep_regularizer: str | keras.regularizers.Regularizer | None = None,
    wide_regularizer: str | keras.regularizers.Regularizer | None = None,
    deep_dropout: float | None = None,
    wide_dropout: float | None = None,
    prediction_tasks: OutputsArgument = None,
    pre: keras.layers.Layer | None = None,
    **wide_body_kwargs: Any,
) -> Model:
    """Wide & deep: the sum of a linear model on ids and their crosses, and of a deep one on embeddings.

    Args:
        schema: The features and, where `prediction_tasks` is not given, the targets.
        deep_block: The deep part.
        wide_schema: The columns of the wide part. Default: none, and without `wide_input_block` there is no wide part.
        deep_schema: The columns of the deep part. Default: all.
        wide_preprocess: Makes vectors of the columns of `wide_schema`: `CategoryEncoding`, `HashedCross`,
            `HashedCrossAll`, or several in a `ParallelBlock`. Default: its ids as they are, lists included, each with a
            weight that is looked up.
        deep_input_block: Makes one vector of a batch for the deep part. Default: `InputBlockV2` of
            `deep_schema`.
        wide_input_block: Makes one vector, which may be sparse, of a batch for the wide part. Default: see
            `wide_schema`.
        deep_regularizer: Regularizer of the last layer of the deep part, weights and bias. Default: none.
        wide_regularizer: Regularizer of the layer of the wide part, weights and bias. Default: none.
        deep_dropout: Share of what the last layer of the deep part takes that is dropped in training. Default: none.
        wide_dropout: Share of the features of the wide part that is dropped in training. Default: none.
        prediction_tasks: An output or a task, or a list of them. Default: those that the schema's targets ask for.
        pre: Layer that both parts get the batch from. Default: none.
        **wide_body_kwargs: Further arguments of the `MLPBlock` of the wide part.

    Returns:
        The model, to be compiled. Its first block is a `ParallelBlock` of `"deep"` and, where there is one, `"wide"`.

    Raises:
        ConfigError: if `wide_preprocess` is given without `wide_schema`, or a part is described twice.
        SchemaError: if a part has no features, or no target and no output is given.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("user", 9), mm.create_categorical_column("item", 19)])
        >>> model = mm.WideAndDeepModel(
        ...     schema,
        ...     mm.MLPBlock([32, 16]),
        ...     wide_schema=schema,
        ...     wide_preprocess=mm.HashedCross(schema, num_bins=100, sparse=True),
        ...     prediction_tasks=mm.BinaryOutput("click"),
        ... )

    Reference:
        Cheng et al., "Wide & Deep Learning for Recommender Systems", DLRS 2016, https://arxiv.org/abs/1606.07792.
    """
    outputs = resolve_outputs(prediction_tasks, schema)
    if deep_input_block is None:
        deep_input_block = InputBlockV2(ranking_features(deep_schema or schema, "WideAndDeepModel: the deep part"))
    elif deep_schema:
        raise _twice("deep_schema", "deep_input_block")
    deep_end = MLPBlock(
        [1],
        activation="linear",
        kernel_regularizer=deep_regularizer,
        bias_regularizer=deep_regularizer,
        block_name="deep_logit",
    )
    branches = {
        "deep": SequentialBlock([deep_input_block, deep_block, *_dropout(deep_dropout), deep_end], block_name="deep")
    }
    options = {"kernel_regularizer": wide_regularizer, "bias_regularizer": wide_regularizer, **wide_body_kwargs}
    wide = _wide(wide_schema, wide_preprocess, wide_input_block, wide_dropout, options)
    if wide is None:
        warnings.warn("WideAndDeepModel without wide_schema= has no wide part", UserWarning, stacklevel=2)
    else:
        branches["wide"] = wide
    body = ParallelBlock(branches, pre=pre, aggregation="element-wise-sum", is_input=True)
    return Model(body, outputs, schema=schema)


def _wide(
    schema: Schema | None, preprocess: Any, inputs: Any, dropout: float | None, options: dict[str, Any]
) -> keras.layers.Layer | None:
    if inputs is not None and (schema or preprocess is not None):
        raise _twice("wide_schema" if schema else "wide_preprocess", "wide_input_block")
    if inputs is None and not schema:
        if preprocess is not None:
            raise ConfigError("WideAndDeepModel: wide_preprocess", expected="wide_schema beside it", got="None")
        return None
    plain = dropout is None and set(options) == {"kernel_regularizer", "bias_regularizer"}
    if inputs is None and schema is not None:
        features = schema.excluding_by_name(select_targets(schema).column_names)
        if preprocess is None:
            features = _categorical(features)
            if plain and options["bias_regularizer"] is None:
                return WideLogit(features, kernel_regularizer=options["kernel_regularizer"])
            inputs = WideFeatures(features)
        else:
            steps = list(preprocess) if isinstance(preprocess, (list, tuple)) else [preprocess]
            inputs = SequentialBlock([Filter(features), *steps, ConcatFeatures()], block_name="wide_input")
    end = MLPBlock([1], **{"activation": "linear", "block_name": "wide_logit", **options})
    return SequentialBlock([inputs, *_dropout(dropout), end], block_name="wide")


def _categorical(features: Schema) -> Schema:
    found = features.select_by_tag(Tags.CATEGORICAL)
    if len(found) == 0:
        raise SchemaError(
            "WideAndDeepModel: the wide part has no features",
            expected="columns tagged CATEGORICAL in wide_schema",
            got=", ".join(features.column_names) or "no columns but targets",
            fix="Tag them, or give wide_preprocess=.",
        )
    return found


def _dropout(share: float | None) -> list[keras.layers.Layer]:
    return [ValueDropout(share)] if share else []


def _twice(argument: str, other: str) -> ConfigError:
    return ConfigError(f"WideAndDeepModel: {argument}", expected=f"None beside {other}", got="one")
