"""Losses give the numbers of the released library."""

from __future__ import annotations

import math

import keras
import pytest
import tensorflow as tf

from emrys.blocks import losses
from emrys.blocks.errors import ConfigError
from emrys.blocks.losses.pairwise import negative_log
from emrys.blocks.outputs.contrastive_output import FALSE_NEGATIVE_SCORE
from tests import golden

PAIRWISE = ("BPRLoss", "BPRmaxLoss", "HingeLoss", "LogisticLoss", "TOP1Loss", "TOP1maxLoss", "TOP1v2Loss")
CROSS_ENTROPIES = ("CategoricalCrossEntropy", "SparseCategoricalCrossEntropy")


def make(case, **kwargs):
    return getattr(losses, case.name.split(".")[0])(**case.args, **kwargs)


LOSSES = golden.cases("losses", *PAIRWISE, *CROSS_ENTROPIES, where=lambda case: "default" in case.outputs)


@pytest.mark.parametrize("case", LOSSES)
def test_loss(case):
    inputs = golden.tensors(case.inputs)
    golden.assert_close(make(case)(**inputs), case.outputs["default"])
    golden.assert_close(make(case, reduction="auto")(**inputs), case.outputs["default"])
    golden.assert_close(make(case, reduction="none")(**inputs), case.outputs["none"])


@pytest.mark.parametrize("case", LOSSES)
def test_compiled_loss(case):
    loss = tf.function(make(case, reduction="none").__call__, autograph=False)
    golden.assert_close(loss(**golden.tensors(case.inputs)), case.outputs["none"])


@pytest.mark.parametrize("case", golden.cases("losses", where=lambda case: case.args.get("reduction")))
def test_reduction_of_the_case(case):
    golden.assert_close(make(case)(**golden.tensors(case.inputs)), case.outputs["loss"])


@pytest.mark.parametrize("case", golden.cases("losses", *[f"{name}.compute" for name in PAIRWISE]))
def test_compute(case):
    golden.assert_close(make(case).compute(**golden.tensors(case.inputs)), case.outputs["loss"])


@pytest.mark.parametrize("case", golden.cases("losses", where=lambda case: case.raises))
def test_several_positives_in_a_row_are_refused(case):
    with pytest.raises(ConfigError, match=r"BPRLoss accepts one positive per row.*got 2 in row 0"):
        make(case)(**golden.tensors(case.inputs))


@pytest.mark.parametrize("case", golden.cases("losses", "loss_registry"))
def test_registry(case):
    found = {alias: type(losses.loss_registry.parse(alias)) for alias in losses.loss_registry}
    assert {alias: kind.__name__ for alias, kind in found.items()} == case.outputs["class_by_alias"]
    assert found["mse"] is keras.losses.MeanSquaredError
    assert found["bce"] is keras.losses.BinaryCrossentropy
    instance = losses.BPRLoss(reduction="sum")
    assert losses.loss_registry.parse(instance) is instance


@pytest.mark.parametrize("case", golden.cases("losses", "loss names"))
def test_names(case):
    # The released pairwise losses have no name; Keras 3 takes one from the class.
    for kind, name in case.outputs["name_attribute"].items():
        assert name is None or getattr(losses, kind)().name == name


@pytest.mark.parametrize("case", golden.cases("losses", "constants"))
def test_constants(case):
    assert case.outputs["MIN_FLOAT"] == FALSE_NEGATIVE_SCORE
    # -log(p) of a p that float32 cannot hold: 55.26 = -log(1e-24)
    smallest = case.outputs["epsilon_added_to_exact_zeros_before_log"]
    assert float(negative_log(-1e4)) == pytest.approx(-math.log(smallest))
