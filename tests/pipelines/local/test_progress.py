"""Progress of a run, as lines and as bars."""

import io

from rich.console import Console

from emrys.pipelines.local.events import Event
from emrys.pipelines.local.progress import BarProgress, Progress


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_lines_show_each_step_with_its_time():
    clock, stream = Clock(), io.StringIO()
    with Progress(["ingest", "infer_schema"], stream, clock) as progress:
        clock.now += 2.5
        progress.handle(Event("ingest", "message", {"text": "three files"}))
        progress.handle(Event("ingest", "end"))
        assert progress.current == "infer_schema"
        clock.now += 1.0
        progress.handle(Event("infer_schema", "end"))
    assert progress.current is None
    assert stream.getvalue().splitlines() == [
        "[1/2] ingest ...",
        "      three files",
        "[1/2] ingest done in 2.5 s",
        "[2/2] infer schema ...",
        "[2/2] infer schema done in 1.0 s",
    ]


def test_steps_before_a_started_one_are_skipped():
    clock, stream = Clock(), io.StringIO()
    with Progress(["gate", "export_ensemble", "promote", "report"], stream, clock) as progress:
        progress.handle(Event("gate", "end"))
        clock.now += 2.0
        progress.handle(Event("report", "start"))
        progress.handle(Event("promote", "end"))  # of an earlier step by now
        clock.now += 1.0
        progress.handle(Event("report", "end"))
    assert progress.current is None
    assert stream.getvalue().splitlines() == [
        "[1/4] gate ...",
        "[1/4] gate done in 0.0 s",
        "[2/4] export ensemble ...",
        "[2/4] export ensemble skipped",
        "[3/4] promote skipped",
        "[4/4] report ...",
        "[4/4] report done in 3.0 s",
    ]


def test_lines_about_progress_come_at_most_every_five_seconds():
    clock, stream = Clock(), io.StringIO()
    with Progress(["train"], stream, clock) as progress:
        for second in range(12):  # printed at 105 and 110 s
            progress.handle(Event("train", "progress", {"done": second, "total": 12, "text": f"epoch {second}"}))
            clock.now += 1.0
    assert stream.getvalue().splitlines() == ["[1/1] train ...", "      epoch 5", "      epoch 10"]


def test_events_of_other_steps_change_nothing():
    stream = io.StringIO()
    with Progress(["ingest", "train"], stream) as progress:
        progress.handle(Event("train", "end"))
        progress.handle(Event("pipeline", "message", {"text": "hello"}))
    assert progress.current == "ingest"
    assert stream.getvalue() == "[1/2] ingest ...\n"


def test_bars_end_full_for_finished_steps_and_hide_those_to_come():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    with BarProgress(["ingest", "build_model", "train"], console) as progress:
        progress.handle(Event("ingest", "progress", {"done": 1, "total": 2, "text": "reading [red]"}))
        progress.handle(Event("ingest", "end"))
        progress.handle(Event("build_model", "message", {"text": "12 parameters"}))
    last = stream.getvalue().split("\x1b[2K")[-1]
    assert "✓ ingest" in stream.getvalue()
    assert "reading [red]" in stream.getvalue()
    assert "build model: 12 parameters\n" in stream.getvalue()
    assert "train" not in last
    assert progress.current == "build_model"


def test_the_bar_of_a_skipped_step_is_hidden():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    with BarProgress(["gate", "promote", "report"], console) as progress:
        progress.handle(Event("gate", "end"))
        progress.handle(Event("report", "start"))
        progress.handle(Event("report", "end"))
    last = stream.getvalue().split("\x1b[2K")[-3:]
    assert "✓ gate" in "".join(last)
    assert "✓ report" in "".join(last)
    assert "promote" not in "".join(last)
