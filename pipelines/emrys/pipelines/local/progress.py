"""What a watcher of a local run is told, and the plain way to show it: a line as each step starts and ends."""

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
    """The name of a step for people: `infer_schema` is "infer schema"."""
    return step.replace("_", " ")


class Progress:
    """Shows how a run gets on, as lines of text: for logs, pipes and terminals without a cursor.

    The time of a step is counted from the end of the one before it, so that the start of its process is in it.

    Args:
        steps: Names of all steps, in order.
        stream: Where to write; standard error by default.
        clock: Seconds that only grow.
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
        self._since = self._told = clock()

    def __enter__(self) -> Self:
        self.on_begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()

    @property
    def current(self) -> str | None:
        """The step that runs now; None after the last."""
        return self.steps[self.finished] if self.finished < len(self.steps) else None

    def handle(self, event: Event) -> None:
        """Takes in an event; events of steps that are not known, and of earlier ones, change nothing.

        When a later step begins, those before it have been left out: they are behind a gate that did not open, or
        what they gave in an earlier run was taken again.
        """
        if event.kind == "start" and event.step in self.steps[self.finished + 1 :]:
            self._leave_out(self.steps.index(event.step))
        if event.step != self.current:
            return
        if event.kind == "progress":
            self.on_progress(event)
        elif event.kind == "message":
            self.on_message(event)
        elif event.kind == "end":
            seconds = self._clock() - self._since
            self.finished += 1
            self._since = self._told = self._clock()
            self.on_end(event.step, seconds)

    def on_begin(self) -> None:
        """The current step begins."""
        if self.current is not None:
            self._print(f"{self._place(self.current)} ...")

    def on_progress(self, event: Event) -> None:
        """The current step got on."""
        if event.text and self._clock() - self._told >= self.interval:
            self._told = self._clock()
            self._print(f"      {event.text}")

    def on_message(self, event: Event) -> None:
        """The current step says something."""
        self._print(f"      {event.text}")

    def on_end(self, step: str, seconds: float) -> None:
        """A step has ended."""
        self._print(f"{self._place(step)} done in {seconds:.1f} s")
        self.on_begin()

    def on_left_out(self, step: str) -> None:
        """A step does not run."""
        self._print(f"{self._place(step)} left out")

    def _leave_out(self, place: int) -> None:
        """Passes by the steps before a place."""
        passed, self.finished = self.steps[self.finished : place], place
        for step in passed:
            self.on_left_out(step)
        self.on_begin()

    def _place(self, step: str) -> str:
        return f"[{self.steps.index(step) + 1}/{len(self.steps)}] {title_of(step)}"

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class BarProgress(Progress):
    """Shows a run as one line a step: a bar, the time, and the last thing that the step said.

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
        """Writes what the step says above the bars, where it stays."""
        self._bars.console.print(f"{title_of(event.step)}: {event.text}", markup=False, highlight=False, soft_wrap=True)

    def on_end(self, step: str, seconds: float) -> None:
        """Fills the bar of the step and begins the next one."""
        self._bars.update(self._tasks[step], total=1.0, completed=1.0)
        self.on_begin()

    def on_left_out(self, step: str) -> None:
        """Takes the bar of a step away."""
        self._bars.update(self._tasks[step], visible=False)

    def on_begin(self) -> None:
        """Shows the bar of the current step."""
        if self.current is not None:
            self._bars.update(self._tasks[self.current], visible=True)
            self._bars.start_task(self._tasks[self.current])
