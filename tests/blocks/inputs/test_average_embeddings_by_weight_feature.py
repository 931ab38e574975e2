from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from tests import golden
from tests.blocks.checks import check_block

EMBEDDINGS = np.array([[[1.0], [5.0]]], "float32")


@keras.saving.register_keras_serializable("emrys-tests")
class Weighted(mm.Block):
    """Embeds the genres of a batch and averages them by its weights."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(3)
        self.mean = mm.AverageEmbeddingsByWeightFeature("weight")

    def build(self, input_shape):
        self.dense.build(input_shape["vectors"])
        self.mean.build((*input_shape["vectors"][:2], 3))
        self.built = True

    def call(self, inputs):
        return self.mean(self.dense(inputs["vectors"]), features=inputs)

    def compute_output_shape(self, input_shape):
        return (input_shape["vectors"][0], 3)


@pytest.mark.parametrize("case", golden.cases("interactions", "AverageEmbeddingsByWeightFeature"))
def test_golden(case):
    layer, given = mm.AverageEmbeddingsByWeightFeature(**case.args), golden.tensors(case.inputs)
    if case.raises:
        with pytest.raises(ValueError, match="needs weights as ragged as the embeddings; expected ragged, got dense"):
            layer.call(given["inputs"], features=given["features"])
        return
    golden.assert_close(layer(given["inputs"], features=given["features"]), case.outputs["output"])
    if "output_with_3d_weights" in case.outputs:
        features = {name: tf.expand_dims(value, -1) for name, value in given["features"].items()}
        golden.assert_close(layer(given["inputs"], features=features), case.outputs["output_with_3d_weights"])


@pytest.mark.parametrize(
    "case", golden.cases("interactions", "AverageEmbeddingsByWeightFeature.from_schema_convention")
)
def test_golden_convention(case):
    schema = golden.schema(case.args["schema_columns"])
    suffix = case.args["weight_features_name_suffix"]
    combiners = mm.AverageEmbeddingsByWeightFeature.from_schema_convention(schema, suffix)
    assert set(combiners) == set(case.outputs)
    assert combiners["item_seq"].weight_feature_name == "item_seq_weight"
    # a plain mean: (1 + 5) / 2
    assert combiners["cat_seq"](EMBEDDINGS).numpy().tolist() == [[3.0]]


@pytest.mark.slow
def test_check(tmp_path):
    draw = np.random.default_rng(1)
    batch = {
        "vectors": tf.constant(draw.random((4, 3, 2)), "float32"),
        "weight": tf.constant(draw.random((4, 3)), "float32"),
    }
    check_block(Weighted, batch, tmp_path)
    layer = mm.AverageEmbeddingsByWeightFeature("w", axis=2)
    assert layer.get_config()["weight_feature_name"] == "w"
    assert type(layer).from_config(layer.get_config()).axis == 2


def test_used_wrongly():
    layer = mm.AverageEmbeddingsByWeightFeature("w")
    with pytest.raises(SchemaError, match=r"column 'w': .* finds no weights in the batch; got v"):
        layer.call(EMBEDDINGS, features={"v": EMBEDDINGS})
    with pytest.raises(SchemaError, match="finds no weights in the batch; got no features"):
        layer.call(EMBEDDINGS)
    lists = tf.RaggedTensor.from_row_lengths(EMBEDDINGS[0], [1, 1])
    with pytest.raises(ConfigError, match="axis; expected 1 for ragged embeddings, got 2"):
        mm.AverageEmbeddingsByWeightFeature("w", axis=2).call(lists, features={"w": lists})
    other = tf.ragged.constant([[1.0, 1.0], []])
    with pytest.raises(tf.errors.InvalidArgumentError, match="lists and their weights differ in length"):
        layer(lists, features={"w": other})


def test_an_empty_list_gives_zeros():
    # (3 * 1 + 1 * 5) / 4 = 2
    vectors = tf.RaggedTensor.from_row_lengths([[1.0], [5.0]], [0, 2])
    weights = tf.RaggedTensor.from_row_lengths([3.0, 1.0], [0, 2])
    layer = mm.AverageEmbeddingsByWeightFeature("w")
    assert layer(vectors, features={"w": weights}).numpy().tolist() == [[0.0], [2.0]]
