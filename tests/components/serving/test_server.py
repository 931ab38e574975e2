"""The real server: raw rows over both protocols, invalid and concurrent requests, start and end."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from emrys.blocks.errors import ConfigError, ServingError
from emrys.components.serving.client import EnsembleClient, predict
from emrys.components.serving.packing import pack
from emrys.components.serving.server import TritonServer
from tests.components.serving.conftest import memory_of, need_server
from tests.components.serving.small_ensemble import CONFIG, ROWS, WEIGHTS, expected_scores, random_rows

pytestmark = pytest.mark.slow


def url_of(server: TritonServer, protocol: str) -> str:
    return server.grpc_url if protocol == "grpc" else server.http_url


@pytest.fixture(params=["grpc", "http"])
def client(request, server):
    """A client of the running server, over each protocol; the server must still answer when the test ends."""
    with EnsembleClient(url_of(server, request.param), request.param) as connected:
        yield connected
        np.testing.assert_allclose(connected.predict(ROWS), expected_scores(ROWS), atol=1e-6)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_raw_rows_get_the_scores_of_the_model(server, protocol):
    # By hand for the fourth row, all nulls: ids 1, no genre, the fill of the year is (1995 - 1990) / 10 = 0.5,
    # TE is the unseen group: (3.7 - 3.6) / 0.2 = 0.5.
    logit = WEIGHTS["userId"][1] + WEIGHTS["gender"][1] + 0.5 * 0.5 - 0.25 * 0.5
    scores = predict(url_of(server, protocol), ROWS, protocol)
    assert scores.dtype == np.float32
    assert scores[3] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)
    np.testing.assert_allclose(scores, expected_scores(ROWS), atol=1e-6)


def test_more_rows_than_a_request_holds_are_sent_in_several(client):
    rows = random_rows(CONFIG.max_batch_size * 2 + 3)
    np.testing.assert_allclose(client.predict(rows), expected_scores(rows), atol=1e-6)


def test_columns_get_the_same_scores_as_rows(client):
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    np.testing.assert_allclose(client.predict(columns), expected_scores(ROWS), atol=1e-6)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_without_a_name_the_only_ensemble_answers(server, protocol):
    with EnsembleClient(url_of(server, protocol), protocol) as client:
        assert client.model_name == "ranking"
        np.testing.assert_allclose(client.predict(ROWS), expected_scores(ROWS), atol=1e-6)
        with pytest.raises(ConfigError, match=r"ranking .*predict\(\)"):
            client.recommend(ROWS)


def test_no_rows_get_no_scores(client):
    assert client.predict([]).tolist() == []


def without(columns, name):
    return {key: value for key, value in columns.items() if key != name}


BAD_REQUESTS = {
    "missing input": (lambda c: without(c, "gender"), r"missing required input\(s\) \['gender'\]"),
    "input too many": (lambda c: {**c, "mood": c["userId"]}, "expected 4 inputs but got 5"),
    "wrong dtype": (lambda c: {**c, "userId": c["userId"].astype(np.float32)}, "'userId' data-type is 'FP32'"),
    "text for a number": (lambda c: {**c, "userId": c["gender"]}, "'userId' data-type is 'BYTES'"),
    "no second axis": (lambda c: {**c, "userId": c["userId"][:, 0]}, r"Expected \[-1,1\], got \[5\]"),
    "two values a row": (lambda c: {**c, "userId": c["userId"].repeat(2, 1)}, r"Expected \[-1,1\], got \[5,2\]"),
    "rows differ": (lambda c: {**c, "userId": c["userId"][:2]}, "'userId' batch size does not match"),
    "no rows": (lambda c: {key: value[:0] for key, value in c.items()}, "byte size mismatch"),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_a_bad_request_gets_an_error(client, case):
    spoil, message = BAD_REQUESTS[case]
    with pytest.raises(ServingError, match=message):
        client.infer(spoil(pack(ROWS, client.columns)))


def test_null_in_json_is_null(server):
    """A body in strict JSON: null alone, in a list, and a list of nulls for an empty one."""
    body = json.dumps(
        {
            "inputs": [
                {"name": "userId", "datatype": "INT64", "shape": [3, 1], "data": [None, 7, None]},
                {"name": "gender", "datatype": "BYTES", "shape": [3, 1], "data": [["F"], [None], [None]]},
                {
                    "name": "genres",
                    "datatype": "BYTES",
                    "shape": [3, 3],
                    "data": [["Drama", None, "War"], ["Comedy", None, None], [None, None, None]],
                },
                {"name": "release_year", "datatype": "FP32", "shape": [3, 1], "data": [1999, None, None]},
            ]
        },
        allow_nan=False,
    )
    connection = http.client.HTTPConnection(server.http_url, timeout=20)
    connection.request("POST", "/v2/models/ranking/infer", body)
    answer = json.load(connection.getresponse())
    connection.close()
    rows = [
        {"userId": None, "gender": "F", "genres": ["Drama", "War"], "release_year": 1999.0},
        {"userId": 7, "gender": None, "genres": ["Comedy"], "release_year": None},
        {"userId": None, "gender": None, "genres": [], "release_year": None},
    ]
    np.testing.assert_allclose(answer["outputs"][0]["data"], expected_scores(rows), atol=1e-6)


def test_a_batch_over_the_limit_gets_an_error(client):
    columns = pack(random_rows(CONFIG.max_batch_size + 1), client.columns)
    with pytest.raises(ServingError, match="batch-size must be <= 128 for 'ranking'"):
        client.infer(columns)


def test_odd_values_get_the_answer_of_null_or_unseen(client):
    columns = pack(ROWS, client.columns)
    odd = {
        "release_year": np.array([[np.nan], [np.inf], [-np.inf], [1e38], [1995]], np.float32),
        "gender": np.array([[b"\xff\xfe"], [b""], [b"f"], [b" "], [b"M" * 10_000]], object),
        "genres": np.array([[b"", b"Drama"], [b"", b""], [b"Drama", b"Drama"], [b"\xff", b""], [b"War", b""]], object),
        "userId": np.array([[-1], [-(2**63)], [2**63 - 1], [0], [7]], np.int64),
    }
    meant = [
        {"userId": -1, "gender": "?", "genres": ["Drama"], "release_year": None},
        {"userId": None, "gender": None, "genres": [], "release_year": None},
        {"userId": 2**63 - 1, "gender": "f", "genres": ["Drama", "Drama"], "release_year": None},
        {"userId": 0, "gender": " ", "genres": ["?"], "release_year": 1e38},
        {"userId": 7, "gender": "M" * 10_000, "genres": ["War"], "release_year": 1995.0},
    ]
    assert columns.keys() == odd.keys()
    np.testing.assert_allclose(client.infer(odd)["score"][:, 0], expected_scores(meant), atol=1e-6)


def test_lists_of_length_0_are_empty_lists(client):
    columns = {**pack(ROWS, client.columns), "genres": np.empty((5, 0), object)}
    rows = [{**row, "genres": []} for row in ROWS]
    np.testing.assert_allclose(client.infer(columns)["score"][:, 0], expected_scores(rows), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("release_year", np.float32(np.nan), "column 'release_year': .* NaN"),
        ("userId", np.int64(6), "column 'userId': .*; expected 0 to 5, got 6"),
        ("gender", np.int64(-1), "column 'gender': .*; expected 0 to 4, got -1"),
    ],
)
def test_the_model_refuses_values_that_no_transform_produces(client, name, value, message):
    columns = client.infer(pack(ROWS, client.columns), model_name="ranking_transform")
    columns[name] = columns[name].copy()
    columns[name][2, 0] = value
    with pytest.raises(ServingError, match=message):
        client.infer(columns, model_name="ranking_model")


def claimed(server, rows, model, column, shape):
    """Sends packed rows over gRPC, with one input that claims a shape and brings nothing."""
    with EnsembleClient(server.grpc_url) as client:
        columns = pack(rows, client.columns)
        if model == "ranking_model":
            columns = client.infer(columns, model_name="ranking_transform")
    request = service_pb2.ModelInferRequest(model_name=model)
    for name, values in columns.items():
        strings = values.dtype == object
        content = b"".join(len(one).to_bytes(4, "little") + one for one in values.ravel()) if strings else None
        request.inputs.add(name=name, datatype=np_to_triton_dtype(values.dtype), shape=values.shape)
        request.raw_input_contents.append(values.tobytes() if content is None else content)
        if name == column:
            request.inputs[-1].shape[:] = shape
            request.raw_input_contents[-1] = b""
    with grpc.insecure_channel(server.grpc_url) as channel:
        service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=20)


@pytest.mark.parametrize(
    ("model", "rows", "shape", "message"),
    [
        # Both products are 0 in 64 bits: 4 * 2**62 elements, and 2**61 elements of 8 bytes.
        ("ranking", 4, (4, 2**62), "column 'genres': an input has the wrong shape"),
        ("ranking_transform", 4, (4, 2**62), "column 'genres': an input has the wrong shape"),
        ("ranking_model", 1, (1, 2**61), "column 'genres': an input has the wrong shape"),
        ("ranking", 1, (1, 10**9), "expected 1000000000 string elements"),
        ("ranking_model", 1, (1, 10**9), "byte size mismatch"),
    ],
)
def test_a_claimed_shape_that_no_memory_holds_gets_an_error(server, model, rows, shape, message):
    with pytest.raises(grpc.RpcError, match=message):
        claimed(server, ROWS[:rows], model, "genres", shape)
    np.testing.assert_allclose(predict(server.grpc_url, ROWS), expected_scores(ROWS), atol=1e-6)


def test_eight_http_requests_that_claim_a_thousand_million_rows_cost_nothing(server):
    """Triton's own endpoint takes 8 GB for each before it looks at the data."""
    one = {"name": "userId", "datatype": "INT64", "shape": [10**9, 1], "data": [1]}
    body = json.dumps({"inputs": [one]}).encode()
    before = memory_of(server)

    def ask(_):
        connection = http.client.HTTPConnection(server.http_url, timeout=20)
        connection.request("POST", "/v2/models/ranking/infer", body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())["error"], memory_of(server)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    for status, error, memory in answers:
        assert status == 400
        assert "expected 1000000000 values for the shape [1000000000, 1], got 1" in error
        assert memory < before + 500e6


