"""Artifact of the step gate: its decision and the checks behind it."""

from __future__ import annotations

from typing import Any

from emrys.blocks.io import read_json
from emrys.components.contracts.artifact import Artifact


class GateDecision(Artifact):
    """The gate's decision.

    Files: `decision.json`, with `passed`, `reasons` (one line for each check that failed) and `checks`.
    """

    kind = "gate"
    required = ("decision.json",)

    @property
    def decision(self) -> dict[str, Any]:
        """The content of `decision.json`."""
        return dict(read_json(self.path / "decision.json"))

    @property
    def passed(self) -> bool:
        """Whether the model may be exported and promoted."""
        return self.decision["passed"] is True

    @property
    def reasons(self) -> list[str]:
        """One line per failed check; empty if the model passed."""
        return list(self.decision["reasons"])
