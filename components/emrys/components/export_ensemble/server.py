"""A Triton server on this machine, started from the wheel `nvidia-pytriton`."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
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
from emrys.components.export_ensemble import supervisor
from emrys.components.export_ensemble.ports import choose_port, reachable
from emrys.components.export_ensemble.server_files import ServerFiles, mirror_models
from emrys.components.export_ensemble.server_log import PORT_TAKEN, reason_in_log

_ATTEMPTS = 3  # a free port can be taken by another process between the choice and the start


class TritonServer:
    """A running Triton server for one model repository; a context manager.

    Several can run at once: each has its own ports, folder and shared-memory names. The server ends with the block,
    answering the requests under way first, and also when this process is killed.

    Args:
        repository: Folder that holds one folder per model.
        http_port: Port for HTTP; 0 takes a free one.
        grpc_port: Port for gRPC; 0 takes a free one.
        metrics_port: Port for metrics; 0 takes a free one, None serves none.
        address: Address to listen on.
        log_file: Where the server's log goes; without it a temporary file, kept only after a failure.
        start_timeout: Seconds until every model must be ready.
        stop_timeout: Seconds that requests under way get when the server is stopped.

    Raises:
        DependencyError: if the server is not installed.
        ServingError: on entering, if the server does not become ready; it tells the server's reason and its log.
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
        self._asked = (http_port, grpc_port, metrics_port)
        self.http_port, self.grpc_port, self.metrics_port = self._asked
        self._files = ServerFiles.find()
        self._log_file = None if log_file is None else Path(log_file)
        self._own_log = log_file is None
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def http_url(self) -> str:
        """Host and port for HTTP, as a client wants them."""
        return f"{reachable(self.address)}:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        """Host and port for gRPC, as a client wants them."""
        return f"{reachable(self.address)}:{self.grpc_port}"

    @property
    def log_file(self) -> Path | None:
        """The server's log; None before the start when no file was asked for."""
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
        """Whether the server's process is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stops the server: requests under way are answered, then every process is gone."""
        self._end_process()
        if self._folder is not None:
            supervisor.remove(self._folder)
            self._folder = None

    def check(self) -> None:
        """Raises ServingError when the server has ended."""
        if not self.is_running():
            raise self._failure("the Triton server ended")

    def _choose_ports(self) -> None:
        http_port, grpc_port, metrics_port = self._asked
        with contextlib.ExitStack() as held:
            self.http_port = choose_port(self.address, http_port, held)
            self.grpc_port = choose_port(self.address, grpc_port, held)
            if metrics_port is not None:
                self.metrics_port = choose_port(self.address, metrics_port, held)

    def _lay_out(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="emrys-triton-"))
        self._files.lay_out_backends(self._folder / "backends")
        mirror_models(self.repository.resolve(), self._folder / "models")

    def _start(self, last: bool) -> bool:
        """Starts the server and waits for it; False when its ports were taken and others can be tried."""
        if self._log_file is None:
            handle, name = tempfile.mkstemp(prefix="emrys-triton-", suffix=".log")
            os.close(handle)
            self._log_file = Path(name)
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._supervisor(), *self._command()],
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
                if 0 in self._asked and not last and PORT_TAKEN.search(_read(self._log_file)):
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
            # Every model is described in full; without this each Python model is started twice, once to ask it.
            "--disable-auto-complete-config",
            f"--exit-timeout-secs={max(1, round(self.stop_timeout))}",
        ]

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        libraries = [str(self._files.libraries), str(self._files.python_library.parent)]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
        # The stub embeds Python, does not look at PYTHONPATH, and takes its packages from where it finds `python3`.
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
            connection.request("GET", "/v2")  # a server of somebody else can answer on a port that was just taken
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
                process.stdin.close()  # the order to stop
        try:
            process.wait(self.stop_timeout + 10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _failure(self, problem: str) -> ServingError:
        log = self._log_file
        reason = None if log is None else reason_in_log(_read(log))
        return ServingError(problem, path=log, got=reason, fix="The file named here is the server's log.")


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
    """Serves a model repository until SIGINT or SIGTERM, then stops in order.

    Args:
        repository: Folder that holds one folder per model.
        http_port: Port for HTTP; 0 takes a free one.
        grpc_port: Port for gRPC; 0 takes a free one.
        metrics_port: Port for metrics; 0 takes a free one, None serves none.
        address: Address to listen on.
        log_file: Where the server's log goes.
        start_timeout: Seconds until every model must be ready.
        on_ready: Called once with the server when it answers.

    Raises:
        DependencyError: if the server is not installed.
        ServingError: if the server does not start, or ends by itself.
    """
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
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
        for number, handler in before.items():
            signal.signal(number, handler)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
