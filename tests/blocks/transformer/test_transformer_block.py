"""Attention masks, training objectives and learning of transformer blocks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from emrys.blocks.sequences.masked_positions import masked_positions
from emrys.blocks.transformer.transformer_layer import TransformerLayer

NUMBER = 12
COLUMN = mm.create_categorical_column(
    "items", NUMBER, tags=[Tags.ITEM_ID, Tags.SEQUENCE], dtype="int64", min_value_count=0, max_value_count=8
)
SCHEMA = Schema([COLUMN])
SMALL = {"d_model": 4, "n_head": 2, "n_layer": 2, "initializer_range": 0.5}


def _vectors(*lengths: int) -> tf.RaggedTensor:
    values = np.random.default_rng(0).normal(size=(sum(lengths), 4)).astype("float32")
    return tf.RaggedTensor.from_row_lengths(values, lengths)


def _changed(block: Any, row: Any, place: int) -> list[bool]:
    """Which outputs of a row of 4 differ once the element at `place` is another."""
    other = row.numpy()
    other[0, place, 0] += 1.0  # one value alone: a normalization takes off what is added to all
    differences = np.abs(block(tf.constant(other)) - block(row)).sum(axis=-1)
    return (differences[0] > 1e-5).tolist()


@pytest.mark.parametrize("make", [mm.GPT2Block, lambda **sizes: mm.TransformerBlock(**sizes, causal=True)])
def test_causal_blocks_do_not_see_what_comes_later(make):
    block = make(**SMALL)
    row = _vectors(4).to_tensor()
    assert _changed(block, row, 2) == [False, False, True, True]


@pytest.mark.parametrize("make", [mm.BertBlock, mm.RobertaBlock, mm.AlbertBlock, mm.TransformerBlock])
def test_other_blocks_look_both_ways(make):
    assert _changed(make(**SMALL), _vectors(4).to_tensor(), 2) == [True] * 4


@pytest.mark.parametrize("predicts", [None, "next", "masked"])
@pytest.mark.parametrize("make", [mm.GPT2Block, mm.BertBlock])
def test_longer_padding_changes_nothing(make, predicts):
    block = make(**SMALL, predicts=predicts)
    short, long = _vectors(2, 3), tf.concat([_vectors(2, 3), _vectors(6)], axis=0)
    expected = block(short)
    result = block(long)[:2]
    if predicts is None:
        np.testing.assert_allclose(result.flat_values, expected.flat_values, atol=1e-5)
        assert result.row_lengths().numpy().tolist() == [2, 3]
    else:
        np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("predicts", ["next", "masked"])
def test_padding_may_be_on_either_side_of_dense_rows(predicts):
    block = mm.BertBlock(**SMALL, predicts=predicts)
    rows = _vectors(2, 3)
    expected = block(rows)
    right = tf.pad(rows.to_tensor(), [[0, 0], [0, 2], [0, 0]], constant_values=9.0)
    mask = tf.sequence_mask([2, 3], 5)
    np.testing.assert_allclose(block(right, mask=mask), expected, atol=1e-5)
    left = tf.reverse_sequence(right, [2, 3], seq_axis=1)  # each row's elements backwards, so that the next line
    left = tf.reverse(left, [1])  # gives them in order again, behind the padding
    np.testing.assert_allclose(block(left, mask=tf.reverse(mask, [1])), expected, atol=1e-5)


def test_next_gives_the_vector_of_the_last_element():
    block = mm.GPT2Block(**SMALL)
    rows = _vectors(2, 0, 3)
    every = block(rows).to_list()
    block.set_predicts("next")
    np.testing.assert_allclose(block(rows), [every[0][-1], [0.0] * 4, every[2][-1]], atol=1e-6)
    # In training and testing there is a vector for every element.
    assert block(rows, testing=True).row_lengths().numpy().tolist() == [2, 0, 3]


def test_masked_puts_a_hidden_element_behind_the_row():
    block = mm.BertBlock(**SMALL, predicts="masked")
    rows = _vectors(2, 3)
    served = block(rows)
    longer = tf.concat([rows, tf.RaggedTensor.from_row_lengths(tf.ones((2, 4)), [1, 1])], axis=1)
    hidden = tf.ragged.constant([[False, False, True], [False, False, False, True]])
    result = block(longer, features={"items__hidden": hidden})
    np.testing.assert_allclose(served, [result[0][-1], result[1][-1]], atol=1e-5)


def test_hidden_elements_are_not_seen():
    block = mm.BertBlock(**SMALL, predicts="masked")
    rows = _vectors(3)
    features = {"items__hidden": tf.ragged.constant([[False, True, False]])}
    other = rows.with_values(rows.values + tf.constant([[0.0], [5.0], [0.0]]))
    np.testing.assert_array_equal(
        block(rows, features=features).flat_values, block(other, features=features).flat_values
    )


def test_layers_are_one_in_albert():
    alone, several = (mm.AlbertBlock(4, 2, number) for number in (1, 3))
    for block in (alone, several):
        block.build((None, None, 4))
    assert len(several.weights) == len(alone.weights)
    # A layer: 4 x (4 x 4 + 4) of attention, 4 x 16 + 16 and 16 x 4 + 4 of the inner network, 2 x 8 of normalizations.
    layer = TransformerLayer(4, 2)
    layer.build((None, None, 4))
    assert layer.count_params() == 80 + 80 + 68 + 16


def test_gradients_reach_every_weight():
    block = mm.BertBlock(**SMALL, predicts="masked")
    rows = _vectors(2, 3)
    hidden = {"items__hidden": tf.ragged.constant([[False, True], [True, False, False]])}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(block(rows, features=hidden, training=True).flat_values - 1.0))
    gradients = tape.gradient(loss, [weight.value for weight in block.trainable_weights])
    assert [
        weight.path for weight, result in zip(block.trainable_weights, gradients, strict=True) if result is None
    ] == []


def test_arguments():
    with pytest.raises(ConfigError, match="n_head; expected a divisor of d_model=4, got 3"):
        mm.TransformerBlock(4, 3, 1)
    with pytest.raises(ConfigError, match="n_layer; expected a whole number above 0, got 0"):
        mm.GPT2Block(4, 2, 0)
    with pytest.raises(ConfigError, match="predicts; expected one of None, 'next', 'masked', got 'last'"):
        mm.GPT2Block(4, 2, 1, predicts="last")
    with pytest.raises(ConfigError, match=r"takes lists of vectors of size 4; expected shape \(B, L, 4\), got"):
        mm.GPT2Block(4, 2, 1)(tf.ones((1, 2, 3)))


@pytest.mark.parametrize("make", [mm.GPT2Block, mm.BertBlock])
@pytest.mark.parametrize("predicts", [None, "next", "masked"])
class TestLongSequences:
    """Rows of 5 and 2 elements, for a block with 3 positions: it encodes the last 3 and both."""

    def _block(self, make, predicts):
        return make(**SMALL, max_position_embeddings=3, predicts=predicts)

    def _expected(self, block, rows):
        kept = 2 if block.predicts == "masked" else 3  # the hidden element that is appended takes a position
        return block(rows[:, -kept:])

    @pytest.mark.slow
    def test_ragged(self, make, predicts):
        block, rows = self._block(make, predicts), _vectors(5, 2)
        expected = self._expected(block, rows)
        for result in (block(rows), tf.function(lambda batch: block(batch))(rows)):
            if predicts is None:
                assert result.row_lengths().numpy().tolist() == [3, 2]
                np.testing.assert_allclose(result.flat_values, expected.flat_values, atol=1e-5)
            else:
                np.testing.assert_allclose(result, expected, atol=1e-5)

    @pytest.mark.parametrize("side", ["right", "left"])
    def test_dense_with_padding(self, make, predicts, side):
        block, rows = self._block(make, predicts), _vectors(5, 2)
        expected = self._expected(block, rows)
        dense, mask = rows.to_tensor(), tf.sequence_mask([5, 2], 5)
        if side == "left":
            dense = tf.reverse_sequence(dense, [5, 2], seq_axis=1)[:, ::-1]
            mask = mask[:, ::-1]
        result = block(dense, mask=mask)
        if predicts is None:
            assert result.shape == (2, 3, 4)
            np.testing.assert_allclose(result[0], expected[0], atol=1e-5)
            np.testing.assert_allclose(result[1, :2], expected[1], atol=1e-5)  # padding comes last
        else:
            np.testing.assert_allclose(result, expected, atol=1e-5)

    def test_shape(self, make, predicts):
        shape = self._block(make, predicts).compute_output_shape((None, 5, 4))
        assert shape == ((None, 3, 4) if predicts is None else (None, 4))


class TestLongSequencesAndTheirTargets:
    """The outputs cut targets and masks as the transformer cuts the vectors."""

    VECTORS = tf.constant([[[3.0], [4.0], [5.0]], [[1.0], [2.0], [0.0]]])  # of rows of 5 and 2 elements
    TARGET = tf.ragged.constant([[11, 12, 13, 14, 15], [21, 22]])
    MASK = tf.ragged.constant([[True, False, True, False, True], [False, True]])

    def _ragged(self, values):
        return tf.RaggedTensor.from_tensor(values, lengths=[3, 2])

    def test_ragged(self):
        features = {"items__hidden": self.MASK}
        found = masked_positions(self._ragged(self.VECTORS), self.TARGET, features, "items", "out")
        assert found.vectors.numpy().tolist() == [[3.0], [5.0], [2.0]]
        assert found.targets.numpy().tolist() == [[13], [15], [22]]
        assert found.rows.numpy().tolist() == [0, 0, 1]

    def test_dense(self):
        features = {"items__hidden": self.MASK.to_tensor()}
        found = masked_positions(self.VECTORS, self.TARGET.to_tensor(), features, "items", "out")
        assert found.vectors.numpy().tolist() == [[3.0], [5.0], [2.0]]
        assert found.targets.numpy().tolist() == [[13], [15], [22]]

    def test_one_target_a_row(self):
        last = tf.ragged.constant([[False] * 4 + [True], [False, True]])
        target = tf.constant([[16], [23]])
        for vectors, mask in ((self._ragged(self.VECTORS), last), (self.VECTORS, last.to_tensor())):
            found = masked_positions(vectors, target, {"items__predicted": mask}, "items", "out")
            assert found.vectors.numpy().tolist() == [[5.0], [2.0]]
            assert found.targets.numpy().tolist() == [[16], [23]]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("make", "transform"),
        [
            (mm.GPT2Block, mm.SequencePredictNext),
            (mm.BertBlock, mm.SequencePredictLast),
            (mm.BertBlock, mm.SequenceMaskRandom),
        ],
    )
    @pytest.mark.parametrize("dense", [False, True])
    def test_a_model_gives_for_long_rows_what_it_gives_for_their_ends(self, make, transform, dense):
        table = mm.Embeddings(SCHEMA, dim=4, sequence_combiner=None)
        block = make(**SMALL, max_position_embeddings=3, dropout=0.0)
        output = mm.CategoricalOutput(COLUMN, default_loss="categorical_crossentropy")
        model = mm.Model(mm.InputBlockV2(SCHEMA, categorical=table), block, output)
        model.compile(run_eagerly=False, optimizer=keras.optimizers.SGD(0.0))
        rows = {"items": tf.ragged.constant([[1, 2, 3, 4, 5, 6], [7, 8]], dtype="int64")}
        pre = transform(SCHEMA, "items", transformer=block, pre=None)
        data = tf.data.Dataset.from_tensors((mm.ListToDense(8)(rows) if dense else rows, {}))
        losses = model.fit(data, epochs=1, pre=pre, verbose=0).history["loss"]
        assert np.isfinite(losses).all()
        # 3 positions: the elements before the last three (2 beside an appended hidden one) change nothing.
        other = {"items": tf.ragged.constant([[9, 9, 9, 4, 5, 6], [7, 8]], dtype="int64")}
        np.testing.assert_allclose(model(rows), model(other), atol=1e-5)


def test_batches_that_the_block_is_not_trained_for():
    rows, mask = _vectors(2), tf.ragged.constant([[False, True]])
    target = {"items": tf.ragged.constant([[[1], [2]]], ragged_rank=1)}
    with pytest.raises(
        ConfigError, match="is not trained for a batch with hidden elements; expected predicts='masked'"
    ):
        mm.BertBlock(4, 2, 1)(rows, features={"items__hidden": mask})
    with pytest.raises(ConfigError, match="is not trained for a batch without hidden elements; expected predicts=None"):
        mm.BertBlock(4, 2, 1, predicts="masked")(rows, features={"items__predicted": mask})
    with pytest.raises(ConfigError, match="attends to the next element, which is the target of SequencePredictNext"):
        mm.BertBlock(4, 2, 1)(rows, features={"items__predicted": mask}, targets=target)
    block = mm.BertBlock(4, 2, 1)
    block.build((None, None, 4))
    with pytest.raises(
        ConfigError, match="is built for another training objective; expected predicts='masked', got predicts=None"
    ):
        block.set_predicts("masked")


def _rows(number: int, seed: int, longest: int = 6) -> dict[str, tf.RaggedTensor]:
    """Rows in which item i is followed by i + 1, and the last item by 1."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(3, longest + 1, number)
    rows = [
        (start + np.arange(length)) % NUMBER + 1
        for start, length in zip(draw.integers(0, NUMBER, number), lengths, strict=True)
    ]
    return {"items": tf.RaggedTensor.from_row_lengths(np.concatenate(rows).astype("int64"), lengths)}


