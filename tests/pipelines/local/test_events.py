"""Events in the lines of a run, as the steps write them and as KFP decorates them."""

import pytest

from emrys.components.events import emit
from emrys.pipelines.local.events import Event, parse_event


def test_events_are_found_behind_the_indent_of_kfp(capsys):
    emit("train", "progress", done=3, total=4, text="epoch 3")
    line = capsys.readouterr().err.rstrip("\n")
    expected = Event("train", "progress", {"done": 3, "total": 4, "text": "epoch 3"})
    assert parse_event(line) == parse_event(f"    {line}") == parse_event(f" 12/90 ━━━━\r{line}") == expected
    assert expected.fraction == 0.75
    assert expected.text == "epoch 3"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "emrys: all is well",
        "emrys-event",
        'emrys-event {"step": "train"',
        'emrys-event {"step": "train"}',
        "emrys-event [1]",
        "emrys-event {not json}",
    ],
)
def test_a_line_without_a_whole_event_holds_none(line):
    assert parse_event(line) is None


@pytest.mark.parametrize(
    ("fields", "fraction"),
    [({}, None), ({"done": 1}, None), ({"done": 1, "total": 0}, None), ({"done": 9, "total": 3}, 1.0)],
)
def test_the_fraction_is_known_only_with_a_total(fields, fraction):
    assert Event("train", "progress", fields).fraction == fraction
