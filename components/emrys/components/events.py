"""Events that a step reports on standard error, and errors on one line."""

from __future__ import annotations

import contextlib
import errno
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from emrys.blocks.errors import EmrysError

#: Lines of standard error that begin with this prefix are events; `pipelines` shows them as progress.
EVENT_PREFIX = "emrys-event "

#: Time at which the current step began, on the monotonic clock.
_begin: ContextVar[float | None] = ContextVar("begin", default=None)


def emit(step: str, event: str, **fields: Any) -> None:
    """Writes an event as one line of JSON to standard error.

    Args:
        step: Name of the step.
        event: `start`, `progress` (with `done` and `total`), `message` (with `text`), `end`, or `error`.
        **fields: Further JSON values of the event.
    """
    line = json.dumps({"step": step, "event": event, **fields}, sort_keys=True)
    print(EVENT_PREFIX + line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def step_events(step: str) -> Iterator[None]:
    """Reports the start, the end and the errors of a step, and adds the name of the step to its errors.

    A full disk and a missing write permission become an `EmrysError`. Errors are raised again after they are reported.

    Args:
        step: Name of the step.
    """
    emit(step, "start")
    token = _begin.set(time.monotonic())
    try:
        yield
    except EmrysError as error:
        error.step = error.step or step
        emit(step, "error", text=str(error), exit_status=error.exit_status)
        raise
    except OSError as error:
        explained = _explain(step, error)
        if explained is None:
            raise
        emit(step, "error", text=str(explained), exit_status=explained.exit_status)
        raise explained from error
    finally:
        _begin.reset(token)
    emit(step, "end")


def step_usage() -> dict[str, float] | None:
    """Seconds since the current step began, and peak memory of its process in bytes; None outside of a step."""
    begin = _begin.get()
    if begin is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kib = 1 if sys.platform == "darwin" else 1024
    return {"seconds": round(time.monotonic() - begin, 3), "peak_memory": peak * kib}


def _explain(step: str, error: OSError) -> EmrysError | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EmrysError("the disk is full", step=step, path=error.filename, fix="Free some space and run again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return EmrysError("writing is not permitted", step=step, path=error.filename, fix="Choose another --output.")
    return None


@contextlib.contextmanager
def one_line_errors(step: str) -> Iterator[None]:
    """Reports any error in the body of a KFP component as an event.

    An `EmrysError` ends the process with its one-line message and status 1, the only status that Kubeflow looks at; the
    event carries the exit status for a command line. Any other error is a bug and keeps its traceback.

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
