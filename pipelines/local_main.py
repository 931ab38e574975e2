"""Entry of the process that executes a local run: `python -m pipelines.local_main`, the request on standard input."""

from __future__ import annotations

import signal
import sys
import traceback

from components.failing import one_line_errors
from pipelines.executing import StepFailed, execute
from pipelines.run_request import RunRequest

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell in the background had SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    with one_line_errors("pipeline"):
        try:
            execute(RunRequest.from_json(sys.stdin.read()))
        except StepFailed:
            traceback.print_exc()
            sys.exit(1)
