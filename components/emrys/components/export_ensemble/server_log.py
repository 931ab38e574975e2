"""What a Triton server's log says."""

from __future__ import annotations

import re

#: How the log of a server looks whose port another process has taken.
PORT_TAKEN = re.compile(r"already in use|failed to bind|Failed to start \S+ service|bind\(\) failed", re.IGNORECASE)


def reason_in_log(log: str) -> str | None:
    """The line of a server's log that says best why it ended.

    Args:
        log: The whole log.

    Returns:
        The first model that failed to load, else the last error, else the last line; without the prefix of the log.
    """
    errors = [match[1].strip(' "') for match in re.finditer(r"^E\d{4} [^\]]*\] (.*)$", log, re.MULTILINE)]
    loading = [line for line in errors if line.startswith("failed to load")]
    telling = [line for line in errors if not line.startswith(("creating server", "CudaDriverHelper"))]
    lines = [line.strip() for line in log.splitlines() if line.strip(" +-|")]
    chosen = loading[:1] or telling[-1:] or lines[-1:]
    # Where the exception comes from in the code follows in the same line, and stays in the log.
    return chosen[0].split(r"\n\nAt:")[0].replace(r"\n", " ") if chosen else None
