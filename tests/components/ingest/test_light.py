import subprocess
import sys

import pytest


@pytest.mark.slow
def test_ingest_needs_neither_tensorflow_nor_kfp():
    script = (
        "import sys, emrys.blocks.datasets, emrys.components.contracts.splits, emrys.components.ingest.step\n"
        "print(sorted({'tensorflow', 'keras', 'kfp', 'nvtabular', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
