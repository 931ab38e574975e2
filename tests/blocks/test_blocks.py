"""The shared check, on every block of the public API."""

from __future__ import annotations

import importlib
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks import api
from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.outputs.model_output import default_regression_metrics
from tests.blocks import cases
from tests.blocks.checks import check_block, small_batch, small_schema

VECTORS = {
    "a": tf.constant(np.random.default_rng(1).random((4, 3)), "float32"),
    "b": tf.constant(np.random.default_rng(2).random((4, 3)), "float32"),
}
STACKED = tf.constant(np.random.default_rng(3).random((4, 3, 2)), "float32")
BATCH = small_batch()[0]
PRETRAINED = {
    "image": tf.constant(np.random.default_rng(4).random((4, 3)), "float32"),
    "images": tf.RaggedTensor.from_row_lengths(
        tf.constant(np.random.default_rng(5).random((5, 2)), "float32"), [0, 2, 1, 2]
    ),
}


def _schema():
    return small_schema().excluding_by_name(["click", "rating"])


def _pretrained_schema():
    return Schema([ColumnSchema(name, dtype="float32", tags=[Tags.EMBEDDING]) for name in PRETRAINED])


def _continuous():
    return mm.ContinuousFeatures(["age", "price"])


BLOCKS = {
    "SequentialBlock": (lambda: mm.SequentialBlock(mm.Dense(4), mm.Dense(2)), VECTORS),
    "SequentialBlock filter": (lambda: mm.SequentialBlock(mm.Dense(4), filter="a"), VECTORS),
    "SequentialBlock pre_aggregation": (lambda: mm.SequentialBlock([mm.Dense(2)], pre_aggregation="concat"), VECTORS),
    "ParallelBlock": (lambda: mm.ParallelBlock({"x": mm.Dense(4), "y": mm.Dense(2)}), VECTORS["a"]),
    "ParallelBlock concat": (lambda: mm.ParallelBlock(mm.Dense(4), mm.MLPBlock([2]), aggregation="concat"), VECTORS),
    "TabularBlock": (lambda: mm.TabularBlock(pre=mm.Filter("a"), post=mm.Dense(2)), VECTORS),
    "Filter then dense": (lambda: mm.Filter("b").connect(mm.Dense(2)), VECTORS),
    "shortcut": (lambda: mm.Dense(3).connect_with_shortcut(mm.Dense(2), aggregation="concat"), VECTORS),
    "shortcut dictionary": (lambda: mm.Dense(3).connect_with_shortcut(mm.Dense(2)), VECTORS),
    "ConcatFeatures": (lambda: mm.ConcatFeatures().connect(mm.Dense(2)), VECTORS),
    "StackFeatures": (lambda: mm.StackFeatures(axis=1).connect(mm.DotProductInteraction("field_all")), VECTORS),
    "Dense": (lambda: mm.Dense(3, activation="tanh"), VECTORS),
    "MLPBlock": (lambda: mm.MLPBlock([4, 2], activation=["relu", "tanh"]), VECTORS),
    "MLPBlock options": (
        lambda: mm.MLPBlock([4, 2], normalization="batch_norm", kernel_regularizer="l2", no_activation_last_layer=True),
        VECTORS,
    ),
    "field_all": (lambda: mm.DotProductInteraction("field_all"), STACKED),
    "field_each": (lambda: mm.DotProductInteraction("field_each"), STACKED),
    "field_interaction": (lambda: mm.DotProductInteraction("field_interaction", self_interaction=True), STACKED),
    "DotProductInteractionBlock": (lambda: mm.DotProductInteractionBlock().connect(mm.Dense(2)), VECTORS),
    "Embeddings": (lambda: mm.Embeddings(_schema(), dim=4), BATCH),
    "Embeddings concat": (lambda: mm.Embeddings(_schema(), aggregation="concat", sequence_combiner="sum"), BATCH),
    "EmbeddingTable": (lambda: mm.EmbeddingTable(3, _schema()["user_id"]), BATCH["user_id"]),
    "EmbeddingTable list": (lambda: mm.EmbeddingTable(3, _schema()["genres"]), BATCH["genres"]),
    "EmbeddingTable mean": (
        lambda: mm.EmbeddingTable(3, _schema()["genres"], sequence_combiner="mean"),
        BATCH["genres"],
    ),
    "Continuous": (lambda: mm.Continuous(_schema().select_by_name(["age"])).connect(mm.Dense(2)), BATCH),
    "EmbeddingTable shared": (
        lambda: mm.EmbeddingTable(3, _schema()["user_id"], table=keras.layers.Embedding(10, 3)),
        BATCH["user_id"],
    ),
    "EmbeddingTable weights": (
        lambda: mm.EmbeddingTable(3, _schema()["user_id"], weights=np.arange(30.0).reshape(10, 3) / 30),
        BATCH["user_id"],
    ),
    "EmbeddingTable combined by a layer": (
        lambda: mm.EmbeddingTable(3, _schema()["genres"], sequence_combiner=mm.SequenceAggregator("max")),
        BATCH["genres"],
    ),
    "EmbeddingTable mask_zero": (
        lambda: mm.EmbeddingTable(3, _schema()["genres"], mask_zero=True),
        tf.constant([[1, 2, 0], [3, 0, 0], [5, 5, 5]]),
    ),
    "ContinuousFeatures": (lambda: _continuous().connect(mm.Dense(2)), BATCH),
    "ContinuousFeatures concat": (
        lambda: mm.ContinuousFeatures(["age", "price"], post=mm.MapValues(mm.Dense(2)), aggregation="concat"),
        BATCH,
    ),
    "EmbeddingFeatures": (lambda: mm.EmbeddingFeatures.from_schema(_schema()), BATCH),
    "EmbeddingFeatures described": (
        lambda: mm.EmbeddingFeatures(
            {
                "user_id": mm.FeatureConfig(mm.TableConfig(20, 4, initializer="uniform", name="ids")),
                "item_id": mm.FeatureConfig(mm.TableConfig(20, 4, name="ids")),
                "genres": mm.FeatureConfig(mm.TableConfig(6, 2, combiner="sum")),
            },
            aggregation="concat",
            schema=_schema(),
            l2_reg=0.1,
        ),
        BATCH,
    ),
    "InputBlockV2": (lambda: mm.InputBlockV2(_schema()), BATCH),
    "InputBlockV2 dictionary": (
        lambda: mm.InputBlockV2(
            _schema(),
            continuous=mm.ContinuousProjection(_schema(), mm.MLPBlock([2])),
            aggregation=None,
            ages=_continuous().connect(mm.Dense(2)),
        ),
        BATCH,
    ),
    "InputBlockV2 pretrained": (lambda: mm.InputBlockV2(_pretrained_schema()).connect(mm.Dense(2)), PRETRAINED),
    "ContinuousEmbedding": (lambda: mm.ContinuousEmbedding(_continuous(), mm.MLPBlock([4])), BATCH),
    "ContinuousProjection": (lambda: mm.ContinuousProjection(_schema(), mm.MLPBlock([4])), BATCH),
    "PretrainedEmbeddings": (
        lambda: mm.PretrainedEmbeddings(_pretrained_schema(), output_dims={"image": 4}, normalizer="l2-norm"),
        PRETRAINED,
    ),
    "PretrainedVectors": (
        lambda: mm.PretrainedVectors(_pretrained_schema()["images"], 4, sequence_combiner=None),
        PRETRAINED,
    ),
    "PrepareFeatures": (lambda: mm.PrepareFeatures(_schema()).connect(mm.Embeddings(_schema(), dim=2)), BATCH),
    "PrepareListFeatures": (
        lambda: mm.PrepareListFeatures(_schema(), list_as_dense=True).connect(mm.Embeddings(_schema(), dim=2)),
        BATCH,
    ),
    "BinaryOutput": (lambda: mm.BinaryOutput("click"), VECTORS["a"]),
    "BinaryOutput temperature": (lambda: mm.BinaryOutput("click", logits_temperature=2.0), VECTORS["a"]),
    "RegressionOutput": (lambda: mm.RegressionOutput("rating", pre=mm.Dense(2)), VECTORS["a"]),
    "OutputBlock": (lambda: mm.OutputBlock(small_schema()), VECTORS["a"]),
    "OutputBlock task_blocks": (
        lambda: mm.OutputBlock(small_schema(), task_blocks=mm.MLPBlock([4]), pre=mm.Dense(2)),
        VECTORS["a"],
    ),
    "ModelOutput": (
        lambda: mm.ModelOutput(mm.Dense(2), "mse", default_regression_metrics, logits_temperature=2.0),
        VECTORS["a"],
    ),
    "CategoricalTarget": (lambda: mm.CategoricalTarget(_schema()["item_id"], kernel_regularizer="l2"), VECTORS["a"]),
    "CategoricalOutput": (lambda: mm.CategoricalOutput(_schema()["item_id"], pre=mm.Dense(2)), VECTORS["a"]),
    "CategoricalOutput table": (
        lambda: mm.CategoricalOutput(mm.EmbeddingTable(3, _schema()["item_id"]), logits_temperature=0.5),
        VECTORS["a"],
    ),
    "EmbeddingTablePrediction": (
        lambda: mm.EmbeddingTablePrediction(mm.EmbeddingTable(3, _schema()["item_id"]), use_bias=True),
        VECTORS["a"],
    ),
    "ColumnBasedSampleWeight": (
        lambda: mm.BinaryOutput("click", post=mm.ColumnBasedSampleWeight("view", [1.0, 2.0])),
        VECTORS["a"],
    ),
    "DLRMBlock": (
        lambda: mm.DLRMBlock(_schema(), embedding_dim=4, bottom_block=mm.MLPBlock([4]), top_block=mm.MLPBlock([3])),
        BATCH,
    ),
    "DLRMBlock embedding_options": (
        lambda: mm.DLRMBlock(
            _schema(),
            embedding_options=mm.EmbeddingOptions(embeddings_l2_reg=0.1),
            bottom_block=mm.MLPBlock([4]),
            top_block=mm.MLPBlock([3]),
        ),
        BATCH,
    ),
    "ElementwiseSum": (lambda: mm.ElementwiseSum().connect(mm.Dense(2)), VECTORS),
    "ElementwiseSumItemMulti": (
        lambda: mm.ElementwiseSumItemMulti(Schema([mm.create_categorical_column("b", 9, tags=[Tags.ITEM_ID])])).connect(
            mm.Dense(2)
        ),
        VECTORS,
    ),
    "CosineSimilarity": (
        lambda: mm.ParallelBlock({"x": mm.Dense(3), "y": mm.Dense(3)}, aggregation="cosine"),
        VECTORS,
    ),
    "ElementWiseMultiply": (lambda: mm.ElementWiseMultiply().connect(mm.Dense(2)), VECTORS),
    "NoOp": (lambda: mm.NoOp().connect(mm.Dense(2)), VECTORS),
    "AsTabular": (lambda: mm.Dense(2).as_tabular("out"), VECTORS),
    "MapValues": (lambda: mm.MapValues(mm.Dense(2)), VECTORS),
    "ResidualBlock": (lambda: mm.ResidualBlock(mm.Dense(3), "tanh", post=mm.Dense(2)), VECTORS["a"]),
    "DenseResidualBlock": (lambda: mm.DenseResidualBlock(dropout=0.0, depth=2), VECTORS),
    "DenseResidualBlock low rank": (
        lambda: mm.DenseResidualBlock(2, keras.layers.LeakyReLU(), normalization=None, kernel_regularizer="l2"),
        VECTORS,
    ),
    "connect_with_residual": (lambda: mm.Dense(3).connect_with_residual(mm.Dense(3), activation="tanh"), VECTORS),
    "connect_branch": (
        lambda: mm.Dense(3).connect_branch(mm.Dense(2), mm.MLPBlock([1]), aggregation="concat"),
        VECTORS,
    ),
    "repeat": (lambda: mm.Dense(3).repeat(2), VECTORS),
    "repeat_in_parallel": (
        lambda: mm.MLPBlock([3]).repeat_in_parallel(2, prefix="expert_", aggregation="stack"),
        VECTORS,
    ),
    "repeat_in_parallel without copies": (
        lambda: mm.Dense(3).repeat_in_parallel(2, copies=False, residual=True),
        VECTORS["a"],
    ),
    "prepare": (lambda: mm.Dense(2).prepare(mm.MapValues(mm.Dense(1)), aggregation="concat"), VECTORS),
    "CrossBlock": (lambda: mm.CrossBlock(2), VECTORS),
    "CrossBlock low rank": (
        lambda: mm.CrossBlock(2, filter="a", low_rank_dim=2, kernel_regularizer="l2", inputs=mm.MLPBlock([4])),
        VECTORS,
    ),
    "FMPairwiseInteraction": (lambda: mm.FMPairwiseInteraction().connect(mm.Dense(2)), STACKED),
    "L2Norm": (lambda: mm.L2Norm().connect(mm.Dense(2)), VECTORS),
    "LogitsTemperatureScaler": (lambda: mm.LogitsTemperatureScaler(0.5).connect(mm.Dense(2)), VECTORS["a"]),
    "SequenceAggregator": (lambda: mm.SequenceAggregator("max").connect(mm.Dense(2)), STACKED),
    "SequenceAggregator ragged": (
        lambda: mm.EmbeddingTable(3, _schema()["genres"]).connect(mm.SequenceAggregator("mean")),
        BATCH["genres"],
    ),
    "ReplaceMaskedEmbeddings": (lambda: mm.ReplaceMaskedEmbeddings().connect(mm.Dense(2)), STACKED),
}

