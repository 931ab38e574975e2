"""Git revision of the running code."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

#: Environment variable with the revision that an image was built from.
VARIABLE = "EMRYS_REVISION"
UNKNOWN = "unknown"


def revision(folder: Path = Path(__file__).parent) -> str:
    """Git revision of the code.

    Args:
        folder: Folder of the code.

    Returns:
        The environment variable `EMRYS_REVISION` if it is set, otherwise the commit of the checkout, followed by
        ` and changes` if there are uncommitted ones; `unknown` without either.
    """
    variable = os.environ.get(VARIABLE, "").strip()
    if variable:
        return variable
    commit = _git(folder, "rev-parse", "HEAD")
    # In the checkout of another project (for example a virtual environment inside it), git does not track this code.
    if not commit or not _git(folder, "ls-files", "--", "."):
        return UNKNOWN
    return f"{commit} and changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else commit


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
