"""Lays out the Triton server of the wheel as its program wants it; run when the image is built, with the folder."""

from __future__ import annotations

import sys
from pathlib import Path

from emrys.components.serving.installation import TritonInstallation

folder = Path(sys.argv[1])
files = TritonInstallation.find()
files.lay_out_backends(folder / "backends")
(folder / "tritonserver").symlink_to(files.binary)
(folder / "libraries").symlink_to(files.libraries)
(folder / "python").symlink_to(files.python_library.parent)
