"""Lists that stay lists."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError

ROWS = np.array([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]], "float32")


def _block(**kwargs):
    items = mm.TableConfig(3, 2, initializer=mm.TensorInitializer(ROWS), name="items")
    config = {"seen": mm.FeatureConfig(items), "bought": mm.FeatureConfig(items)}
    return mm.SequenceEmbeddingFeatures(config, **kwargs)


def test_every_element_has_a_vector():
    ids = tf.constant([[1, 2, 0]])
    found = _block()({"seen": ids, "bought": tf.RaggedTensor.from_row_lengths([2, 1], [2])})
    np.testing.assert_array_equal(found["seen"], ROWS[[[1, 2, 0]]])
    assert found["bought"].to_list() == [[[2.0, 2.5], [1.0, 1.5]]]


def test_other_features_pass_by():
    assert list(_block()({"seen": tf.constant([[1, 2]]), "age": tf.constant([[3.0]])})) == ["seen"]


def test_padding_is_masked():
    batch = {"seen": tf.constant([[1, 2, 0]]), "bought": tf.constant([[2, 0, 0]])}
    masks = _block().compute_mask(batch)
    assert masks["seen"].numpy().tolist() == [[True, True, False]]
    assert masks["bought"].numpy().tolist() == [[True, False, False]]
    assert _block(padding_idx=2).compute_mask(batch)["bought"].numpy().tolist() == [[False, True, True]]
    assert _block(mask_zero=False).compute_mask(batch) is None
    assert _block(aggregation="concat").compute_mask(batch).numpy().tolist() == [[True, True, False]]


def test_a_mask_reaches_the_next_layer():
    batch = {"seen": tf.constant([[1, 2, 0]]), "bought": tf.constant([[2, 0, 0]])}
    mean = mm.SequenceAggregator("masked_mean")
    # Side by side, the vectors of 1 and 2 after those of 2 and 0; the third position counts for neither.
    found = mean(_block(aggregation="concat")(batch))
    np.testing.assert_allclose(found, [[1.0, 1.5, 1.5, 2.0]])
    # A concatenation of its own hands the mask on too, and so does a sum.
    np.testing.assert_allclose(_block().connect(mm.ConcatFeatures(), mean)(batch), [[1.0, 1.5, 1.5, 2.0]])
    np.testing.assert_allclose(_block().connect(mm.ElementwiseSum(), mean)(batch), [[2.5, 3.5]])


def test_lookup_of_one_feature():
    block = _block()
    block({"seen": tf.constant([[1, 2]])})
    np.testing.assert_array_equal(block.lookup_feature("bought", tf.constant([[2, 1]])), ROWS[[[2, 1]]])


def test_shapes():
    shapes = {"seen": (None, 5), "bought": (None, None)}
    assert _block(aggregation="concat").compute_call_output_shape(shapes) == {
        "bought": (None, None, 2),
        "seen": (None, 5, 2),
    }
    pooled = mm.EmbeddingFeatures({"seen": mm.FeatureConfig(mm.TableConfig(3, 2))}, aggregation="concat")
    assert pooled.compute_call_output_shape(shapes) == {"seen": (None, 2)}


def test_tables_of_a_schema():
    schema = Schema(
        [
            mm.create_categorical_column("seen", 2, tags=[Tags.SEQUENCE], max_value_count=4),
            mm.create_continuous_column("age"),
        ]
    )
    block = mm.SequenceEmbeddingFeatures.from_schema(schema, mm.EmbeddingOptions(embedding_dim_default=2))
    assert tuple(block({"seen": tf.constant([[1, 2, 0]]), "age": tf.constant([[1.0]])})["seen"].shape) == (1, 3, 2)
    assert mm.SequenceEmbeddingFeatures.from_schema(schema.select_by_name(["age"])) is None
    with pytest.raises(SchemaError, match="SequenceEmbeddingFeatures finds nothing to embed"):
        mm.SequenceEmbeddingFeatures.from_schema(schema.select_by_name(["age"]), allow_none=False)


def test_padding_that_is_no_id():
    with pytest.raises(ConfigError, match="SequenceEmbeddingFeatures: padding_idx; expected an id from 0, got -1"):
        _block(padding_idx=-1)
