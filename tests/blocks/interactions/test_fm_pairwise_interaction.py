from __future__ import annotations

import numpy as np
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden


@pytest.mark.parametrize("case", golden.cases("interactions", "FMPairwiseInteraction"))
def test_golden(case):
    layer, inputs = mm.FMPairwiseInteraction(), golden.tensors(case.inputs["inputs"])
    if case.raises:
        with pytest.raises(ConfigError, match=r"input shape; expected shape \(B, F, D\), got \(1, 2\)"):
            layer(inputs)
    else:
        golden.assert_close(layer(inputs), case.outputs["output"])


def test_pairs_by_hand():
    # 2*3 + 2*5 + 3*5
    assert mm.FMPairwiseInteraction()(np.array([[[2.0], [3.0], [5.0]]])).numpy().tolist() == [[31.0]]