MODES = {
    "causal": (mm.GPT2Block, mm.SequencePredictNext, mm.SequencePredictLast, {}),
    "masked": (mm.BertBlock, mm.SequenceMaskRandom, mm.SequenceMaskLast, {"masking_prob": 0.3}),
    "last": (mm.BertBlock, mm.SequencePredictLast, mm.SequencePredictLast, {}),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.slow
def test_model_learns_what_comes_next(mode, tmp_path):
    make, trained_by, tested_by, arguments = MODES[mode]
    keras.utils.set_random_seed(1)
    inputs = mm.InputBlockV2(SCHEMA, categorical=mm.Embeddings(SCHEMA, dim=16, sequence_combiner=None))
    table = inputs.select_by_name("items")
    transformer = make(16, 2, 1, dropout=0.0, layer_norm_eps=1e-6, initializer_range=0.1)
    model = mm.Model(inputs, transformer, mm.CategoricalOutput(table))
    model.compile(keras.optimizers.Adam(0.02))
    data = tf.data.Dataset.from_tensor_slices(_rows(256, 0)).batch(64).repeat(40)
    model.fit(data, verbose=0, pre=trained_by(SCHEMA, "items", transformer=transformer, **arguments))

    held = _rows(64, 1, longest=5)  # a hidden element behind a row is then at a place that training had
    batches = tf.data.Dataset.from_tensor_slices(held).batch(32)
    metrics = model.evaluate(
        batches, verbose=0, return_dict=True, pre=tested_by(SCHEMA, "items", transformer=transformer)
    )
    assert metrics["mrr_at_10"] > 0.9
    # Serving takes whole rows, and says what comes after them.
    served = model(held).numpy()
    assert served.shape == (64, NUMBER + 1)
    last = np.array([row[-1] for row in held["items"].to_list()])
    assert np.mean(served.argmax(axis=1) == last % NUMBER + 1) > 0.9

    model.save(tmp_path / "model.keras")
    again = mm.Model.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(held), served)
    # The table is one: items are scored by their embeddings.
    assert len(again.weights) == len(model.weights)
    assert sum(weight.shape == (NUMBER + 1, 16) for weight in again.weights) == 1


