"""Dimensions inferred from the number of ids, in every constructor that takes them.

Expected sizes are those of Merlin Models 23.12 for the same calls: twice the fourth root of the number of ids, rounded
up (101: 7, 6: 4, 1001: 12), and to a multiple of 8 where that is asked for or `Embeddings` infers them.
"""

from __future__ import annotations

import numpy as np
import pytest
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError

FEATURES = Schema(
    [
        mm.create_categorical_column("user_id", 100, tags=[Tags.USER, Tags.USER_ID]),
        mm.create_categorical_column("country", 5, tags=[Tags.USER]),
        mm.create_categorical_column("item_id", 1000, tags=[Tags.ITEM, Tags.ITEM_ID]),
        mm.create_continuous_column("age", tags=[Tags.USER]),
    ]
)
CATEGORICAL = FEATURES.select_by_tag(Tags.CATEGORICAL)
BATCH = {
    **{name: np.array([[1], [2]]) for name in ("user_id", "country", "item_id")},
    "age": np.array([[0.5], [1.0]], "float32"),
}
EXACT = mm.EmbeddingOptions(infer_embedding_sizes=True)
ROUNDED = mm.EmbeddingOptions(
    infer_embedding_sizes=True, infer_embeddings_ensure_dim_multiple_of_8=True, infer_embedding_sizes_multiplier=4.0
)
#: Dimensions of the tables of 6, 101 and 1,001 rows.
SIZES = {"exact": [4, 7, 12], "rounded": [8, 16, 24], "inferred": [8, 8, 16]}


def _output():
    return mm.BinaryOutput("click")


def _outputs():
    return mm.ParallelBlock(_output(), mm.BinaryOutput("like"))


CASES = {
    "Embeddings": (lambda: mm.Embeddings(CATEGORICAL, infer_embedding_sizes=True), SIZES["inferred"]),
    "InputBlockV2": (lambda: mm.InputBlockV2(FEATURES), SIZES["inferred"]),
    "InputBlockV2(categorical=)": (
        lambda: mm.InputBlockV2(FEATURES, categorical=mm.Embeddings(CATEGORICAL, infer_embedding_sizes=True)),
        SIZES["inferred"],
    ),
    "EmbeddingFeatures": (lambda: mm.EmbeddingFeatures.from_schema(FEATURES, embedding_options=EXACT), SIZES["exact"]),
    "EmbeddingFeatures rounded": (
        lambda: mm.EmbeddingFeatures.from_schema(FEATURES, embedding_options=ROUNDED),
        SIZES["rounded"],
    ),
    "InputBlock": (lambda: mm.InputBlock(FEATURES, embedding_options=EXACT), SIZES["exact"]),
    "InputBlock rounded": (lambda: mm.InputBlock(FEATURES, embedding_options=ROUNDED), SIZES["rounded"]),
    # the interaction needs one size, and takes embedding_dim whatever the options say, as released
    "DLRMModel": (
        lambda: mm.DLRMModel(
            FEATURES,
            embedding_dim=4,
            embedding_options=EXACT,
            bottom_block=mm.MLPBlock([4]),
            top_block=mm.MLPBlock([4]),
            prediction_tasks=_output(),
        ),
        [4, 4, 4],
    ),
    "DCNModel": (lambda: mm.DCNModel(FEATURES, depth=1, prediction_tasks=_output()), SIZES["inferred"]),
    "DCNModel(input_block=)": (
        lambda: mm.DCNModel(
            FEATURES,
            depth=1,
            input_block=mm.InputBlock(FEATURES, embedding_options=EXACT, aggregation="concat"),
            prediction_tasks=_output(),
        ),
        SIZES["exact"],
    ),
    # one size, the largest, where released Merlin fails
    "DeepFMModel": (
        lambda: mm.DeepFMModel(FEATURES, deep_block=mm.MLPBlock([4]), prediction_tasks=_output()),
        [16, 16, 16],
    ),
    "WideAndDeepModel": (
        lambda: mm.WideAndDeepModel(
            FEATURES,
            deep_block=mm.MLPBlock([4]),
            wide_schema=FEATURES.select_by_name(["country"]),
            deep_schema=FEATURES,
            prediction_tasks=_output(),
        ),
        [1, *SIZES["inferred"]],
    ),
    "TwoTowerModel": (
        lambda: mm.TwoTowerModel(FEATURES, query_tower=mm.MLPBlock([4]), embedding_options=EXACT),
        SIZES["exact"],
    ),
    "TwoTowerModel rounded": (
        lambda: mm.TwoTowerModel(FEATURES, query_tower=mm.MLPBlock([4]), embedding_options=ROUNDED),
        SIZES["rounded"],
    ),
    "TwoTowerBlock": (
        lambda: mm.TwoTowerBlock(FEATURES, query_tower=mm.MLPBlock([4]), embedding_options=EXACT),
        SIZES["exact"],
    ),
    "TwoTowerModelV2": (
        lambda: mm.TwoTowerModelV2(
            *(
                mm.Encoder(
                    mm.InputBlockV2(
                        part,
                        categorical=mm.Embeddings(part.select_by_tag(Tags.CATEGORICAL), infer_embedding_sizes=True),
                    ),
                    mm.MLPBlock([4]),
                )
                for part in (FEATURES.select_by_tag(Tags.USER), FEATURES.select_by_tag(Tags.ITEM))
            )
        ),
        SIZES["inferred"],
    ),
    "MMOEBlock": (
        lambda: _with_experts(lambda outputs: mm.MMOEBlock(outputs, mm.MLPBlock([4]), num_experts=2)),
        SIZES["inferred"],
    ),
    "CGCBlock": (
        lambda: _with_experts(lambda outputs: mm.CGCBlock(outputs, mm.MLPBlock([4]), 1, 1)),
        SIZES["inferred"],
    ),
}


def _with_experts(experts):
    outputs = _outputs()
    return mm.Model(mm.InputBlockV2(FEATURES), experts(outputs), outputs)


def _dimensions(block):
    """Dimensions of the tables, by number of rows."""
    block(BATCH)
    shapes = {tuple(weight.shape) for weight in block.weights if weight.shape.rank == 2}
    return [dim for rows, dim in sorted(shapes) if rows in (6, 101, 1001)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CASES)
def test_dimensions(name):
    make, expected = CASES[name]
    assert _dimensions(make()) == expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_dimension_that_the_items_of_youtube_dnn_have():
    history = mm.create_categorical_column(
        "item_id", 1000, tags=[Tags.ITEM, Tags.ITEM_ID], min_value_count=0, max_value_count=5
    )
    schema = Schema([history, FEATURES["country"]])
    with pytest.raises(ConfigError, match="expected 12, got 4"):
        mm.YoutubeDNNRetrievalModel(schema, top_block=mm.MLPBlock([4]), embedding_options=EXACT)
    model = mm.YoutubeDNNRetrievalModel(schema, top_block=mm.MLPBlock([12]), embedding_options=EXACT)
    model({"item_id": np.array([[1, 2]]), "country": np.array([[1]])})
    sizes = {tuple(weight.shape) for weight in model.weights}
    assert {(1001, 12), (6, 4)} <= sizes
