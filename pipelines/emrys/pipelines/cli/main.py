"""Entry point of the command `emrys`: errors are one line, with status 2 for invalid input and 1 for a failure."""

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
    """Runs the command line and exits."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: Sequence[str]) -> int:
    """Runs the command line.

    Args:
        arguments: Arguments after `emrys`.

    Returns:
        The exit status: 0 for success, 2 for invalid input, 1 for a failure, 3 if the model did not pass the gate, 130
        if interrupted.
    """
    try:
        status = app(list(arguments) or ["--help"], prog_name="emrys", standalone_mode=False)
        if status == _INTERRUPTED:  # Typer's status for Ctrl-C
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0
    except EmrysError as error:
        return _fail(str(error), error.exit_status)
    except typer.TyperException as error:
        text = " ".join(error.format_message().split())
        return _fail(text, error.exit_code) if text else error.exit_code  # Typer has printed the help
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted; nothing is left half-written", _INTERRUPTED)
    except BrokenPipeError:  # the reader of the output has closed it
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
