"""The output that finds the best candidates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden

CANDIDATES = np.array([[1.0], [3.0], [2.0]])


@pytest.mark.parametrize(
    "case", golden.cases("conventions", "output defaults", where=lambda case: "TopKOutput" in case.call)
)
def test_golden(case):
    output, expected = mm.TopKOutput(mm.BruteForce(k=3), target="item_id"), case.outputs
    assert (output.task_name, output.target, output.default_loss) == tuple(
        expected[name] for name in ("task_name", "target", "default_loss")
    )
    found = [{"class": type(each).__name__, "name": each.name} for each in output.create_default_metrics()]
    assert found == expected["default_metrics"]
    assert type(output.to_call).__name__ == expected["to_call"]


def test_by_name_with_candidates():
    output = mm.TopKOutput("brute-force-topk", CANDIDATES, k=2)
    assert output(np.ones((1, 1))).identifiers.numpy().tolist() == [[1, 2]]
    framed = mm.TopKOutput("brute-force-topk", pd.DataFrame(CANDIDATES, index=[5, 6, 7]), k=1)
    assert framed(np.ones((1, 1))).identifiers.numpy().tolist() == [[6]]


def test_compared_with_its_target():
    output = mm.TopKOutput("brute-force-topk", CANDIDATES, k=2, target="item_id", logits_temperature=2.0)
    targets = {"item_id": np.array([[2]]), "click": np.array([[1]])}
    found = output(np.ones((1, 1), "float32"), targets=targets, testing=True)
    assert found.targets.numpy().tolist() == [[0, 1]]
    assert found.outputs.numpy().tolist() == [[1.5, 1.0]]
    with pytest.raises(ConfigError, match=r"finds no target in the batch; expected one target, got 'item_id', 'click'"):
        mm.TopKOutput("brute-force-topk", CANDIDATES, k=2)(np.ones((1, 1)), targets=targets, testing=True)


def test_unknown_layer():
    with pytest.raises(ConfigError, match=r"unknown top-k layer.*'approximate-topk', got Dense"):
        mm.TopKOutput(mm.Dense(2))
