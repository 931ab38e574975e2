"""Finds the events of the steps in the lines that a run prints."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from emrys.components.events import EVENT_PREFIX


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that a step reported.

    Args:
        step: Name of the step.
        kind: `start`, `progress`, `message`, `end` or `error`.
        fields: What came with it.
    """

    step: str
    kind: str
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text that came with it, or nothing."""
        return str(self.fields.get("text") or "")

    @property
    def fraction(self) -> float | None:
        """How much is done, from 0 to 1; None where the step does not know."""
        done, total = self.fields.get("done"), self.fields.get("total")
        return min(max(done / total, 0.0), 1.0) if isinstance(done, (int, float)) and total else None


def find_event(line: str) -> Event | None:
    """The event in a line of a log; KFP indents the lines of a step, and a progress bar may stand before it.

    Args:
        line: A line of the log.

    Returns:
        The event, or None where the line holds none that is whole.
    """
    at = line.find(EVENT_PREFIX)
    if at < 0:
        return None
    try:
        fields, _ = json.JSONDecoder().raw_decode(line[at + len(EVENT_PREFIX) :].lstrip())
        return Event(fields.pop("step"), fields.pop("event"), fields)
    except (ValueError, KeyError, TypeError):
        return None
