"""Progress of a local run: lines of text, or bars on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TextIO

from rich import progress as bars
from rich.console import Console
from rich.markup import escape

from emrys.pipelines.local.events import Event


def title_of(step: str) -> str:
    """Returns the display name of a step: `infer_schema` is "infer schema"."""
    return step.replace("_", " ")


class Progress:
    """Shows progress as lines of text, for logs and pipes.

    The time of a step is measured from the end of the previous one, so that it includes the start of its process.

    Args:
        steps: Names of all steps, in order.
        stream: Where to write; standard error by default.
        clock: Monotonic clock, in seconds.
    """

    #: Seconds between two lines about the progress of one step.
    interval = 5.0

    def __init__(
        self, steps: Sequence[str], stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.steps = tuple(steps)
        self.finished = 0
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._since = self._reported = clock()

    def __enter__(self) -> Self:
        self.on_begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()

    @property
    def current(self) -> str | None:
        """The running step; None after the last."""
        return self.steps[self.finished] if self.finished < len(self.steps) else None

    def handle(self, event: Event) -> None:
        """Processes an event; events of unknown and of earlier steps are ignored.

        When a later step starts, those before it were skipped: the gate did not pass, or KFP reused their outputs.
        """
        if event.kind == "start" and event.step in self.steps[self.finished + 1 :]:
            self._skip(self.steps.index(event.step))
        if event.step != self.current:
            return
        if event.kind == "progress":
            self.on_progress(event)
        elif event.kind == "message":
            self.on_message(event)
        elif event.kind == "end":
            seconds = self._clock() - self._since
            self.finished += 1
            self._since = self._reported = self._clock()
            self.on_end(event.step, seconds)

    def on_begin(self) -> None:
        """Called when the current step begins."""
        if self.current is not None:
            self._print(f"{self._label(self.current)} ...")

    def on_progress(self, event: Event) -> None:
        """Called when the current step reports progress."""
        if event.text and self._clock() - self._reported >= self.interval:
            self._reported = self._clock()
            self._print(f"      {event.text}")

    def on_message(self, event: Event) -> None:
        """Called when the current step reports a message."""
        self._print(f"      {event.text}")

    def on_end(self, step: str, seconds: float) -> None:
        """Called when a step has ended."""
        self._print(f"{self._label(step)} done in {seconds:.1f} s")
        self.on_begin()

    def on_skip(self, step: str) -> None:
        """Called when a step is skipped."""
        self._print(f"{self._label(step)} skipped")

    def _skip(self, index: int) -> None:
        """Skips the steps before an index."""
        skipped, self.finished = self.steps[self.finished : index], index
        for step in skipped:
            self.on_skip(step)
        self.on_begin()

    def _label(self, step: str) -> str:
        return f"[{self.steps.index(step) + 1}/{len(self.steps)}] {title_of(step)}"

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class BarProgress(Progress):
    """Shows progress on a terminal, one line per step: a bar, the time, and the last text of the step.

    Args:
        steps: Names of all steps, in order.
        console: The terminal.
    """

    def __init__(self, steps: Sequence[str], console: Console) -> None:
        super().__init__(steps)
        self._bars = bars.Progress(
            bars.SpinnerColumn(finished_text="[green]✓"),
            bars.TextColumn("{task.description:<16}"),
            bars.BarColumn(bar_width=24),
            bars.TimeElapsedColumn(),
            bars.TextColumn("{task.fields[text]}"),
            console=console,
        )
        self._tasks = {
            step: self._bars.add_task(title_of(step), start=False, total=None, text="", visible=False)
            for step in self.steps
        }

    def __enter__(self) -> Self:
        self._bars.start()
        self.on_begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def on_progress(self, event: Event) -> None:
        """Moves the bar of the current step."""
        task = self._tasks[event.step]
        if event.fraction is not None:
            self._bars.update(task, total=1.0, completed=min(event.fraction, 0.999))
        if event.text:
            self._bars.update(task, text=escape(event.text))

    def on_message(self, event: Event) -> None:
        """Prints the message above the bars."""
        self._bars.console.print(f"{title_of(event.step)}: {event.text}", markup=False, highlight=False, soft_wrap=True)

    def on_end(self, step: str, seconds: float) -> None:
        """Fills the bar of the step and begins the next one."""
        self._bars.update(self._tasks[step], total=1.0, completed=1.0)
        self.on_begin()

    def on_skip(self, step: str) -> None:
        """Hides the bar of a step."""
        self._bars.update(self._tasks[step], visible=False)

    def on_begin(self) -> None:
        """Shows the bar of the current step."""
        if self.current is not None:
            self._bars.update(self._tasks[self.current], visible=True)
            self._bars.start_task(self._tasks[self.current])
