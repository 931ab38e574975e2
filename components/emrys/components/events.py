"""What surrounds the work of a step: events for whoever watches, and errors on one line."""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from collections.abc import Iterator
from typing import Any

from emrys.blocks.errors import EmrysError

#: Lines of standard error that begin with this are events; the rest is log. `pipelines` shows them as progress.
EVENT_PREFIX = "emrys-event "


def emit(step: str, event: str, **fields: Any) -> None:
    """Reports something to whoever runs the step, as one line of JSON on standard error.

    Args:
        step: Name of the step.
        event: `start`, `progress` (with `done` and `total`), `message` (with `text`), `end`, or `error`.
        **fields: JSON values that go with the event.
    """
    line = json.dumps({"step": step, "event": event, **fields}, sort_keys=True)
    print(EVENT_PREFIX + line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def running(step: str) -> Iterator[None]:
    """Surrounds the work of a step: reports its start and end, and names the step in its errors.

    A full disk and a file that may not be written become an `EmrysError` too. The error is reported as an event and
    raised on, so that the runner sees the step fail.

    Args:
        step: Name of the step.
    """
    emit(step, "start")
    try:
        yield
    except EmrysError as error:
        error.step = error.step or step
        emit(step, "error", text=str(error), exit_status=error.exit_status)
        raise
    except OSError as error:
        told = _explain(step, error)
        if told is None:
            raise
        emit(step, "error", text=str(told), exit_status=told.exit_status)
        raise told from error
    emit(step, "end")


def _explain(step: str, error: OSError) -> EmrysError | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EmrysError("the disk is full", step=step, path=error.filename, fix="Free some space and run again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return EmrysError("writing is not permitted", step=step, path=error.filename, fix="Choose another --output.")
    return None


@contextlib.contextmanager
def one_line_errors(step: str) -> Iterator[None]:
    """Surrounds the body of a component; whatever goes wrong in it is reported as an event.

    An `EmrysError` then ends the process with its one line and status 1, which is all that Kubeflow looks at; the
    event carries the exit status that a command line should give. Any other error is a bug and keeps its traceback.

    Args:
        step: Name of the step.
    """
    try:
        yield
    except EmrysError as error:
        error.step = error.step or step
        emit(step, "error", text=str(error), exit_status=error.exit_status)
        sys.exit(str(error))
    except Exception as error:
        emit(step, "error", text=f"{step}: {type(error).__name__}: {' '.join(str(error).split())}", exit_status=1)
        raise
