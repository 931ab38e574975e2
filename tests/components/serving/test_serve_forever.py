from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from emrys.components.serving.client import EnsembleClient, predict
from emrys.components.serving.server import TritonServer
from tests.components.serving.conftest import need_server
from tests.components.serving.small_ensemble import CONFIG, ROWS, expected_scores, write_small_repository

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


@pytest.mark.slow
def test_requests_under_way_are_answered_when_the_server_stops(tmp_path):
    need_server()
    delay = 2.0  # seconds that a request waits for others
    write_small_repository(tmp_path / "models", tmp_path, dataclasses.replace(CONFIG, max_queue_delay=int(delay * 1e6)))
    together = threading.Barrier(5)

    def ask(server, protocol):
        url = server.grpc_url if protocol == "grpc" else server.http_url
        with EnsembleClient(url, protocol) as client:
            assert len(client.columns) == 4  # the connection is there
            together.wait(60)
            return client.predict(ROWS)

    with ThreadPoolExecutor(4) as pool, TritonServer(tmp_path / "models") as server:
        answers = [pool.submit(ask, server, protocol) for protocol in ("grpc", "http") * 2]
        together.wait(60)
        time.sleep(delay / 2)
        assert not any(answer.done() for answer in answers)
        server.stop()
        for answer in answers:
            np.testing.assert_allclose(answer.result(30), expected_scores(ROWS), atol=1e-6)
