from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError

SCHEMA = Schema([ColumnSchema(name, dtype="float32", tags=[Tags.EMBEDDING]) for name in ("image", "images")])
BATCH = {
    "image": tf.constant([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]]),
    # [[3, 4], [1, 0]] and []
    "images": tf.RaggedTensor.from_row_lengths(tf.constant([[3.0, 4.0], [1.0, 0.0]]), [2, 0]),
}


def _values(outputs):
    return {name: value.numpy().round(4).tolist() for name, value in outputs.items()}


@pytest.mark.parametrize(
    ("combiner", "expected"),
    [("mean", [[2, 2], [0, 0]]), ("sum", [[4, 4], [0, 0]]), ({"images": "sum"}, [[4, 4], [0, 0]])],
)
def test_lists_are_combined(combiner, expected):
    outputs = mm.PretrainedEmbeddings(SCHEMA, sequence_combiner=combiner)(BATCH)
    assert _values(outputs) == {"image": [[3, 4, 0], [0, 0, 2]], "images": expected}


def test_a_layer_combines():
    outputs = mm.PretrainedEmbeddings(SCHEMA, sequence_combiner=mm.SequenceAggregator("max"))(BATCH)
    assert _values(outputs)["images"] == [[3, 4], [0, 0]]


def test_lists_stay_lists():
    outputs = mm.PretrainedEmbeddings(SCHEMA, sequence_combiner=None)(BATCH)
    assert outputs["images"].to_list() == [[[3, 4], [1, 0]], []]


def test_the_last_output_is_normalised():
    # the mean (2, 2) has the length 2.83, so that the normalised one is (0.71, 0.71)
    outputs = mm.PretrainedEmbeddings(SCHEMA, normalizer="l2-norm")(BATCH)
    assert _values(outputs) == {
        "image": [[pytest.approx(0.6), pytest.approx(0.8), 0], [0, 0, 1]],
        "images": [[pytest.approx(0.7071)] * 2, [0, 0]],
    }
    projected = mm.PretrainedEmbeddings(SCHEMA, output_dims=5, normalizer=mm.L2Norm())(BATCH)
    np.testing.assert_allclose(np.linalg.norm(projected["image"], axis=1), [1, 1], rtol=1e-5)


def test_projection():
    block = mm.PretrainedEmbeddings(SCHEMA, output_dims={"image": 1})
    block.build({"image": (None, 3), "images": (None, None, 2)})
    block.set_weights([np.array([[1.0], [10.0], [100.0]]), np.array([0.5])])
    # 3 + 40 + 0.5 and 200 + 0.5
    assert _values(block(BATCH)) == {"image": [[43.5], [200.5]], "images": [[2, 2], [0, 0]]}


def test_each_column_has_a_normalizer_of_its_own():
    block = mm.PretrainedEmbeddings(SCHEMA, normalizer=keras.layers.LayerNormalization())
    block(BATCH)
    assert sorted(tuple(weight.shape) for weight in block.weights) == [(2,), (2,), (3,), (3,)]


def test_used_wrongly():
    with pytest.raises(SchemaError, match="PretrainedEmbeddings finds no columns; expected columns tagged EMBEDDING"):
        mm.PretrainedEmbeddings(Schema([]))
    with pytest.raises(ConfigError, match="PretrainedEmbeddings: normalizer: unknown block 'l3-norm'"):
        mm.PretrainedEmbeddings(SCHEMA, normalizer="l3-norm")
    with pytest.raises(ConfigError, match=r"sequence_combiner; expected None, a layer or one of 'mean', .* got 'min'"):
        mm.PretrainedEmbeddings(SCHEMA, sequence_combiner="min")
    with pytest.raises(ConfigError, match="output_dim; expected a whole number above 0, got 0"):
        mm.PretrainedEmbeddings(SCHEMA, output_dims=0)
    with pytest.raises(SchemaError, match=r"column 'image': .* does not find its column; got images"):
        mm.PretrainedVectors(SCHEMA["image"]).build({"images": (None, None, 2)})
    with pytest.raises(SchemaError, match=r"takes vectors of one size; expected shape \(B, D\) or .* got \(None,\)"):
        mm.PretrainedVectors(SCHEMA["image"]).build({"image": (None,)})
