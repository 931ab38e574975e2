"""Progress on a terminal: a bar for each step, with its time and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich import progress as bars
from rich.console import Console
from rich.markup import escape

from emrys.pipelines.events import Event
from emrys.pipelines.progress import Progress, title_of


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
