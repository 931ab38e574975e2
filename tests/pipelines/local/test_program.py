from __future__ import annotations

import sys
from pathlib import Path

import pytest

from emrys.pipelines.local.summary import command_name


@pytest.fixture
def venv(tmp_path, monkeypatch):
    """An environment in the current folder, with the command in it; nothing else is on the search path."""
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "emrys"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    return folder


def test_in_an_environment_that_is_not_active(venv):
    assert command_name() == ".venv/bin/emrys"


def test_from_another_folder(venv, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert command_name() == str(venv / "emrys")


def test_in_an_active_environment(venv, monkeypatch):
    monkeypatch.setenv("PATH", str(venv))
    assert command_name() == "emrys"


def test_another_program_of_that_name(venv, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "emrys").write_bytes((venv / "emrys").read_bytes())
    (other / "emrys").chmod(0o755)
    monkeypatch.setenv("PATH", str(other))
    assert command_name() == ".venv/bin/emrys"


def test_without_an_installed_command(venv):
    Path(venv / "emrys").unlink()
    assert command_name() == "emrys"