def test_clients_cannot_change_the_server(server):
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        for change in (
            lambda: client.register_system_shared_memory("region", "/psm", 1 << 40),
            lambda: client.update_log_settings({"log_verbose_level": 1}),
            lambda: client.update_trace_settings(settings={"trace_rate": "1"}),
            lambda: client.unload_model("ranking"),
        ):
            with pytest.raises(InferenceServerException, match=r"restricted|explicit model load"):
                change()


@pytest.mark.parametrize("body", [b"", b"garbage", b"{}", b'{"inputs": [{"name": "userId"}]}'])
def test_an_invalid_body_gets_an_error(server, body):
    connection = http.client.HTTPConnection(server.http_url)
    connection.request("POST", "/v2/models/ranking/infer", body)
    response = connection.getresponse()
    assert response.status in (400, 500)
    assert json.loads(response.read())["error"]
    assert server.is_running()


def test_200_requests_at_once(server):
    """Each with its own rows and list lengths; every fifth one is bad, and fails alone."""
    batches = [random_rows(1 + number % 3, seed=number) for number in range(200)]

    with EnsembleClient(server.grpc_url) as client:
        columns = client.columns

        def ask(number):
            request = pack(batches[number], columns)
            if number % 5 == 4:
                request["userId"] = request["userId"].astype(np.float32)
            try:
                return client.infer(request)["score"][:, 0]
            except ServingError as error:
                return error

        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(ask, range(200)))
    for number, answer in enumerate(answers):
        if number % 5 == 4:
            assert "data-type is 'FP32'" in str(answer)
        else:
            np.testing.assert_allclose(answer, expected_scores(batches[number]), atol=1e-6)


