"""The Triton server installed on this machine: the wheel `nvidia-pytriton` and the shared library of Python."""

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
class TritonInstallation:
    """Files of an installed Triton server.

    Args:
        binary: The program `tritonserver`.
        backend: Files of the Python backend.
        stub: The program that runs a Python model, built for the running version of Python.
        libraries: Folder of the shared libraries in the wheel.
        python_library: Shared library of the running version of Python.
    """

    binary: Path
    backend: tuple[Path, ...]
    stub: Path
    libraries: Path
    python_library: Path

    @classmethod
    def find(cls) -> TritonInstallation:
        """Finds the server of the wheel `nvidia-pytriton`, without importing it.

        Raises:
            DependencyError: if the wheel or the shared library of Python is missing; the message says what to install.
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
        """Creates the backend folder that the server expects: the files of the Python backend beside its stub.

        The folder `python` in it has to come first in the library path of the server.

        Args:
            folder: Folder of the backends, which is created.
        """
        python = folder / "python"
        python.mkdir(parents=True)
        for file in self.backend:
            (python / file.name).symlink_to(file)
        stub = python / self.stub.name
        shutil.copyfile(self.stub, stub)
        stub.chmod(0o755)  # some installers drop the executable bit
        # For some Pythons the wheel bundles a libpython. It looks for modules such as `_struct` in files that Debian's
        # Python does not have, because it has them built in; the stub gets the library of the Python that runs.
        for bundled in self.libraries.glob(f"libpython3-*.{sys.version_info.minor}.so.1.0"):
            (python / bundled.name).symlink_to(self.python_library)


def mirror_models(repository: Path, folder: Path) -> None:
    """Creates a copy of a model repository out of links, so that the server's compiled Python files stay out of it.

    Args:
        repository: The model repository.
        folder: Folder to create, with the same layout; the contents of version folders are links.
    """
    folder.mkdir()
    for model in repository.iterdir():
        if not model.is_dir():
            continue
        (folder / model.name).mkdir()
        for entry in model.iterdir():
            target = folder / model.name / entry.name
            if entry.is_dir() and entry.name.isdecimal():
                target.mkdir()
                for file in entry.iterdir():
                    (target / file.name).symlink_to(file)
            else:
                target.symlink_to(entry)


def find_python_library() -> Path:
    """Finds the shared library of the running version of Python, `libpython3.x.so.1.0`.

    It searches the folders in Python's build configuration, LD_LIBRARY_PATH, the usual folders, and the cache of the
    dynamic loader.

    Raises:
        DependencyError: if there is none; Debian installs Python without it.
    """
    for folder in _library_folders():
        library = folder / f"libpython{_PYTHON}.so.1.0"
        if library.is_file():
            return library
    raise DependencyError(
        f"the Triton server needs the shared library of Python {_PYTHON}, which is not installed",
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
    """Yields the folders in the cache of the dynamic loader that contain the library."""
    program = shutil.which("ldconfig", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if program is None:
        return
    listing = subprocess.run([program, "-p"], capture_output=True, text=True, check=False).stdout
    for match in re.finditer(rf"^\s*libpython{re.escape(_PYTHON)}\.so\S* .*=> (/\S+)$", listing, re.MULTILINE):
        yield Path(match[1]).parent
