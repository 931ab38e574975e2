"""Scores corrected by how frequent items are."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from tests import golden

SCHEMA = Schema([mm.create_categorical_column("item_id", num_items=5, tags=[Tags.ITEM_ID], dtype="int64")])
FREQUENCIES = [10, 20, 30, 5, 5, 30]


@pytest.mark.parametrize("case", golden.cases("interactions", "PopularityLogitsCorrection"))
def test_golden(case):
    options = {name: case.args[name] for name in ("item_freq_probs", "reg_factor")}
    correction = mm.PopularityLogitsCorrection(**options, schema=SCHEMA)
    golden.assert_close(correction.get_candidate_probs(), case.outputs["candidate_probs"])
    inputs = golden.tensors(case.inputs)
    scores = mm.Prediction(inputs["logits"], negative_candidate_ids=inputs["negative_candidate_ids"])
    for layer in (correction, _again(correction)):
        found = layer(scores, features={"item_id": inputs["item_id"]}, training=True)
        golden.assert_close(found.outputs, case.outputs["logits"])
    assert correction(scores, features={}, testing=True).outputs is scores.outputs


def _again(layer):
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))


def test_behind_an_output_it_is_its_correction():
    batch = {"query": np.float32([[1.0, 2.0], [0.5, 1.0]]), "candidate": np.float32([[1.0, 0.0], [0.0, 3.0]])}
    ids = {"item_id": np.array([[1], [3]])}
    options = {"schema": SCHEMA, "store_negative_ids": True}
    behind = mm.ContrastiveOutput(
        mm.DotProduct(), "in-batch", post=mm.PopularityLogitsCorrection(FREQUENCIES, schema=SCHEMA), **options
    )
    sampler = mm.InBatchSamplerV2(item_freq_probs=FREQUENCIES)
    inside = mm.ContrastiveOutput(mm.DotProduct(), sampler, logq_sampling_correction=True, **options)
    found = behind(batch, features=ids, training=True).outputs.numpy()
    expected = inside(batch, features=ids, training=True).outputs.numpy()
    shown = expected > -600  # false negatives are down-scored before, or after, the correction
    assert shown.sum() == 4
    np.testing.assert_allclose(found[shown], expected[shown], rtol=1e-5)


def test_the_positives_may_be_targets():
    output = mm.ContrastiveOutput(
        mm.EmbeddingTable(1, SCHEMA["item_id"], weights=np.ones((6, 1))),
        "in-batch",
        post=mm.PopularityLogitsCorrection(FREQUENCIES, schema=SCHEMA),
        store_negative_ids=True,
    )
    found = output(np.float32([[2.0], [3.0]]), targets={"item_id": np.array([[2], [0]])}, training=True).outputs
    # p of 2 is 0.3 and of 0 is 0.1: -ln p is 1.203973 and 2.302585
    np.testing.assert_allclose(found[:, 0], [2 + 1.203973, 3 + 2.302585], rtol=1e-5)


def test_updates_are_kept():
    correction = mm.PopularityLogitsCorrection(schema=SCHEMA)
    np.testing.assert_allclose(correction.get_candidate_probs(), np.full(6, 1 / 6), rtol=1e-6)
    correction.update([0.5, 0.5, 0, 0, 0, 0], is_prob_distribution=True)
    np.testing.assert_allclose(_again(correction).get_candidate_probs(), [0.5, 0.5, 0, 0, 0, 0])


def test_from_a_file(tmp_path):
    pd.DataFrame({"item_id_size": FREQUENCIES}).to_parquet(tmp_path / "items.parquet")
    found = mm.PopularityLogitsCorrection.from_parquet(tmp_path / "items.parquet", "item_id_size", schema=SCHEMA)
    np.testing.assert_allclose(found.get_candidate_probs(), np.array(FREQUENCIES) / 100, rtol=1e-6)
    with pytest.raises(ConfigError, match=r"column 'size': no frequencies in the file; .* got item_id_size"):
        mm.PopularityLogitsCorrection.from_parquet(tmp_path / "items.parquet", "size", schema=SCHEMA)


def test_errors():
    with pytest.raises(ConfigError, match="item_freq_probs; expected 6 numbers, one for each id, got 2"):
        mm.PopularityLogitsCorrection([1, 2], schema=SCHEMA)
    with pytest.raises(SchemaError, match=r"expected a column tagged .*, got no schema"):
        mm.PopularityLogitsCorrection([1, 2])
    scores = mm.Prediction(np.float32([[1.0, 2.0]]))
    with pytest.raises(ConfigError, match=r"finds no ids of the negatives. Give the output store_negative_ids=True"):
        mm.PopularityLogitsCorrection(schema=SCHEMA)(scores, features={"item_id": np.array([[1]])}, training=True)


class TestFirstGeneration:
    CORRECTION = mm.PopularityLogitsCorrection(np.arange(1, 7), schema=SCHEMA)  # the item i has (i + 1) of 21
    LOGITS = np.arange(6.0, dtype="float32").reshape(2, 3)

    def test_with_ids(self):
        outputs = mm.PredictionOutput(self.LOGITS, None, np.array([1, 2]), negative_item_ids=np.array([4, 5]))
        found = self.CORRECTION.call_outputs(outputs)
        np.testing.assert_allclose(
            found.predictions, self.LOGITS - np.log([[2 / 21, 5 / 21, 6 / 21], [3 / 21, 5 / 21, 6 / 21]]), rtol=1e-6
        )
        assert self.CORRECTION.call_outputs(outputs, training=False).predictions is outputs.predictions

    def test_without_ids_of_negatives(self):
        one = mm.PredictionOutput(self.LOGITS[:, :1], None, np.array([1, 2]))
        np.testing.assert_allclose(
            self.CORRECTION.call_outputs(one).predictions, [[-np.log(2 / 21)], [3 - np.log(3 / 21)]], rtol=1e-6
        )
        # as released Merlin Models 23.12 gives: each column is an item of the batch
        square = mm.PredictionOutput(self.LOGITS[:, :2], None, np.array([1, 2]))
        np.testing.assert_allclose(
            self.CORRECTION.call_outputs(square).predictions, self.LOGITS[:, :2] - np.log([2 / 21, 3 / 21]), rtol=1e-6
        )
        with pytest.raises(ConfigError, match="finds no ids of the negatives"):
            self.CORRECTION.call_outputs(mm.PredictionOutput(self.LOGITS, None, np.array([1, 2])))

    def test_without_any_ids(self):
        outputs = mm.PredictionOutput(self.LOGITS)
        assert self.CORRECTION.call_outputs(outputs).predictions is self.LOGITS
