"""Runs the programs of `examples/from_merlin`: written as for Merlin Models, but for one import."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import keras
import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "from_merlin"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.fixture(autouse=True)
def _as_in_a_new_process():
    yield
    keras.backend.clear_session()


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # some programs are written in the first generation
def test_program(name):
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_import_differs(name):
    imports = []
    for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imports += [(alias.name, alias.asname) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append((node.module, None))
    ours = [
        (module, alias) for module, alias in imports if module.split(".")[0] in ("emrys", "examples", "keras", "tests")
    ]
    assert ours == [("emrys.blocks", "mm")]
