"""Runs a program as long as the other end of standard input is open.

The end of standard input stops the program: it occurs when the owner closes it, and also when the owner is killed.
So neither the program nor its folder outlives the owner. Run as a script, with the grace period in seconds, the folder
and the command.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the kernel keeps it


def supervise(command: list[str], grace: float) -> int:
    """Runs `command` until it ends or standard input ends, then stops all its processes.

    Args:
        command: The program and its arguments.
        grace: Seconds between SIGTERM and SIGKILL.

    Returns:
        The exit status of the program, negative for a signal.
    """
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def watch() -> None:
        while os.read(0, 4096):
            pass
        program.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(grace)
        program.kill()

    threading.Thread(target=watch, daemon=True).start()
    status = program.wait()
    # This process leads the group, so that the signal reaches all processes that the program left running.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    return status


def remove(folder: Path) -> None:
    """Removes a folder, and the regions of shared memory with its name."""
    shutil.rmtree(folder, ignore_errors=True)
    for region in _SHARED_MEMORY.glob(f"{folder.name}*"):  # remain only if a server was killed
        region.unlink(missing_ok=True)


if __name__ == "__main__":
    exit_status = supervise(sys.argv[3:], float(sys.argv[1]))
    remove(Path(sys.argv[2]))
    sys.exit(exit_status & 0xFF)
