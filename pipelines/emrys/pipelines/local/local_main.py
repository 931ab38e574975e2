"""Executes a local run in a process of its own: `python -m emrys.pipelines.local.local_main`, the request on its input."""

from __future__ import annotations

import signal
import sys
import traceback

from emrys.components.events import one_line_errors
from emrys.pipelines.local.executing import StepFailed, execute
from emrys.pipelines.local.run_request import RunRequest

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell in the background had SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    with one_line_errors("pipeline"):
        try:
            execute(RunRequest.from_json(sys.stdin.read()))
        except StepFailed:
            traceback.print_exc()
            sys.exit(1)
