"""Known findings of `pip check` in an environment: docs/installing.md names each of these, and why it holds."""

from __future__ import annotations

import re

#: Beginnings of the complaints that overrides.txt and requirements-nvtabular.lock cause.
EXPLAINED = (
    r"merlin-core 23\.8\.0 requires dask-cuda, which is not installed\.",
    r"merlin-core 23\.8\.0 has requirement pandas<1\.6\.0dev0,>=1\.2\.0, but you have pandas 2\.",
    r"nvidia-pytriton 0\.7\.0 has requirement numpy<2\.0\.0,>=1\.21, but you have numpy 2\.",
    r"nvtabular 23\.8\.0 is not supported on this platform",
)


def unexplained_complaints(output: str) -> list[str]:
    """The lines of `pip check` that no page explains."""
    lines = [line for line in output.splitlines() if line.strip() and line != "No broken requirements found."]
    return [line for line in lines if not any(re.match(pattern, line) for pattern in EXPLAINED)]
