"""The HTTP endpoint before a stand-in for Triton, and its command line; before the real server in `test_server.py`."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys

import grpc
from aiohttp import test_utils
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from emrys.components.serving.http_endpoint import HttpEndpoint, Options, main

INFER = "/v2/models/m/infer"
GOOD = {"inputs": [{"name": "x", "datatype": "INT64", "shape": [2, 1], "data": [5, 6]}]}


class Triton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers with what was asked; the model `bad` is refused."""

    def __init__(self):
        self.requests = []

    async def ServerLive(self, request, context):
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(self, request, context):
        return pb.ServerReadyResponse(ready=False)

    async def ModelReady(self, request, context):
        return pb.ModelReadyResponse(ready=request.version == "3")

    async def RepositoryIndex(self, request, context):
        return pb.RepositoryIndexResponse(models=[{"name": "m", "version": "1", "state": "READY"}])

    async def ModelInfer(self, request, context):
        self.requests.append(request)
        if request.model_name == "bad":
            await context.abort(grpc.StatusCode.NOT_FOUND, "Request for unknown model:\n'bad'")
        answer = pb.ModelInferResponse(model_name=request.model_name, model_version="1")
        answer.outputs.extend([pb.ModelInferResponse.InferOutputTensor(name="y", datatype="INT64", shape=[2, 1])])
        answer.raw_output_contents.append(request.raw_input_contents[0])
        return answer


def ask(*questions, max_body=10_000, body_timeout=5.0, triton=None):
    """Sends questions (method, path, arguments of aiohttp) to an endpoint; returns status and content of each."""

    async def run():
        server = grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(triton or Triton(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        application = HttpEndpoint(f"127.0.0.1:{port}", max_body, body_timeout).application()
        answers = []
        try:
            async with test_utils.TestClient(test_utils.TestServer(application)) as client:
                for method, path, arguments in questions:
                    async with client.request(method, path, **arguments) as response:
                        text = await response.text()
                        assert "\n" not in text
                        answers.append((response.status, json.loads(text) if text else text))
        finally:
            await server.stop(None)
        return answers

    return asyncio.run(run())


def test_a_good_request_is_passed_on_and_answered():
    triton = Triton()
    ((status, content),) = ask(("POST", "/v2/models/m/versions/3/infer", {"json": GOOD}), triton=triton)
    assert status == 200
    assert content["outputs"] == [{"name": "y", "datatype": "INT64", "shape": [2, 1], "data": [5, 6]}]
    assert [(one.model_name, one.model_version) for one in triton.requests] == [("m", "3")]


def test_health_and_the_index_come_from_the_server():
    answers = ask(
        ("GET", "/v2/health/live", {}),
        ("GET", "/v2/health/ready", {}),
        ("GET", "/v2/models/m/ready", {}),
        ("GET", "/v2/models/m/versions/3/ready", {}),
        ("POST", "/v2/repository/index", {}),
    )
    assert [status for status, _ in answers] == [200, 503, 503, 200, 200]
    assert answers[4][1] == [{"name": "m", "version": "1", "state": "READY", "reason": ""}]


def test_a_wrong_request_does_not_reach_the_server():
    huge = {"inputs": [{**GOOD["inputs"][0], "shape": [10**9, 1]}]}
    triton = Triton()
    answers = ask(
        ("POST", INFER, {"json": huge}),
        ("POST", INFER, {"data": b"{"}),
        ("POST", INFER, {"json": GOOD, "headers": {"Inference-Header-Content-Length": "-1"}}),
        ("POST", INFER, {"data": b"x" * 10_001}),
        ("POST", INFER, {"data": gzip.compress(b" " * 1_000_000), "headers": {"Content-Encoding": "gzip"}}),
        ("POST", INFER, {"data": b"no gzip", "headers": {"Content-Encoding": "gzip"}}),
        ("GET", INFER, {}),
        ("POST", "/v2/repository/models/m/unload", {}),
        ("POST", "/v2/systemsharedmemory/region/r/register", {"json": {"key": "/r", "byte_size": 10**12}}),
        ("POST", "/v2/logging", {"json": {"log_file": "/tmp/x"}}),
        triton=triton,
    )
    assert [status for status, _ in answers] == [400, 400, 400, 413, 413, 400, 405, 404, 404, 404]
    assert all(content["error"] for _, content in answers)
    assert "expected 1000000000 values" in answers[0][1]["error"]
    assert triton.requests == []


def test_a_compressed_body_is_read():
    packed = gzip.compress(json.dumps(GOOD).encode())
    ((status, content),) = ask(("POST", INFER, {"data": packed, "headers": {"Content-Encoding": "gzip"}}))
    assert (status, content["outputs"][0]["data"]) == (200, [5, 6])


def test_an_error_of_the_server_keeps_its_meaning():
    ((status, content),) = ask(("POST", "/v2/models/bad/infer", {"json": GOOD}))
    assert (status, content) == (404, {"error": "Request for unknown model: 'bad'"})


def test_large_bodies_are_read_too():
    data = list(range(100_000))
    body = {"inputs": [{"name": "x", "datatype": "INT64", "shape": [100_000], "data": data}]}
    ((status, content),) = ask(("POST", INFER, {"json": body}), max_body=1 << 20)
    assert (status, content["outputs"][0]["data"]) == (200, data)


def test_a_body_that_does_not_arrive_is_given_up():
    async def slow():
        yield b"{"
        await asyncio.sleep(3)

    ((status, content),) = ask(("POST", INFER, {"data": slow()}), body_timeout=0.1)
    assert (status, content["error"]) == (408, "the body did not arrive in time")


def test_without_a_server_health_says_so():
    async def run():
        application = HttpEndpoint("127.0.0.1:1").application()
        async with test_utils.TestClient(test_utils.TestServer(application)) as client:
            ready = await client.get("/v2/health/ready")
            infer = await client.post(INFER, json=GOOD)
            return ready.status, infer.status

    assert asyncio.run(run()) == (503, 503)


def test_the_command_line_takes_the_arguments_of_triton():
    options = Options.parse(
        [
            "tritonserver",
            "--http-address=::",
            "--http-port",
            "80",
            "--grpc-port=9",
            "--model-repository=/m",
            "--id",
            "x",
        ]
    )
    assert (options.address, options.port, options.grpc_url) == ("::", 80, "127.0.0.1:9")
    assert options.command[:4] == ("tritonserver", "--model-repository=/m", "--id", "x")
    assert {"--grpc-address=0.0.0.0", "--grpc-port=9", "--allow-http=false"} <= set(options.command)
    assert not any(argument.startswith("--http") for argument in options.command)


PROGRAM = "import sys, time; print('started', flush=True); time.sleep(float(sys.argv[1])); sys.exit(7)"


def test_it_ends_with_the_status_of_the_program(tmp_path):
    script = tmp_path / "program"
    script.write_text(f"#!{sys.executable}\n{PROGRAM}\n")
    script.chmod(0o755)
    assert main([str(script), "0.1", "--http-address=127.0.0.1", "--http-port=0"]) == 7
    assert main([str(tmp_path / "missing"), "--http-address=127.0.0.1", "--http-port=0"]) == 1
