"""How a component fails: one line at the end of its log, and no traceback where the cause is known."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from emrys.blocks.errors import EmrysError
from emrys.components.running import emit


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
