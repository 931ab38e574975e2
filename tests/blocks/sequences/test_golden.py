"""Sequence transforms give what the released library gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import DataError, SchemaError
from tests import golden

NAMES = (
    "SequencePredictNext",
    "SequencePredictLast",
    "SequenceTargetAsInput",
    "SequenceMaskLast",
)
RANDOM = ("SequencePredictRandom", "SequenceMaskRandom")


def _layer(case: golden.Case, **kwargs: Any) -> Any:
    arguments = {**case.args, **kwargs}
    return getattr(mm, case.name)(golden.schema(arguments.pop("schema")), **arguments)


def _split(layer: Any, result: mm.Prediction) -> tuple[dict[str, Any], Any]:
    """The features without the mask, and the mask."""
    features = dict(result.outputs)
    return features, None if layer.mask_name is None else features.pop(layer.mask_name)


@pytest.mark.parametrize("case", golden.cases("transforms", *NAMES, where=lambda case: "inputs" in case.outputs))
def test_inputs_targets_and_masks(case):
    layer = _layer(case)
    batch = golden.tensors(case.inputs)
    result = layer(batch["inputs"], targets=batch.get("targets"))
    features, mask = _split(layer, result)
    golden.assert_close(features, case.outputs["inputs"], dtype=True)
    golden.assert_close(result.targets, case.outputs["targets"], dtype=True)
    # One mask for all sequences. In one case the released library has it at another target than the sequence.
    for stated in (*case.outputs["inputs_mask"].values(), *case.outputs["targets_mask"].values()):
        if stated is not None:
            golden.assert_close(mask, stated, dtype=True)
    assert (mask is None) == all(stated is None for stated in case.outputs["inputs_mask"].values())


@pytest.mark.parametrize(
    "case",
    golden.cases("transforms", "SequenceMaskLast", "SequenceMaskRandom", where=lambda case: case.raises),
)
def test_rows_of_one_item_cannot_be_masked(case):
    with pytest.raises(DataError, match=r"a sequence of item_seq is too short; expected at least 2 items. Remove"):
        _layer(case)(golden.tensors(case.inputs.get("inputs", case.inputs)))


@pytest.mark.parametrize("case", golden.cases("transforms", "SequencePredictNext", where=lambda case: case.raises))
def test_target_that_is_missing(case):
    if case.call == "constructor":
        with pytest.raises(
            SchemaError, match=r"column 'NOT_THERE': .* the target is not in the schema; expected one of"
        ):
            _layer(case)
    else:
        with pytest.raises(SchemaError, match=r"column 'item_seq': .* a sequence is missing; expected all columns"):
            _layer(case)({"cat_seq": tf.ragged.constant([[1, 2]]), "user": tf.constant([1])})


@pytest.mark.parametrize(
    "case", golden.cases("transforms", "SequencePredictNext", where=lambda case: "target_keys" in case.outputs)
)
def test_target_as_a_column(case):
    column = mm.create_categorical_column("item_seq", 9, min_value_count=0)
    result = mm.SequencePredictNext(Schema([column]), column)({"item_seq": tf.ragged.constant([[1, 2]])})
    assert list(result.targets) == case.outputs["target_keys"]


@pytest.mark.parametrize("case", golden.cases("transforms", "SequencePredictRandom"))
@pytest.mark.slow
def test_predict_random(case):
    layer = _layer(case)
    batch = golden.tensors(case.inputs)
    draw = tf.function(lambda: tuple(layer(batch)[:2]))
    rows = batch["item_seq"].to_list()
    count = np.zeros(6)
    tf.random.set_seed(3)
    for _ in range(case.outputs["draws"]):
        features, targets = draw()
        assert targets["item_seq"].shape == case.outputs["invariants"]["target_shape"]
        for row, (items, other, mask, target) in enumerate(
            zip(
                features["item_seq"].to_list(),
                features["cat_seq"].to_list(),
                features[layer.mask_name].to_list(),
                targets["item_seq"].numpy().tolist(),
                strict=True,
            )
        ):
            place = len(items)
            count[place] += 1
            assert items == rows[row][:place]
            assert target == rows[row][place]
            assert other == batch["cat_seq"].to_list()[row][:place]
            assert mask == [False] * (place - 1) + [True]
    # 4,000 draws of 4 positions: the standard deviation of a share is 0.0068.
    stated = case.outputs["invariants"]["share_of_each_target_position"]
    for place, share in stated.items():
        assert count[int(place)] / count.sum() == pytest.approx(share, abs=0.03)
    assert count[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("case", golden.cases("transforms", "SequenceMaskRandom", where=lambda case: not case.raises))
def test_mask_random(case):
    layer = _layer(case)
    batch = golden.tensors(case.inputs)
    stated = case.outputs["invariants"]
    draw = tf.function(lambda: tuple(layer(batch)[:2]))
    masks = []
    tf.random.set_seed(3)
    for _ in range(case.outputs["draws"]):
        features, targets = draw()
        masks.append(features[layer.mask_name].to_tensor().numpy())
    assert targets["item_seq"].to_list() == features["item_seq"].to_list() == batch["item_seq"].to_list()
    masked = np.concatenate(masks)
    assert masked.shape == (4 * case.outputs["draws"], stated["row_length"])
    assert masked.sum(axis=1).min() >= 1
    assert masked.sum(axis=1).max() <= stated["row_length"] - 1
    # The expected number is n p - n p^n + (1 - p)^n + p^n; 4,000 rows have a mean with a deviation of below 0.015.
    n, p = stated["row_length"], case.args["masking_prob"]
    expected = n * p - n * p**n + (1 - p) ** n + p**n
    assert expected == pytest.approx(stated["expected_number_masked_per_row"], abs=1e-6)
    assert masked.sum(axis=1).mean() == pytest.approx(expected, abs=0.06)
    np.testing.assert_allclose(masked.mean(axis=0), stated["share_masked_by_position"], atol=0.035)
