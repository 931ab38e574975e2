"""Entry of the command `emrys`: every error is one line, with exit status 2 for a mistake and 1 for a failure."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

import typer

from emrys.blocks.errors import EmrysError
from emrys.pipelines.cli.app import app

_INTERRUPTED = 130


def main() -> None:
    """Runs the command line and ends the process."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: Sequence[str]) -> int:
    """Runs the command line.

    Args:
        arguments: What stands after `emrys`.

    Returns:
        The exit status: 0, 2 for a mistake in what the user gave, 1 for a failure, 130 when interrupted.
    """
    try:
        status = app(list(arguments) or ["--help"], prog_name="emrys", standalone_mode=False)
        if status == _INTERRUPTED:  # what Typer makes of Ctrl-C
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0
    except EmrysError as error:
        return _fail(str(error), error.exit_status)
    except typer.TyperException as error:
        text = " ".join(error.format_message().split())
        return _fail(text, error.exit_code) if text else error.exit_code  # help was shown
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted; nothing is left half-written", _INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", 1)
    except Exception as error:
        return _fail(f"{type(error).__name__}: {' '.join(str(error).split())}. The log is {_keep_traceback()}", 1)


def _fail(text: str, status: int) -> int:
    print(f"emrys: {text}", file=sys.stderr)
    return status


def _keep_traceback() -> str:
    with tempfile.NamedTemporaryFile("w", prefix="emrys-error-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    return log.name
