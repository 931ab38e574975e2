"""The summary of a model."""

from __future__ import annotations

import numpy as np
import pytest
from merlin.schema import Schema

import emrys.blocks as mm


def model():
    schema = Schema([mm.create_categorical_column("shop", num_items=5)])
    made = mm.Model(mm.Embeddings(schema, dim=2), mm.MLPBlock([3]), mm.BinaryOutput("bought"))
    made({"shop": np.zeros((1, 1), "int64")})
    return made


@pytest.mark.parametrize("nested", [False, True])
def test_a_layer_whose_only_output_has_a_name_is_shown(nested):
    lines = []
    model().summary(print_fn=lambda line, **_: lines.append(line), expand_nested=nested)
    # (1 + 5) * 2 in the table, 2 * 3 + 3 in the layer, 3 + 1 in the output
    assert "Total params: 25 " in "\n".join(lines)
