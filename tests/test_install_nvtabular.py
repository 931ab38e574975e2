"""`tools/install-nvtabular` in an environment without pip, as uv makes them, with stand-ins for uv and Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[1] / "tools" / "install-nvtabular"

NO_PIP = '#!/bin/sh\n[ "$1 $2" != "-m pip" ] || exit 1\n'
#: Writes down how it is called, and lays a wheel of one file where it is asked to.
UV = """#!/bin/sh
echo "$@" > {folder}/called
while [ "$1" != --dest ]; do shift; done
cd "$2" && {python} -c 'import zipfile; zipfile.ZipFile("n.whl", "w").writestr("nvtabular/__init__.py", "found = 1")'
"""


def _program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_uv_brings_the_wheel_where_no_python_has_pip(tmp_path):
    _program(tmp_path / "python3", NO_PIP + "exit 1\n")
    _program(tmp_path / "uv", UV.format(folder=tmp_path, python=sys.executable))
    site = tmp_path / "site"
    where = f'[ "$1" != -c ] || {{ echo {site}; exit; }}\n'
    python = _program(tmp_path / "python", f'{NO_PIP}{where}exec {sys.executable} "$@"\n')
    subprocess.run([TOOL, python], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True)
    assert (site / "nvtabular" / "__init__.py").read_text() == "found = 1"
    called = (tmp_path / "called").read_text().split()
    assert called[:5] == ["tool", "run", "--quiet", "pip", "download"]
    assert "--require-hashes" in called
    assert called[-1].endswith("requirements-nvtabular.lock")
