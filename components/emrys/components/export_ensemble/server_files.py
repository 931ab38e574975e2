"""Where the Triton server is on this machine: a wheel and the shared library of Python."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emrys.blocks.errors import DependencyError

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_BACKEND_FILES = ("libtriton_python.so", "triton_python_backend_utils.py")


@dataclass(frozen=True)
class ServerFiles:
    """The files that a Triton server is started from.

    Args:
        binary: The program `tritonserver`.
        backend: Files of the Python backend.
        stub: The program that hosts a Python model, built for the Python that runs now.
        libraries: Folder of the shared libraries that the wheel carries.
        python_library: Shared library of the Python that runs now.
    """

    binary: Path
    backend: tuple[Path, ...]
    stub: Path
    libraries: Path
    python_library: Path

    @classmethod
    def find(cls) -> ServerFiles:
        """Finds the server of the wheel `nvidia-pytriton`, without importing it.

        Raises:
            DependencyError: if the wheel or the shared library of Python is missing; it says what to install.
        """
        spec = importlib.util.find_spec("pytriton")
        if spec is None or not spec.submodule_search_locations:
            raise DependencyError(
                "the Triton server is not installed",
                expected="the wheel nvidia-pytriton",
                fix="Install it: pip install 'emrys[serve]'.",
            )
        package = Path(next(iter(spec.submodule_search_locations)))
        root = package / "tritonserver"
        files = cls(
            binary=root / "bin" / "tritonserver",
            backend=tuple(root / "backends" / "python" / name for name in _BACKEND_FILES),
            stub=root / "python_backend_stubs" / _PYTHON / "triton_python_backend_stub",
            libraries=package.parent / "nvidia_pytriton.libs",
            python_library=find_python_library(),
        )
        for path in (files.binary, *files.backend, files.stub, files.libraries):
            if not path.exists():
                raise DependencyError(
                    "the wheel nvidia-pytriton lacks a file",
                    path=path,
                    fix="Install it again: pip install --force-reinstall 'nvidia-pytriton==0.7.0'.",
                )
        return files

    def lay_out_backends(self, folder: Path) -> None:
        """Gives `folder` the one layout that the server looks for: the Python backend's files beside its stub."""
        python = folder / "python"
        python.mkdir(parents=True)
        for file in self.backend:
            (python / file.name).symlink_to(file)
        stub = python / self.stub.name
        shutil.copyfile(self.stub, stub)
        stub.chmod(0o755)  # some installers lose the mode


def mirror_models(repository: Path, folder: Path) -> None:
    """Gives the server folders of its own with links: Python writes what it compiles beside a `model.py`.

    Args:
        repository: The model repository.
        folder: The folder to make, of the same layout; what is in a version folder is linked.
    """
    folder.mkdir()
    for model in repository.iterdir():
        if not model.is_dir():
            continue
        (folder / model.name).mkdir()
        for entry in model.iterdir():
            place = folder / model.name / entry.name
            if entry.is_dir() and entry.name.isdecimal():
                place.mkdir()
                for file in entry.iterdir():
                    (place / file.name).symlink_to(file)
            else:
                place.symlink_to(entry)


def find_python_library() -> Path:
    """Finds the shared library of the Python that runs now, `libpython3.x.so.1.0`.

    Looked at in turn: where this Python says that its libraries are, the loader's cache, and the usual folders.

    Raises:
        DependencyError: if there is none; a bare Debian has Python without it.
    """
    for folder in _library_folders():
        library = folder / f"libpython{_PYTHON}.so.1.0"
        if library.is_file():
            return library
    raise DependencyError(
        f"the Triton server needs the shared library of Python {_PYTHON}, which is not there",
        expected=f"libpython{_PYTHON}.so.1.0",
        fix=f"Install it: apt-get install libpython{_PYTHON}.",
    )


def _library_folders() -> Iterator[Path]:
    for variable in ("LIBDIR", "LIBPL"):
        if folder := sysconfig.get_config_var(variable):
            yield Path(folder)
    yield Path(sys.base_prefix) / "lib"
    for folder in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        if folder:
            yield Path(folder)
    if multiarch := sysconfig.get_config_var("MULTIARCH"):
        yield from (Path("/usr/lib") / multiarch, Path("/lib") / multiarch)
    yield from (Path("/usr/local/lib"), Path("/usr/lib64"), Path("/usr/lib"))
    yield from _loader_folders()


def _loader_folders() -> Iterator[Path]:
    """Folders of the dynamic loader's cache that hold the library."""
    program = shutil.which("ldconfig", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if program is None:
        return
    listing = subprocess.run([program, "-p"], capture_output=True, text=True, check=False).stdout
    for match in re.finditer(rf"^\s*libpython{re.escape(_PYTHON)}\.so\S* .*=> (/\S+)$", listing, re.MULTILINE):
        yield Path(match[1]).parent
