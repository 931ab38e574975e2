"""A DLRM put together of its parts: the shapes at each step are those that the released library's example prints."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

SIZES = {"userId": 6041, "movieId": 3700, "title": 3700, "gender": 4}
CONTINUOUS = ["TE_zipcode_rating", "TE_movieId_rating"]
SCHEMA = Schema(
    [
        *(mm.create_categorical_column(name, size, dtype="int64") for name, size in SIZES.items()),
        *(mm.create_continuous_column(name) for name in CONTINUOUS),
        ColumnSchema("rating_binary", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
    ]
)


def _rows(rows):
    draw = np.random.default_rng(1)
    features = {name: draw.integers(0, size, (rows, 1)) for name, size in SIZES.items()}
    features |= {name: draw.normal(size=(rows, 1)).astype("float32") for name in CONTINUOUS}
    clicked = features["TE_movieId_rating"] > 0
    return features, {"rating_binary": clicked.astype("float32")}


def _shapes(outputs):
    return {name: tuple(value.shape) for name, value in outputs.items()}


@pytest.mark.slow
def test_own_architecture(tmp_path):
    batch = {name: tf.constant(value) for name, value in _rows(5)[0].items()}
    continuous = mm.ContinuousFeatures.from_schema(SCHEMA, tags=Tags.CONTINUOUS)
    assert _shapes(continuous(batch)) == dict.fromkeys(CONTINUOUS, (5, 1))
    deep_continuous = continuous.connect(mm.MLPBlock([64]))
    assert tuple(deep_continuous(batch).shape) == (5, 64)
    embeddings = mm.EmbeddingFeatures.from_schema(SCHEMA)
    assert _shapes(embeddings(batch)) == dict.fromkeys(SIZES, (5, 64))

    inputs = mm.ParallelBlock({"embeddings": embeddings, "deep_continuous": deep_continuous})
    vectors = inputs(batch)
    assert _shapes(vectors) == dict.fromkeys([*SIZES, "deep_continuous"], (5, 64))
    interaction = inputs.connect_with_shortcut(
        mm.DotProductInteractionBlock(), shortcut_filter=mm.Filter("deep_continuous"), aggregation="concat"
    )
    # the projected features themselves, then the 10 products of 5 vectors, in alphabetical order of their names
    output = interaction(batch).numpy()
    assert output.shape == (5, 74)
    np.testing.assert_array_equal(output[:, :64], vectors["deep_continuous"])
    product = np.sum(vectors["deep_continuous"] * vectors["gender"], axis=1)
    np.testing.assert_allclose(output[:, 64], product, rtol=1e-5, atol=1e-7)

    model = mm.Model(interaction.connect(mm.MLPBlock([64, 128, 512])), mm.BinaryOutput("rating_binary"))
    assert model.blocks[0](batch).shape[-1] == 512
    model.compile("adam")
    data = tf.data.Dataset.from_tensors(_rows(1024))
    assert model.fit(data.repeat(20), epochs=1, verbose=0).history["auc"][0] > 0.6
    assert model.evaluate(data, return_dict=True, verbose=0)["auc"] > 0.9
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(mm.Model.load(tmp_path / "model.keras")(batch), model(batch))
