"""The command to tell a user, so that it can be copied as it is."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """`emrys`, or its path where the shell would not find it: `make demo` runs it out of `.venv/bin`."""
    own = Path(sys.executable).with_name("emrys")
    found = shutil.which("emrys")
    if not own.is_file() or (found is not None and Path(found).samefile(own)):
        return "emrys"
    return shlex.quote(os.path.relpath(own) if own.is_relative_to(Path.cwd()) else str(own))
