"""Runs a pipeline on this machine in a child process, and follows its output."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from emrys.blocks.errors import ConfigError, EmrysError
from emrys.blocks.io import atomic_file
from emrys.pipelines.local.events import Event, parse_event
from emrys.pipelines.local.progress import Progress
from emrys.pipelines.local.run_request import RunRequest

#: Seconds to wait for the processes of a run to end after SIGINT, SIGTERM and SIGKILL.
GRACE = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 30.0))


class RunError(EmrysError):
    """A local run failed.

    Args:
        text: Message of the step, on one line.
        exit_status: 2 for invalid input, 1 for a failure.
        log: The log of the run.
    """

    def __init__(self, text: str, exit_status: int, log: Path) -> None:
        super().__init__(f"{text if text.endswith(('.', '?')) else f'{text}.'} The log is {log}")
        self.exit_status = exit_status


def run_pipeline(request: RunRequest, progress: Progress, on_line: Callable[[str], None] | None = None) -> None:
    """Runs a pipeline to its end, and writes its output to the log of the run.

    Only the child processes import TensorFlow and KFP. If this call is interrupted (Ctrl-C, SIGTERM), it stops them
    first and removes partially written files.

    Args:
        request: The run.
        progress: Receives the events of the steps.
        on_line: Called with every line of the log.

    Raises:
        ConfigError: if the output folder cannot be used.
        RunError: if a step fails.
    """
    with _locked(request), tempfile.TemporaryDirectory(prefix="emrys-", ignore_cleanup_errors=True) as scratch:
        _remove_partial(request.pipeline_root)
        with request.log.open("wb") as log, _terminable():
            child = subprocess.Popen(
                [sys.executable, "-m", "emrys.pipelines.local.executing"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=request.pipeline_root,
                env=_environment(scratch, request.code),
                start_new_session=True,
            )
            reader = _LogReader(progress, on_line)
            try:
                assert child.stdin is not None  # noqa: S101 - a pipe
                assert child.stdout is not None  # noqa: S101 - a pipe
                with contextlib.suppress(BrokenPipeError), child.stdin as order:
                    order.write(request.to_json().encode())
                for line in child.stdout:
                    log.write(line)
                    log.flush()
                    reader.read(line.decode(errors="replace").rstrip("\r\n"))
                status = child.wait()
            finally:
                _end(child)
                _remove_partial(request.pipeline_root)
        if status or reader.error:
            text, exit_status = reader.failure()
            raise RunError(_with_lasting_report(request, text), exit_status, request.log)


class _LogReader:
    """Passes the events in the lines of a log to the progress, and keeps the first error."""

    def __init__(self, progress: Progress, on_line: Callable[[str], None] | None) -> None:
        self._progress = progress
        self._on_line = on_line
        self.error: Event | None = None

    def read(self, line: str) -> None:
        """Processes one line of the log."""
        event = parse_event(line)
        if self._on_line is not None:
            self._on_line(line)
        if event is not None and event.kind == "error":
            self.error = self.error or event  # the first is the cause; errors of the runner follow it
        elif event is not None:
            self._progress.handle(event)

    def failure(self) -> tuple[str, int]:
        """The message about a failed run, and the exit status."""
        if self.error is not None:
            return self.error.text, int(self.error.fields.get("exit_status", 1))
        return f"{self._progress.current}: the step ended without an error message; it may have run out of memory", 1


def _with_lasting_report(request: RunRequest, text: str) -> str:
    """Copies the report that an error of validate names to an .html file, and names that file in the message."""
    for report in request.pipeline_root.glob("*/validate/report"):
        if str(report) in text:
            with atomic_file(request.validation) as work:
                shutil.copyfile(report, work)
            return text.replace(str(report), str(request.validation))
    return text


@contextlib.contextmanager
def _locked(request: RunRequest) -> Iterator[None]:
    """Creates the folders of a run and locks them against other runs."""
    try:
        request.pipeline_root.mkdir(parents=True, exist_ok=True)
        lock = (request.pipeline_root / ".lock").open("w")
    except OSError as error:
        raise ConfigError(
            f"the output folder cannot be used ({error.strerror})", path=request.output, fix="Choose another --output."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                "another run is writing to this folder", path=request.output, fix="Wait, or choose another --output."
            ) from None
        yield


def _environment(scratch: str, code: Path | None) -> dict[str, str]:
    environment = dict(os.environ)
    if code is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(code), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment["PYTHONUNBUFFERED"] = "1"
    environment["TMPDIR"] = scratch  # KFP leaves a folder for every step
    return environment


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Makes SIGTERM end the block as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the processes of a run: with SIGINT and SIGTERM, then with SIGKILL."""
    for number, seconds in GRACE:
        if child.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            child.wait(seconds)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # processes that a step has left
    if child.stdout is not None:
        child.stdout.close()


def _remove_partial(root: Path) -> None:
    """Removes partially written folders of killed steps."""
    for pattern in (".*.partial", ".*.old"):
        for folder in root.rglob(pattern):
            shutil.rmtree(folder, ignore_errors=True)
