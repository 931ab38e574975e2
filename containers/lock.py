"""Writes the requirement files of the images anew from pyproject.toml, with the versions of requirements.lock.

.venv/bin/python containers/lock.py
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTAINERS = ROOT / "containers"

#: What the base with cuDF brings, in versions that cuDF is linked with; the environment must not hide them.
OF_CUDF = ("dask", "distributed", "llvmlite", "numba", "numpy", "pandas", "pyarrow", "pynvml")


@dataclass(frozen=True)
class Requirements:
    """One requirement file.

    Args:
        file: Its place under `containers`.
        extras: Extras of the project that it holds.
        python: Python of the base; by default all that the project runs on.
        without: Packages that the base brings.
    """

    file: str
    extras: tuple[str, ...]
    python: str | None = None
    without: tuple[str, ...] = ()

    def write(self) -> None:
        """Resolves the extras within the versions of the lock."""
        where = ["--universal", "--python-version", "3.11"]
        if self.python is not None:
            where = ["--python-platform", "x86_64-manylinux_2_35", "--python-version", self.python]
        options = [f"--extra={extra}" for extra in self.extras]
        options += [f"--no-emit-package={package}" for package in self.without]
        _compile(self.file, [*where, *options, "pyproject.toml"])


#: What every step needs: the project itself, KFP's executor, and the command line.
COMMON = ("pipelines",)

FILES = (
    Requirements("base/requirements-cpu.txt", COMMON),
    Requirements("base/requirements-cudf.txt", COMMON, python="3.12", without=OF_CUDF),
    Requirements("preprocess/requirements-cpu.txt", (*COMMON, "preprocess")),
    Requirements("preprocess/requirements-gpu.txt", (*COMMON, "preprocess"), python="3.12", without=OF_CUDF),
    Requirements("train/requirements-cpu.txt", (*COMMON, "train", "ann", "cpu")),
    Requirements("train/requirements-gpu.txt", (*COMMON, "train", "ann", "gpu"), python="3.13"),
    Requirements("serve/requirements-cpu.txt", (*COMMON, "preprocess", "serve", "ann", "cpu")),
    Requirements("serve/requirements-gpu.txt", (*COMMON, "preprocess", "serve", "ann", "gpu"), python="3.12"),
)


def _compile(file: str, arguments: list[str], given: str | None = None) -> None:
    command = [Path(sys.executable).parent / "uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-header"]
    command += [
        "--no-strip-extras",
        "--overrides=overrides.txt",
        "--no-annotate",
        "--constraint=requirements.lock",
        f"--output-file={CONTAINERS / file}",
        *arguments,
    ]
    subprocess.run(command, check=True, cwd=ROOT, input=given, text=True)


if __name__ == "__main__":
    for requirements in FILES:
        requirements.write()
    # What packs the wheel of the project, and the four dependencies that have none.
    _compile(
        "base/requirements-build.txt", ["--universal", "--python-version=3.11", "-"], "hatchling\nsetuptools\nwheel\n"
    )
