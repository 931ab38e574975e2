"""A Triton server on this machine, started from the wheel `nvidia-pytriton`."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from emrys.blocks.errors import ServingError
from emrys.components.serving import supervisor
from emrys.components.serving.installation import TritonInstallation, mirror_models

#: The program that answers HTTP for Triton, and starts it.
_HTTP_ENDPOINT = "emrys.components.serving.http_endpoint"

_ATTEMPTS = 3  # another process can take a free port between the choice and the start

#: Lines in the log of a server whose port another process has taken.
PORT_TAKEN = re.compile(r"already in use|failed to bind|Failed to start \S+ service|bind\(\) failed", re.IGNORECASE)


class TritonServer:
    """A running Triton server for one model repository; a context manager.

    HTTP is answered by `http_endpoint`, which checks requests and passes them on over gRPC, not by Triton itself.
    Several can run at once: each has its own ports, folder and shared-memory names. The server stops at the end of the
    block, after it has answered pending requests, and also if this process is killed.

    Args:
        repository: Folder that contains one folder per model.
        http_port: Port for HTTP; 0 takes a free one.
        grpc_port: Port for gRPC; 0 takes a free one.
        metrics_port: Port for metrics; 0 takes a free one, None disables metrics.
        address: Address to listen on.
        log_file: File for the server's log. Default: a temporary file, kept only after a failure.
        start_timeout: Seconds until every model must be ready. Default: 120.
        stop_timeout: Seconds for pending requests when the server is stopped. Default: 30.

    Raises:
        DependencyError: if the server is not installed.
        ServingError: on entering, if the server does not become ready; the message has the server's reason and its log.
    """

    def __init__(
        self,
        repository: str | os.PathLike[str],
        http_port: int = 0,
        grpc_port: int = 0,
        metrics_port: int | None = None,
        *,
        address: str = "127.0.0.1",
        log_file: str | os.PathLike[str] | None = None,
        start_timeout: float = 120.0,
        stop_timeout: float = 30.0,
    ) -> None:
        self.repository = Path(repository)
        self.address = address
        self.start_timeout = start_timeout
        self.stop_timeout = stop_timeout
        self._requested_ports = (http_port, grpc_port, metrics_port)
        self.http_port, self.grpc_port, self.metrics_port = self._requested_ports
        self._files = TritonInstallation.find()
        self._log_file = None if log_file is None else Path(log_file)
        self._own_log = log_file is None
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def http_url(self) -> str:
        """Host and port for HTTP clients."""
        return f"{reachable(self.address)}:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        """Host and port for gRPC clients."""
        return f"{reachable(self.address)}:{self.grpc_port}"

    @property
    def log_file(self) -> Path | None:
        """The server's log; None before the start if no file was set."""
        return self._log_file

    def __enter__(self) -> Self:
        if not self.repository.is_dir():
            raise ServingError("the model repository is missing", path=self.repository)
        try:
            for attempt in range(_ATTEMPTS):
                self._choose_ports()
                self._lay_out()
                if self._start(last=attempt == _ATTEMPTS - 1):
                    return self
                self.stop()
            raise AssertionError("unreachable")
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None and self._own_log and self._log_file is not None:
            self._log_file.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether the server's process is running."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stops the server and all its processes, after pending requests are answered."""
        self._end_process()
        if self._folder is not None:
            supervisor.remove(self._folder)
            self._folder = None

    def check(self) -> None:
        """Raises ServingError if the server has ended."""
        if not self.is_running():
            raise self._failure("the Triton server ended")

    def _choose_ports(self) -> None:
        http_port, grpc_port, metrics_port = self._requested_ports
        with contextlib.ExitStack() as reserved:
            self.http_port = choose_port(self.address, http_port, reserved)
            self.grpc_port = choose_port(self.address, grpc_port, reserved)
            if metrics_port is not None:
                self.metrics_port = choose_port(self.address, metrics_port, reserved)

    def _lay_out(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="emrys-triton-"))
        self._files.lay_out_backends(self._folder / "backends")
        mirror_models(self.repository.resolve(), self._folder / "models")

    def _start(self, last: bool) -> bool:
        """Starts the server and waits until it is ready; returns False to try again with other ports."""
        if self._log_file is None:
            handle, name = tempfile.mkstemp(prefix="emrys-triton-", suffix=".log")
            os.close(handle)
            self._log_file = Path(name)
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._supervisor(), sys.executable, "-P", "-m", _HTTP_ENDPOINT, *self._command()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,
            )
        deadline = time.monotonic() + self.start_timeout
        while time.monotonic() < deadline:
            if self._is_ready():
                return True
            if not self.is_running():
                if 0 in self._requested_ports and not last and PORT_TAKEN.search(_read(self._log_file)):
                    return False
                raise self._failure("the Triton server did not start")
            time.sleep(0.05)
        raise self._failure(f"the Triton server was not ready after {self.start_timeout:g} s")

    def _supervisor(self) -> list[str]:
        grace = str(self.stop_timeout + 5)
        return [sys.executable, "-I", "-S", supervisor.__file__, grace, str(self._folder)]

    def _command(self) -> list[str]:
        assert self._folder is not None  # noqa: S101 - set before the start
        metrics = ["--allow-metrics=false"]
        if self.metrics_port is not None:
            metrics = [f"--metrics-port={self.metrics_port}", f"--metrics-address={self.address}"]
        return [
            str(self._files.binary),
            f"--id={self._folder.name}",
            f"--model-repository={self._folder / 'models'}",
            f"--backend-directory={self._folder / 'backends'}",
            f"--backend-config=python,shm-region-prefix-name={self._folder.name}",
            f"--http-address={self.address}",
            f"--http-port={self.http_port}",
            f"--grpc-address={self.address}",
            f"--grpc-port={self.grpc_port}",
            *metrics,
            "--allow-gpu-metrics=false",
            "--model-control-mode=none",
            "--exit-on-error=true",
            # The configurations are complete; without this each Python model is started twice, once to complete them.
            "--disable-auto-complete-config",
            f"--exit-timeout-secs={max(1, round(self.stop_timeout))}",
        ]

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        assert self._folder is not None  # noqa: S101 - set before the start
        libraries = [str(self._folder / "backends" / "python"), str(self._files.libraries)]
        libraries.append(str(self._files.python_library.parent))
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
        # The stub embeds Python, ignores PYTHONPATH, and takes its packages from where it finds `python3`.
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        return environment

    def _is_ready(self) -> bool:
        assert self._folder is not None  # noqa: S101 - set before the start
        connection = http.client.HTTPConnection(self.http_url, timeout=2)
        try:
            connection.request("GET", "/v2/health/ready")
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                return False
            connection.request("GET", "/v2")  # another server can answer on a port that was just taken
            return self._folder.name in connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()  # tells the supervisor to stop
        try:
            process.wait(self.stop_timeout + 10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _failure(self, problem: str) -> ServingError:
        log = self._log_file
        reason = None if log is None else reason_in_log(_read(log))
        return ServingError(problem, path=log, got=reason, fix="The path is that of the server's log.")


def serve_forever(
    repository: str | os.PathLike[str],
    http_port: int = 8000,
    grpc_port: int = 8001,
    metrics_port: int | None = 8002,
    *,
    address: str = "127.0.0.1",
    log_file: str | os.PathLike[str] | None = None,
    start_timeout: float = 120.0,
    on_ready: Callable[[TritonServer], None] | None = None,
) -> None:
    """Serves a model repository until SIGINT or SIGTERM, then stops the server.

    Args:
        repository: Folder that contains one folder per model.
        http_port: Port for HTTP; 0 takes a free one.
        grpc_port: Port for gRPC; 0 takes a free one.
        metrics_port: Port for metrics; 0 takes a free one, None disables metrics.
        address: Address to listen on.
        log_file: File for the server's log. Default: a temporary file, kept only after a failure.
        start_timeout: Seconds until every model must be ready. Default: 120.
        on_ready: Called once with the server when it is ready.

    Raises:
        DependencyError: if the server is not installed.
        ServingError: if the server does not start, or ends by itself.
    """
    stop = threading.Event()

    def request_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    previous = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server = TritonServer(
            repository,
            http_port,
            grpc_port,
            metrics_port,
            address=address,
            log_file=log_file,
            start_timeout=start_timeout,
        )
        with server:
            if on_ready is not None:
                on_ready(server)
            while not stop.wait(0.5):
                server.check()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def choose_port(address: str, port: int, reserved: contextlib.ExitStack) -> int:
    """Finds a free port, or checks that the requested one is free.

    Args:
        address: Address to listen on.
        port: The port; 0 takes any.
        reserved: Reserves the port until it is closed, so that the next choice differs.

    Returns:
        The port.

    Raises:
        ServingError: if another process listens on the port, or the address does not belong to this machine.
    """
    opened = reserved.enter_context(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections do not keep a port taken
    try:
        opened.bind((address, port))
    except OSError as error:
        raise ServingError(
            f"the server cannot listen on {address}:{port}",
            got=error.strerror,
            fix="Choose another port; 0 takes a free one.",
        ) from error
    return int(opened.getsockname()[1])


def reachable(address: str) -> str:
    """Returns the address at which this machine reaches a server that listens on `address`."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address, address)  # noqa: S104 - compared, not bound


def reason_in_log(log: str) -> str | None:
    """Extracts the reason why a server ended from its log.

    Args:
        log: The whole log.

    Returns:
        The first model that failed to load, else the last error, else the last line, without the prefix of the log;
        None if the log is empty.
    """
    errors = [match[1].strip(' "') for match in re.finditer(r"^E\d{4} [^\]]*\] (.*)$", log, re.MULTILINE)]
    loading = [line for line in errors if line.startswith("failed to load")]
    relevant = [line for line in errors if not line.startswith(("creating server", "CudaDriverHelper"))]
    lines = [line.strip() for line in log.splitlines() if line.strip(" +-|")]
    chosen = loading[:1] or relevant[-1:] or lines[-1:]
    # The traceback follows in the same line; it is left to the log.
    return chosen[0].split(r"\n\nAt:")[0].replace(r"\n", " ") if chosen else None
