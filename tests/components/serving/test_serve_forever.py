from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from emrys.components.serving.client import predict
from tests.components.serving.conftest import need_server
from tests.components.serving.small_ensemble import ROWS, expected_scores

PROGRAM = """
import sys
from emrys.components.serving.server import serve_forever
serve_forever(sys.argv[1], 0, 0, None, log_file=sys.argv[2], on_ready=lambda s: print(s.grpc_url, flush=True))
print("stopped in order", flush=True)
"""


@pytest.mark.slow
def test_it_serves_until_sigterm(models, tmp_path):
    need_server()
    log = tmp_path / "server.log"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(models), str(log)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        url = process.stdout.readline().strip()
        np.testing.assert_allclose(predict(url, ROWS), expected_scores(ROWS), atol=1e-6)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "stopped in order\n"
    assert process.wait() == 0
    assert "successfully unloaded 'ranking_model' version 1" in log.read_text()
