"""The environment that `make` installs, which Python it takes, and the package beside folders of the same names."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.pip_check import unexplained_complaints

ROOT = Path(__file__).resolve().parents[1]
FIND_PYTHON = ROOT / "tools" / "find-python"


@pytest.mark.slow
def test_packages_fit_each_other_but_for_what_the_documentation_explains():
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert done.stdout.strip()
    assert unexplained_complaints(done.stdout) == []
    assert unexplained_complaints("kfp 2.17.0 has requirement click==8.1, but you have click 8.2.") != []


@pytest.mark.slow
def test_nvtabular_may_be_imported_first(tmp_path):
    code = (
        "import pandas as pd, nvtabular as nvt\n"
        "frame = pd.DataFrame({'a': ['x', 'y', 'x']})\n"
        "print(*nvt.Workflow(['a'] >> nvt.ops.Categorify(out_path='.')).fit_transform(nvt.Dataset(frame))"
        ".to_ddf().compute()['a'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "3 4 3", done.stderr


@pytest.mark.slow
def test_works_beside_folders_of_the_same_names(tmp_path):
    """Most users of Kubeflow have a `components` folder of their own."""
    for name in ("blocks", "components", "pipelines"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('this folder is the user's own')\n")
    code = (
        "import emrys.blocks as mm, emrys.components.ingest.step, emrys.pipelines.config.config\n"
        "from emrys.pipelines.cli.main import call\n"
        "print(mm.MLPBlock.__module__, call(['compile', 'ranking', '-o', 'ranking.yaml']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "emrys.blocks.mlp.mlp_block 0", done.stderr
    assert "emrys.components" in (tmp_path / "ranking.yaml").read_text(encoding="utf-8")


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def _find(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", FIND_PYTHON], env={"PATH": str(folder)}, capture_output=True, text=True, check=False
    )


def test_make_takes_the_newest_python_that_starts(tmp_path):
    _program(tmp_path / "bin", "python3.13", "exit 127")  # a shim without a Python behind it
    _program(tmp_path / "bin", "python3.11", "echo 11")
    _program(tmp_path / "bin", "python3.12", "echo 12")
    _program(tmp_path / "bin", "python3", "echo 14")  # newer than Emrys runs on
    assert _find(tmp_path / "bin").stdout.strip() == str(tmp_path / "bin" / "python3.12")


def test_without_a_python_that_fits_uv_brings_one(tmp_path):
    _program(tmp_path / "bin", "python3", "echo 10")
    _program(tmp_path / "bin", "uv", f'echo "$@" >>{tmp_path}/asked; [ "$2" != find ] || echo /somewhere/python3.13')
    assert _find(tmp_path / "bin").stdout.strip() == "/somewhere/python3.13"
    assert (tmp_path / "asked").read_text().splitlines() == ["python install --quiet 3.13", "python find 3.13"]


def test_without_any_the_message_says_what_to_do(tmp_path):
    _program(tmp_path / "bin", "python3", "echo 10")
    done = _find(tmp_path / "bin")
    assert done.returncode == 1
    for fact in ("3.11, 3.12 and 3.13", "tried: python3", "apt-get install python3-venv", "make PYTHON="):
        assert fact in done.stderr


@pytest.mark.parametrize("name", ["blocks", "components", "pipelines"])
def test_nothing_is_installed_under_a_bare_name(name):
    assert not (Path(sysconfig.get_path("purelib")) / name).exists()