def test_a_bad_request_in_a_batch_fails_alone(server):
    """Straight to the model, where the bad rows pass Triton's own checks and join the batches of the others."""
    with EnsembleClient(server.grpc_url) as client:
        good = client.infer(pack(ROWS, client.columns), model_name="ranking_transform")
        bad = {**good, "userId": good["userId"] + 100}

        def ask(number):
            try:
                return client.infer(bad if number % 4 == 0 else good, model_name="ranking_model")["score"][:, 0]
            except ServingError as error:
                return error

        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(ask, range(64)))
    for number, answer in enumerate(answers):
        if number % 4 == 0:
            assert "expected 0 to 5" in str(answer)
        else:
            np.testing.assert_allclose(answer, expected_scores(ROWS), atol=1e-6)


def test_the_model_and_the_transform_batch_requests(server):
    """200 requests of one row by 64 callers on one process each: they queue, and so need fewer runs than 200."""
    with EnsembleClient(server.grpc_url) as client, ThreadPoolExecutor(64) as pool:
        request = pack(ROWS[:1], client.columns)
        before = {name: statistics(server, name) for name in ("ranking_model", "ranking_transform")}
        list(pool.map(lambda _: client.infer(request), range(200)))
    for name, (requests, runs) in before.items():
        deadline = time.monotonic() + 10  # the server counts a little after it has answered
        while (now := statistics(server, name))[0] - requests < 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert now[0] - requests == 200
        assert now[1] - runs < 200


