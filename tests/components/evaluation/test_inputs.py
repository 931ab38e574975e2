import platform

import numpy as np

from emrys.components.evaluation.inputs import versions


def test_versions():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    assert {"emrys", "keras"} <= set(found)