for _module in pkgutil.iter_modules(cases.__path__, f"{cases.__name__}."):
    BLOCKS |= importlib.import_module(_module.name).CASES


#: The check takes half a second and more; these, of most families, are in `make test-fast`.
QUICK = (
    "ParallelBlock concat", "shortcut", "ElementwiseSum", "Cond",
    "MLPBlock", "DenseResidualBlock low rank", "CrossBlock", "FMPairwiseInteraction",
    "EmbeddingTable mean", "InputBlockV2 pretrained",
    "L2Norm", "HashedCross multi_hot", "SequenceTargetAsInput",
    "BinaryOutput", "CategoricalOutput table", "ContrastiveOutput two towers", "PredictionTasks",
    "InBatchNegatives", "ExpertsGate", "MatrixFactorization encoders",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in BLOCKS if name not in QUICK)]
)
def test_block(name, tmp_path):
    make, inputs = BLOCKS[name]
    check_block(make, inputs, tmp_path)


#: Public layers that no case need have, and where they are checked instead, or why they cannot be.
ELSEWHERE = {
    **dict.fromkeys(["Block", "CandidateSampler", "TabularAggregation", "TopKLayer"], "has no work of its own"),
    "ModelContext": "stands beside the blocks; the case `context` has one",
    **dict.fromkeys(["BaseModel", "Model"], "is no block; tests/blocks/models"),
    **dict.fromkeys(["RetrievalModel", "RetrievalModelV2"], "is no block; tests/blocks/models"),
    "TopKEncoder": "is no block; tests/blocks/retrieval/test_top_k_encoder.py",
    "AverageEmbeddingsByWeightFeature": "reads two features; its own test has a block that gives it both",
    **dict.fromkeys(["SequenceMaskRandom", "SequencePredictRandom"], "gives something else at each call"),
    **dict.fromkeys(
        ["InBatchSampler", "ItemSampler", "PopularityBasedSampler"],
        "takes embeddings and ids, and has no weights; tests/blocks/sampling",
    ),
    **dict.fromkeys(
        ["ItemRetrievalScorer", "ItemRetrievalTask"],
        "needs the batch's ids; tests/blocks/legacy/test_item_retrieval_scorer.py",
    ),
    **dict.fromkeys(["DualEncoderBlock", "HoldOutItems", "QueryItemIdsEmbeddingsBlock"], "tests/blocks/models"),
}


@pytest.mark.slow
def test_every_public_layer_has_a_case():
    public = {
        name: value
        for name, value in vars(api).items()
        if name in api.__all__ and isinstance(value, type) and issubclass(value, keras.layers.Layer)
    }
    checked = {type(layer) for make, _ in BLOCKS.values() for layer in layers_inside([make()])}
    without = {name for name, value in public.items() if value not in checked}
    assert without <= set(ELSEWHERE)
