from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emrys.blocks.errors import DataError
from emrys.components.serving.backends.transform_step import TransformStep
from emrys.components.serving.packing import pack
from tests.components.serving.small_ensemble import ROWS, make_workflow


def test_it_applies_the_workflow_of_its_folder(models):
    step = TransformStep.load(models / "ranking_transform" / "1")
    columns = step(pack(ROWS, step.inputs))
    assert list(columns) == ["userId", "gender", "genres", "release_year", "TE_gender_rating"]
    # 0 padding, 1 null, 2 unseen, then the known values, most frequent first: 7, 8, 9; M, F; Drama, Comedy, War.
    assert columns["userId"].ravel().tolist() == [3, 5, 2, 1, 4]
    assert columns["gender"].ravel().tolist() == [4, 3, 2, 1, 3]
    assert columns["genres"].tolist() == [[3, 5], [4, 0], [2, 3], [0, 0], [0, 0]]
    # (1999 - 1990) / 10; null is 1995.
    np.testing.assert_allclose(columns["release_year"].ravel(), [0.9, -4.0, 6.0, 0.5, 0.5], rtol=1e-6)


def test_an_invalid_request_is_refused():
    step = TransformStep(make_workflow())
    columns = pack(ROWS, step.inputs)
    with pytest.raises(DataError, match="column 'gender': an input is missing"):
        step.check({name: values for name, values in columns.items() if name != "gender"})
    with pytest.raises(DataError, match="column 'gender': an input has the wrong dtype; expected string, got int64"):
        step.check({**columns, "gender": columns["userId"]})


@pytest.mark.slow
def test_neither_it_nor_the_server_and_client_bring_in_tensorflow():
    program = (
        "import sys, emrys.components.serving.backends.transform_step, emrys.components.serving.client, "
        "emrys.components.serving.server; "
        "print([name for name in ('tensorflow', 'keras', 'merlin', 'nvtabular', 'kfp') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
