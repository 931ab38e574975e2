"""One real server for all tests of serving, because it takes seconds to start."""

from __future__ import annotations

import json
import os
import resource
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from emrys.blocks.errors import DependencyError
from emrys.components.serving.installation import TritonInstallation
from emrys.components.serving.server import TritonServer
from tests.components.serving.small_ensemble import write_small_repository


def need_server() -> None:
    """Skips a test if no server is installed; in CI that is a failure."""
    try:
        TritonInstallation.find()
    except DependencyError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model repository of the small ensemble."""
    folder = tmp_path_factory.mktemp("small")
    write_small_repository(folder / "models", folder)
    return folder / "models"


@pytest.fixture(scope="session")
def server(models: Path) -> Iterator[TritonServer]:
    """A real server with the small ensemble; it must run until the end of the session."""
    need_server()
    with TritonServer(models) as running:
        yield running
        running.check()


def memory_of(server: TritonServer) -> int:
    """Resident bytes of all processes of a server; each has the server's name in its command line."""
    with urllib.request.urlopen(f"http://{server.http_url}/v2", timeout=20) as response:
        name = json.load(response)["name"].encode()
    pages = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if name in (folder / "cmdline").read_bytes():
                pages += int((folder / "statm").read_text().split()[1])
        except OSError:
            continue
    return pages * resource.getpagesize()
