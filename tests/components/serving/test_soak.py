"""Seconds of mixed load on a real server: good requests of all sizes beside bad ones of every kind."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter

import numpy as np
import pytest

from emrys.blocks.errors import ServingError
from emrys.components.serving.client import EnsembleClient
from emrys.components.serving.packing import pack
from emrys.components.serving.server import TritonServer
from tests.components.serving.conftest import memory_of, need_server
from tests.components.serving.mixed_ensembles import CONFIGS, draw_rows, write_mixed_repository

SECONDS, CALLERS = 6.0, 8
ROWS = draw_rows(np.random.default_rng(5), 60, most=9)

#: Bodies that the HTTP endpoint refuses; the last two claim more than they bring.
BAD_BODIES = [
    b"{",
    b"[]",
    b"\xff" * 200,
    json.dumps({"inputs": []}).encode(),
    json.dumps({"inputs": [{"name": "user", "datatype": "INT64", "shape": [10**9, 1], "data": [1]}]}).encode(),
    json.dumps({"inputs": [{"name": "tags", "datatype": "BYTES", "shape": [1, 2**62], "data": ["a"]}]}).encode(),
]

#: Changes of good columns that the server refuses.
SPOILED = [
    lambda columns: {name: columns[name] for name in list(columns)[1:]},
    lambda columns: {**columns, "age": columns["age"][:0]},
    lambda columns: {**columns, "age": columns["age"].repeat(2, 0)},
    lambda columns: {**columns, "age": columns["age"].astype(np.float64)},
    lambda columns: {**columns, "age": columns["age"].reshape(-1)},
    lambda columns: {**columns, "other": columns["age"]},
    lambda columns: {**columns, "age": columns["age"].repeat(3, 1)},
]


class Load:
    """Callers of an ensemble, until a time; counts what they saw.

    Args:
        server: The server.
        kind: Name of the ensemble.
    """

    def __init__(self, server: TritonServer, kind: str) -> None:
        self.server, self.kind = server, kind
        self.counts: Counter[str] = Counter()
        with EnsembleClient(server.grpc_url, model_name=kind) as client:
            self.columns = client.columns
            self.alone = [client.infer(pack([row], self.columns)) for row in ROWS]

    def run(self, seconds: float) -> None:
        stop = time.monotonic() + seconds
        callers = [threading.Thread(target=self._call, args=(seed, stop)) for seed in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

    def _call(self, seed: int, stop: float) -> None:
        random = np.random.default_rng(seed)
        with EnsembleClient(self.server.grpc_url, model_name=self.kind) as client:
            while time.monotonic() < stop:
                draw = random.random()
                if draw < 0.1:
                    self.counts[self._bad_http(BAD_BODIES[random.integers(len(BAD_BODIES))])] += 1
                elif draw < 0.2:
                    self.counts[self._bad_grpc(client, SPOILED[random.integers(len(SPOILED))])] += 1
                else:
                    self.counts[self._good(client, random.integers(0, len(ROWS), random.choice([1, 1, 2, 5, 17])))] += 1

    def _good(self, client: EnsembleClient, numbers: np.ndarray) -> str:
        answer = client.infer(pack([ROWS[number] for number in numbers], self.columns))
        for name, values in answer.items():
            for row, number in enumerate(numbers):
                expected = self.alone[number][name][0]
                numeric = expected.dtype.kind == "f"
                if not (np.allclose(values[row], expected, 1e-5, 1e-5) if numeric else (values[row] == expected).all()):
                    return "wrong"
        return "good"

    def _bad_grpc(self, client: EnsembleClient, spoil) -> str:
        try:
            client.infer(spoil(pack(ROWS[:2], self.columns)))
        except ServingError as error:
            return "refused" if "refused the request" in str(error) else f"bad request: {error}"
        return "bad request taken"

    def _bad_http(self, body: bytes) -> str:
        connection = http.client.HTTPConnection(self.server.http_url, timeout=20)
        connection.request("POST", f"/v2/models/{self.kind}/infer", body)
        response = connection.getresponse()
        response.read()
        connection.close()
        return "refused" if response.status == 400 else f"bad request: {response.status}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(CONFIGS))
def test_no_answer_differs_and_memory_ends_where_it_began(kind, tmp_path):
    need_server()
    write_mixed_repository(kind, tmp_path / "models", tmp_path)
    with TritonServer(tmp_path / "models") as server:
        load = Load(server, kind)
        load.run(2.0)  # after it, caches and pools have their size
        before = memory_of(server)
        load.run(SECONDS)
        assert set(load.counts) == {"good", "refused"}, load.counts
        assert load.counts["good"] > 200
        assert load.counts["refused"] > 20
        assert memory_of(server) < before + 64e6
        server.check()
