from __future__ import annotations

import importlib.util
import sys
import sysconfig
from pathlib import Path

import pytest

from emrys.blocks.errors import DependencyError
from emrys.components.serving.installation import TritonInstallation, find_python_library

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without libpython in its folders and the loader's cache."""
    for variable in ("LIBDIR", "LIBPL", "MULTIARCH"):
        monkeypatch.setitem(sysconfig.get_config_vars(), variable, str(tmp_path / variable))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    ldconfig = tmp_path / "ldconfig"
    ldconfig.write_text("#!/bin/sh\necho '1 libs found in cache'\n")
    ldconfig.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    real = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: path.is_relative_to(tmp_path) and real(path))
    return tmp_path


def test_without_the_library_of_python_it_says_what_to_install(bare):
    with pytest.raises(DependencyError) as caught:
        find_python_library()
    assert f"expected libpython{PYTHON}.so.1.0" in str(caught.value)
    assert f"apt-get install libpython{PYTHON}" in str(caught.value)


def test_the_cache_of_the_loader_is_searched(bare):
    folder = bare / "odd"
    folder.mkdir()
    library = folder / f"libpython{PYTHON}.so.1.0"
    library.touch()
    (bare / "ldconfig").write_text(f"#!/bin/sh\necho '\tlibpython{PYTHON}.so.1.0 (libc6,x86-64) => {library}'\n")
    assert find_python_library() == library


def test_the_library_folder_of_python_comes_first(bare):
    for folder in ("LIBDIR", "lib"):
        (bare / folder).mkdir()
        (bare / folder / f"libpython{PYTHON}.so.1.0").touch()
    assert find_python_library() == bare / "LIBDIR" / f"libpython{PYTHON}.so.1.0"


def test_without_the_wheel_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"Triton.*pip install 'emrys\[serve\]'"):
        TritonInstallation.find()


def test_the_stub_gets_the_library_of_the_python_that_runs(tmp_path):
    """The wheel's own libpython lacks modules that Debian's Python has built in."""
    minor = sys.version_info.minor
    (tmp_path / "wheel").mkdir()
    for name in (f"libpython3-0a1b.{minor}.so.1.0", f"libpython3-0a1b.{minor - 1}.so.1.0", "libssl-0a1b.so.3", "stub"):
        (tmp_path / "wheel" / name).write_text(name)
    (tmp_path / "libpython.so").write_text("of the system")
    installation = TritonInstallation(
        binary=tmp_path / "tritonserver",
        backend=(),
        stub=tmp_path / "wheel" / "stub",
        libraries=tmp_path / "wheel",
        python_library=tmp_path / "libpython.so",
    )
    installation.lay_out_backends(tmp_path / "backends")
    laid_out = {file.name: file.read_text() for file in (tmp_path / "backends" / "python").iterdir()}
    assert laid_out == {"stub": "stub", f"libpython3-0a1b.{minor}.so.1.0": "of the system"}
