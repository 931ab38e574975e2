from __future__ import annotations

import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden


@pytest.mark.parametrize("case", golden.cases("interactions", "LogitsTemperatureScaler"))
def test_golden(case):
    layer = mm.LogitsTemperatureScaler(**case.args)
    batch = golden.tensors(case.inputs)
    prediction = mm.Prediction(batch["predictions"], batch["targets"])
    trained = layer(prediction, training=True)
    golden.assert_close(trained.outputs, case.outputs["training"])
    golden.assert_close(trained.targets, case.outputs["targets_after"])
    golden.assert_close(layer(prediction, testing=True).outputs, case.outputs["testing"])
    golden.assert_close(layer(prediction).outputs, case.outputs["inference_prediction_object"])
    golden.assert_close(layer(batch["predictions"]), case.outputs["inference_plain_tensor"])
    golden.assert_close(layer(batch["predictions"], training=True), case.outputs["training_plain_tensor"])


@pytest.mark.parametrize("temperature", [0, -1.0])
def test_used_wrongly(temperature):
    with pytest.raises(ConfigError, match="LogitsTemperatureScaler: temperature; expected a number above 0, got"):
        mm.LogitsTemperatureScaler(temperature)
