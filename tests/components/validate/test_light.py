import subprocess
import sys

import pytest


@pytest.mark.slow
def test_validate_needs_neither_tensorflow_nor_kfp():
    script = (
        "import sys, emrys.components.validate.step, emrys.components.validate.previous\n"
        "print(sorted({'tensorflow', 'keras', 'kfp', 'nvtabular', 'google.cloud.storage'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
