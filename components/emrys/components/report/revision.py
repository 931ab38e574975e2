"""Which code ran."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

#: Set in the images, to the revision that they were built from.
VARIABLE = "EMRYS_REVISION"
UNKNOWN = "unknown"


def revision(folder: Path = Path(__file__).parent) -> str:
    """The git revision of the code.

    Args:
        folder: Where the code is, which may be in a checkout.

    Returns:
        What the environment variable `EMRYS_REVISION` says, else the commit of the checkout that the code is in, with
        ` and changes` where it was changed since; `unknown` where there is neither.
    """
    said = os.environ.get(VARIABLE, "").strip()
    if said:
        return said
    commit = _git(folder, "rev-parse", "HEAD")
    # In a checkout of something else, an environment inside it for one, the code is not what the commit holds.
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
