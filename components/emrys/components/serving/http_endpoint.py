"""HTTP endpoint in front of a Triton server whose own HTTP endpoint is off.

Triton's own takes memory for the shape that a request claims before it looks at the data: a body of a hundred bytes can
take gigabytes. This one reads bodies of a limited size, checks that each shape is that of the data which arrived, and
passes the request on over gRPC, where Triton checks the rest before it takes memory.

Run as a program, it starts Triton, passes signals on to it, and ends with its exit status:
`python -m emrys.components.serving.http_endpoint tritonserver --http-port=8000 --model-repository=...`. It takes the
arguments of Triton; those about HTTP are for the endpoint itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import grpc
from aiohttp import web
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from emrys.blocks.errors import DataError
from emrys.components.serving.http_messages import as_json, read_request, write_response
from emrys.components.serving.server import reachable

#: Most bytes of a body, also after decompression.
MAX_BODY = 8 << 20

#: Seconds in which a body must arrive.
BODY_TIMEOUT = 60.0

#: Bodies over this size are read in a thread, one at a time, so that others are answered meanwhile.
_LARGE_BODY = 256 << 10

_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}

_CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    # Triton is reached soon after it is ready, however long it took to start.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
]

#: What clients over gRPC may not change; each start has a key of its own that nobody knows.
_CLOSED = "shared-memory,trace,logging"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpEndpoint:
    """The inference protocol over HTTP, answered by a Triton server over gRPC.

    It has health, metadata, configuration, statistics, the index of the repository, and inference with JSON and with
    binary data. It has nothing that changes the server.

    Args:
        grpc_url: Host and port of the server.
        max_body: Most bytes of a body. Default: 8 MiB.
        body_timeout: Seconds in which a body must arrive. Default: 60.
    """

    def __init__(self, grpc_url: str, max_body: int = MAX_BODY, body_timeout: float = BODY_TIMEOUT) -> None:
        self._url = grpc_url
        self._max_body = max_body
        self._body_timeout = body_timeout
        self._one_large_body = asyncio.Lock()

    def application(self) -> web.Application:
        """The application for an HTTP server."""
        application = web.Application(client_max_size=self._max_body, middlewares=[_errors])
        model = "/v2/models/{model}"
        version = model + "/versions/{version}"
        application.add_routes(
            [
                web.get("/v2/health/live", self._live),
                web.get("/v2/health/ready", self._ready),
                web.get("/v2", self._server_metadata),
                web.post("/v2/repository/index", self._index),
                web.get("/v2/models/stats", self._statistics),
                *(web.get(f"{path}/ready", self._model_ready) for path in (model, version)),
                *(web.get(f"{path}/config", self._config) for path in (model, version)),
                *(web.get(f"{path}/stats", self._statistics) for path in (model, version)),
                *(web.get(path, self._metadata) for path in (model, version)),
                *(web.post(f"{path}/infer", self._infer) for path in (model, version)),
            ]
        )
        application.cleanup_ctx.append(self._connection)
        return application

    async def _connection(self, application: web.Application) -> AsyncIterator[None]:
        async with grpc.aio.insecure_channel(self._url, options=_CHANNEL_OPTIONS) as channel:
            self._triton = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            yield

    async def _live(self, request: web.Request) -> web.Response:
        return _health((await self._triton.ServerLive(pb.ServerLiveRequest())).live)

    async def _ready(self, request: web.Request) -> web.Response:
        return _health((await self._triton.ServerReady(pb.ServerReadyRequest())).ready)

    async def _model_ready(self, request: web.Request) -> web.Response:
        return _health((await self._triton.ModelReady(pb.ModelReadyRequest(**_model(request)))).ready)

    async def _server_metadata(self, request: web.Request) -> web.Response:
        return _json(as_json(await self._triton.ServerMetadata(pb.ServerMetadataRequest())))

    async def _metadata(self, request: web.Request) -> web.Response:
        return _json(as_json(await self._triton.ModelMetadata(pb.ModelMetadataRequest(**_model(request)))))

    async def _config(self, request: web.Request) -> web.Response:
        return _json(as_json(await self._triton.ModelConfig(pb.ModelConfigRequest(**_model(request))))["config"])

    async def _statistics(self, request: web.Request) -> web.Response:
        return _json(as_json(await self._triton.ModelStatistics(pb.ModelStatisticsRequest(**_model(request)))))

    async def _index(self, request: web.Request) -> web.Response:
        content = await self._triton.RepositoryIndex(pb.RepositoryIndexRequest())
        return _json(as_json(content)["models"])

    async def _infer(self, request: web.Request) -> web.Response:
        async with asyncio.timeout(self._body_timeout):
            body = await request.read()
        names = _model(request)
        arguments = (body, _json_bytes(request), names["name"], names["version"])
        if len(body) <= _LARGE_BODY:
            asked = read_request(*arguments)
        else:
            async with self._one_large_body:
                asked = await asyncio.to_thread(read_request, *arguments)
        del body, arguments
        content, json_bytes = write_response(await self._triton.ModelInfer(asked.message), asked)
        if json_bytes is None:
            return web.Response(body=content, content_type="application/json")
        return web.Response(
            body=content,
            content_type="application/octet-stream",
            headers={"Inference-Header-Content-Length": str(json_bytes)},
        )


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers errors as JSON, in one line."""
    try:
        return await handler(request)
    except DataError as error:
        return _error(400, str(error))
    except web.RequestPayloadError as error:
        response = _error(400, f"the body cannot be read ({error})")
        response.force_close()
        return response
    except TimeoutError:
        return _error(408, "the body did not arrive in time")
    except grpc.aio.AioRpcError as error:
        if request.path.startswith("/v2/health/"):
            return _health(False)
        return _error(_STATUS.get(error.code(), 500), error.details() or error.code().name)
    except web.HTTPException as error:
        return _error(error.status, f"{request.method} {request.path}: {error.text or error.reason}")