def test_sample_weights_of_rows_weigh_their_elements():
    output = mm.CategoricalOutput(COLUMN, default_loss="sparse_categorical_crossentropy")
    output.build((None, None, 4))
    target = {"items": tf.ragged.constant([[[1], [2]], [[3]]], ragged_rank=1)}
    result = output(_vectors(2, 1), training=True, targets=target, features={})
    assert result.outputs.shape == (3, NUMBER + 1)
    assert result.targets.numpy().tolist() == [[1], [2], [3]]
    weighted = output.weighted(result, tf.constant([[5.0], [7.0]]))
    assert weighted.sample_weight.numpy().tolist() == [[5.0], [5.0], [7.0]]


def test_only_predicted_elements_are_metrics():
    output = mm.CategoricalOutput(COLUMN)
    rows = _vectors(2, 1, 2)
    mask = tf.ragged.constant([[False, True], [False], [True, False]])
    target = {"items": tf.ragged.constant([[[1], [2]], [[3]], [[4], [5]]], ragged_rank=1)}
    result = output(rows, training=True, targets=target, features={"items__hidden": mask})
    assert result.targets.numpy().tolist() == [[2], [4]]
    np.testing.assert_allclose(result.outputs, tf.gather(output(rows).flat_values, [1, 3]), rtol=1e-5)
    # One target a row, where the mask names one of each: the second row has none left.
    result = output(rows, training=True, targets=tf.constant([[7], [8], [9]]), features={"items__predicted": mask})
    assert result.targets.numpy().tolist() == [[7], [9]]
    dense = output(
        rows.to_tensor(),
        testing=True,
        targets={"items": target["items"].to_tensor()},
        features={"items__hidden": mask.to_tensor()},
    )
    assert dense.targets.numpy().tolist() == [[2], [4]]


def test_one_target_a_row_needs_one_vector_a_row():
    with pytest.raises(ConfigError, match="has a vector for every element of a list, but one target per row"):
        mm.CategoricalOutput(COLUMN)(_vectors(2, 1), training=True, targets=tf.constant([[1], [2]]), features={})
