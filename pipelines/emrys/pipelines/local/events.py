"""Events of the steps: parsing them from the output of a run."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from emrys.components.events import EVENT_PREFIX


@dataclasses.dataclass(frozen=True)
class Event:
    """An event that a step reports.

    Args:
        step: Name of the step.
        kind: `start`, `progress`, `message`, `end` or `error`.
        fields: Data of the event.
    """

    step: str
    kind: str
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text of the event; empty if it has none."""
        return str(self.fields.get("text") or "")

    @property
    def fraction(self) -> float | None:
        """The completed fraction, from 0 to 1; None if the step does not know it."""
        done, total = self.fields.get("done"), self.fields.get("total")
        return min(max(done / total, 0.0), 1.0) if isinstance(done, (int, float)) and total else None


def parse_event(line: str) -> Event | None:
    """Parses the event in a line of a log, which KFP may have indented, and a progress bar may precede.

    Args:
        line: A line of the log.

    Returns:
        The event, or None if the line contains no complete event.
    """
    at = line.find(EVENT_PREFIX)
    if at < 0:
        return None
    try:
        fields, _ = json.JSONDecoder().raw_decode(line[at + len(EVENT_PREFIX) :].lstrip())
        return Event(fields.pop("step"), fields.pop("event"), fields)
    except (ValueError, KeyError, TypeError):
        return None