def _error(status: int, message: str) -> web.Response:
    return _json({"error": " ".join(message.split())[:2000]}, status)


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(content), status=status, content_type="application/json")


def _health(good: bool) -> web.Response:
    return web.Response(status=200 if good else 503)


def _model(request: web.Request) -> dict[str, str]:
    return {"name": request.match_info.get("model", ""), "version": request.match_info.get("version", "")}


def _json_bytes(request: web.Request) -> int | None:
    text = request.headers.get("Inference-Header-Content-Length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise DataError("Inference-Header-Content-Length must be a number", got=repr(text)[:40])
    return int(text)


@dataclass(frozen=True)
class Options:
    """Arguments of the program.

    Args:
        command: The program that is started, with its arguments.
        address: Address to listen on.
        port: Port to listen on.
        max_body: Most bytes of a body.
        grpc_url: Host and port at which the program is reached over gRPC.
    """

    command: tuple[str, ...]
    address: str
    port: int
    max_body: int
    grpc_url: str

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Options:
        """Parses the command line: the program, then Triton's arguments and those of the endpoint."""
        parser = argparse.ArgumentParser(prog="http_endpoint", allow_abbrev=False, add_help=False)
        parser.add_argument("program")
        parser.add_argument("--http-address", default="0.0.0.0")  # noqa: S104 - Triton's default
        parser.add_argument("--http-port", type=int, default=8000)
        parser.add_argument("--http-max-body", type=int, default=MAX_BODY)
        parser.add_argument("--grpc-address", default="0.0.0.0")  # noqa: S104 - Triton's default
        parser.add_argument("--grpc-port", type=int, default=8001)
        known, others = parser.parse_known_args(arguments)
        return cls(
            command=(
                known.program,
                *others,
                f"--grpc-address={known.grpc_address}",
                f"--grpc-port={known.grpc_port}",
                "--allow-http=false",
                f"--grpc-restricted-protocol={_CLOSED}:emrys-key={secrets.token_hex(16)}",
            ),
            address=known.http_address,
            port=known.http_port,
            max_body=known.http_max_body,
            grpc_url=f"{reachable(known.grpc_address)}:{known.grpc_port}",
        )


async def serve(options: Options) -> int:
    """Starts the program and answers HTTP until it ends.

    Args:
        options: Arguments of the program.

    Returns:
        The exit status of the program; 128 and the number of the signal that ended it.

    Raises:
        OSError: if the endpoint cannot listen, or the program cannot be started.
    """
    runner = web.AppRunner(
        HttpEndpoint(options.grpc_url, options.max_body).application(), access_log=None, shutdown_timeout=5.0
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, options.address, options.port).start()
        process = await asyncio.create_subprocess_exec(*options.command)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _pass_on, process, number)
        status = await process.wait()
    finally:
        await runner.cleanup()
    return status if status >= 0 else 128 - status


def _pass_on(process: asyncio.subprocess.Process, number: int) -> None:
    if process.returncode is None:
        process.send_signal(number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of `python -m emrys.components.serving.http_endpoint`."""
    options = Options.parse(sys.argv[1:] if arguments is None else arguments)
    try:
        return asyncio.run(serve(options))
    except OSError as error:
        print(f"http_endpoint: {options.address}:{options.port}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
