from pathlib import Path

import numpy as np
import pytest

from emrys.blocks.errors import ArtifactError
from emrys.components.evaluate.predict import pick_output

SCORES = np.array([[0.25], [0.5]], np.float32)


@pytest.mark.parametrize("outputs", [SCORES, {"y/binary_output": SCORES, "z/binary_output": SCORES + 1}, {"y": SCORES}])
def test_the_scores_of_the_target_are_taken(outputs):
    assert pick_output(outputs, "y", Path("model")).tolist() == [[0.25], [0.5]]


def test_a_model_of_another_target():
    with pytest.raises(ArtifactError) as caught:
        pick_output({"x/binary_output": SCORES, "z/binary_output": SCORES}, "y", Path("model"))
    assert str(caught.value) == (
        "model: column 'y': the model has no output for the target; expected y/binary_output,"
        " got x/binary_output, z/binary_output"
    )
