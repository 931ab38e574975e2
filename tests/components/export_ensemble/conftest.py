"""One real server for all tests of the export: it starts in seconds, not in milliseconds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from emrys.blocks.errors import DependencyError
from emrys.components.export_ensemble.server import TritonServer
from emrys.components.export_ensemble.server_files import ServerFiles
from tests.components.export_ensemble.small_ensemble import write_small_repository


def need_server() -> None:
    """Skips a test where no server is installed; in CI that is a failure."""
    try:
        ServerFiles.find()
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
    """A real server with the small ensemble; it must live to the end of the session."""
    need_server()
    with TritonServer(models) as running:
        yield running
        running.check()