def statistics(server, model):
    connection = http.client.HTTPConnection(server.http_url)
    connection.request("GET", f"/v2/models/{model}/stats")
    counts = json.loads(connection.getresponse().read())["model_stats"][0]
    return counts["inference_count"], counts["execution_count"]


def test_a_taken_port_fails_at_once(server, models):
    message = f"cannot listen on 127.0.0.1:{server.http_port}; got Address already in use"
    with pytest.raises(ServingError, match=message), TritonServer(models, http_port=server.http_port):
        pass


def test_an_unreachable_server_is_reported():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for protocol in ("grpc", "http"):
        with pytest.raises(ServingError, match=rf"127.0.0.1:{port}: .*emrys serve DIR"):
            predict(f"127.0.0.1:{port}", ROWS, protocol)


def test_a_model_that_cannot_be_loaded_is_reported_with_its_reason(models, tmp_path):
    need_server()
    folder = tmp_path / "models" / "broken"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.py").write_text("raise RuntimeError('the disk is on fire')\n")
    (folder / "config.pbtxt").write_text('name: "broken"\nbackend: "python"\n')
    log = tmp_path / "server.log"
    with pytest.raises(ServingError) as caught, TritonServer(tmp_path / "models", log_file=log):
        pass
    assert str(caught.value).startswith(f"{log}: ")
    assert "failed to load 'broken' version 1: Internal: RuntimeError: the disk is on fire." in str(caught.value)
    assert "the disk is on fire" in log.read_text()


OWNER = """
import sys, time
from emrys.components.serving.server import TritonServer
server = TritonServer(sys.argv[1], log_file=sys.argv[2])
server.__enter__()
print(server.http_url, server._folder.name, flush=True)
time.sleep(600)
"""


def test_the_server_ends_with_its_owner_and_two_servers_run_at_once(server, models, tmp_path):
    """A second server beside the first, whose owner is killed without a chance to stop it."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(models), str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    url, name = owner.stdout.readline().split()
    try:
        np.testing.assert_allclose(predict(url, ROWS, "http"), expected_scores(ROWS), atol=1e-6)
        assert url != server.http_url
        assert processes_with(name)
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        owner.stdout.close()
    deadline = time.monotonic() + 60
    while processes_with(name) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_with(name) == []
    assert not (Path(tempfile.gettempdir()) / name).exists()
    assert list(Path("/dev/shm").glob(f"{name}*")) == []
    np.testing.assert_allclose(predict(server.http_url, ROWS, "http"), expected_scores(ROWS), atol=1e-6)


def processes_with(text: str) -> list[str]:
    """Command lines of all processes that contain `text`: the server and its stubs have the name of their folder."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if text in line:
            lines.append(line)
    return lines
