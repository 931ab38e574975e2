"""The data, an untrained model, a finished run, and what is left of one that was killed: made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from emrys.components.build_model import step as build_model
from emrys.components.contracts.model import ModelArtifact
from emrys.components.train.step import run
from tests.components.train.ratings import FAST, SMALL, write_data, write_schema

KILLED = """
import os, signal, sys
from pathlib import Path
from emrys.components.train.epochs import Epochs
from emrys.components.train.step import run
from tests.components.train.ratings import FAST

def die(self, batch, logs=None):
    if len(self.history) == 2 and batch == 3:
        os.kill(os.getpid(), signal.SIGKILL)

Epochs.on_train_batch_end = die
inputs = Path(sys.argv[1])
run(inputs / "data", inputs / "schema", inputs / "model", FAST, Path(sys.argv[2]))
"""


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `data`, `schema` and an untrained `model`."""
    root = tmp_path_factory.mktemp("inputs")
    write_data(root / "data")
    write_schema(root / "schema")
    build_model.run(root / "schema", SMALL, root / "model")
    return root


@pytest.fixture(scope="session")
def trained(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    """Result of `FAST`, never interrupted."""
    output = tmp_path_factory.mktemp("trained") / "out"
    return run(inputs / "data", inputs / "schema", inputs / "model", FAST, output)


@pytest.fixture(scope="session")
def killed(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a process was killed in its third epoch."""
    folder = tmp_path_factory.mktemp("killed")
    child = subprocess.run(
        [sys.executable, "-c", KILLED, str(inputs), str(folder / "out")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert child.returncode == -9, child.stderr[-3000:]
    return folder
