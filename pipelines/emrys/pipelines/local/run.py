"""Runs a pipeline on this machine, in a process of its own, and watches it."""

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
from emrys.pipelines.local.events import Event, find_event
from emrys.pipelines.local.progress import Progress
from emrys.pipelines.local.run_request import RunRequest

#: Seconds that the processes of a run get to end: after SIGINT, after SIGTERM, after SIGKILL.
GRACE = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 30.0))


class RunError(EmrysError):
    """A local run failed.

    Args:
        text: What the step said, on one line.
        exit_status: 2 for a mistake in what the user gave, 1 for a failure.
        log: The log of the run.
    """

    def __init__(self, text: str, exit_status: int, log: Path) -> None:
        super().__init__(f"{text if text.endswith(('.', '?')) else f'{text}.'} The log is {log}")
        self.exit_status = exit_status


def run_pipeline(request: RunRequest, progress: Progress, on_line: Callable[[str], None] | None = None) -> None:
    """Runs the pipeline to its end; its output goes to the log of the run.

    TensorFlow and KFP are imported only by the processes that are started here. When this call is interrupted
    (Ctrl-C, SIGTERM), they are stopped first, and what they had written by half is removed.

    Args:
        request: What to run.
        progress: Is told what the steps report.
        on_line: Called with every line of the log, for those who want to read along.

    Raises:
        ConfigError: if the output folder cannot be used.
        RunError: if a step fails.
    """
    with _locked(request), tempfile.TemporaryDirectory(prefix="emrys-", ignore_cleanup_errors=True) as scratch:
        _sweep(request.pipeline_root)
        with request.log.open("wb") as log, _terminable():
            child = subprocess.Popen(
                [sys.executable, "-m", "emrys.pipelines.local.local_main"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=request.pipeline_root,
                env=_environment(scratch),
                start_new_session=True,
            )
            watcher = _Watcher(progress, on_line)
            try:
                assert child.stdin is not None  # noqa: S101 - a pipe
                assert child.stdout is not None  # noqa: S101 - a pipe
                with contextlib.suppress(BrokenPipeError), child.stdin as order:
                    order.write(request.to_json().encode())
                for line in child.stdout:
                    log.write(line)
                    log.flush()
                    watcher.read(line.decode(errors="replace").rstrip("\r\n"))
                status = child.wait()
            finally:
                _end(child)
                _sweep(request.pipeline_root)
        if status or watcher.error:
            text, exit_status = watcher.verdict()
            raise RunError(_with_page(request, text), exit_status, request.log)


class _Watcher:
    """Reads the lines of a run, tells the progress about events, and remembers what went wrong."""

    def __init__(self, progress: Progress, on_line: Callable[[str], None] | None) -> None:
        self._progress = progress
        self._on_line = on_line
        self.error: Event | None = None

    def read(self, line: str) -> None:
        """Takes in one line of the log."""
        event = find_event(line)
        if self._on_line is not None:
            self._on_line(line)
        if event is not None and event.kind == "error":
            self.error = self.error or event  # the first is the cause; the runner's own come after it
        elif event is not None:
            self._progress.handle(event)

    def verdict(self) -> tuple[str, int]:
        """What to say about a failure, and the exit status."""
        if self.error is not None:
            return self.error.text, int(self.error.fields.get("exit_status", 1))
        return f"{self._progress.current}: the step ended without saying why; perhaps memory ran out", 1


def _with_page(request: RunRequest, text: str) -> str:
    """What a step said; the page that validate names when it stops gets a place where a browser knows what it is."""
    for page in request.pipeline_root.glob("*/validate/report"):
        if str(page) in text:
            with atomic_file(request.validation) as work:
                shutil.copyfile(page, work)
            return text.replace(str(page), str(request.validation))
    return text


@contextlib.contextmanager
def _locked(request: RunRequest) -> Iterator[None]:
    """Makes the folders of a run and holds them against another run."""
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


def _environment(scratch: str) -> dict[str, str]:
    environment = dict(os.environ)
    environment["PYTHONUNBUFFERED"] = "1"
    environment["TMPDIR"] = scratch  # KFP leaves a folder behind for every step
    return environment


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Lets SIGTERM end the block as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the processes of a run: asked first, and killed when they do not listen."""
    for number, seconds in GRACE:
        if child.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            child.wait(seconds)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # what a step left behind
    if child.stdout is not None:
        child.stdout.close()


def _sweep(root: Path) -> None:
    """Removes what a killed step had written by half."""
    for pattern in (".*.partial", ".*.old"):
        for folder in root.rglob(pattern):
            shutil.rmtree(folder, ignore_errors=True)
