"""Runs a program for as long as somebody holds the other end of standard input.

The end of standard input is the order to stop: it comes when the owner closes it, and also when the owner is killed.
So the program never outlives its owner, whatever ends it, and its folder does not either. Run as a script, with the
seconds of grace, the folder and the command.
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
    """Starts `command`, stops it when standard input ends, and leaves none of its processes behind.

    Args:
        command: The program and its arguments.
        grace: Seconds between asking it to end (SIGTERM) and killing it.

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
    # This process leads the group: what the program started and left behind goes with it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    return status


def remove(folder: Path) -> None:
    """Removes a folder, and the regions of shared memory that carry its name."""
    shutil.rmtree(folder, ignore_errors=True)
    for region in _SHARED_MEMORY.glob(f"{folder.name}*"):  # left behind only by a server that was killed
        region.unlink(missing_ok=True)


if __name__ == "__main__":
    exit_status = supervise(sys.argv[3:], float(sys.argv[1]))
    remove(Path(sys.argv[2]))
    sys.exit(exit_status & 0xFF)
