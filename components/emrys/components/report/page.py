"""The page of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from emrys.components.contracts.measured_rows import SCORERS
from emrys.components.gate.config import LOWER_IS_BETTER
from emrys.components.report.schema_difference import SchemaChange
from emrys.components.reporting.evaluation_view import EvaluationView
from emrys.components.reporting.facts import ColumnFacts, SplitFacts
from emrys.components.reporting.plots import training_figures
from emrys.components.reporting.rendering import NOTHING, number, render
from emrys.components.reporting.validation_page import ValidationView

_AGAINST = {**SCORERS, "threshold": "A threshold", "baseline": "Baselines"}
_THROUGH = {"triton": "by a Triton server", "in-process": "by the same code in process, without a server"}


@dataclasses.dataclass(frozen=True)
class RunPage:
    """What stands on the page of a run. Every text is escaped when it is rendered.

    Args:
        run: Name of the run; empty where it has none.
        dataset: Name of the data set.
        view: The evaluation.
        validation: What was found out about the data.
        splits: Facts of each split.
        data: Further facts of the data, by name.
        decision: Content of the gate's `decision.json`.
        columns: Facts of each column of the schema.
        production: Version whose schema is compared with; empty where there is none.
        changes: What is different from that schema.
        history: One dict of metrics an epoch.
        summary: Summary of the model, as text.
        ensemble: Metadata of the Triton repository; None where the model was not exported.
        version: Version that was promoted; empty for none.
        registry: Where it was promoted to; empty for nowhere.
        settings: Settings by step.
        fingerprints: Fingerprint of each artifact, by name.
        versions: Versions, by name.
        step: Step that writes the page.
    """

    run: str
    dataset: str
    view: EvaluationView
    validation: ValidationView
    splits: Sequence[SplitFacts]
    data: Mapping[str, str]
    decision: Mapping[str, Any]
    columns: Sequence[ColumnFacts]
    production: str
    changes: Sequence[SchemaChange]
    history: Sequence[dict[str, Any]]
    summary: str
    ensemble: Mapping[str, Any] | None
    version: str
    registry: str
    settings: Mapping[str, Mapping[str, Any]]
    fingerprints: Mapping[str, str]
    versions: Mapping[str, str]
    step: str = "report"

    def render(self) -> str:
        """Writes the page. Equal content gives equal bytes."""
        return render("run.html.j2", page=self, view=self.view, training=training_figures(self.history))

    @property
    def passed(self) -> bool:
        """Whether the model passed the gate."""
        return self.decision["passed"] is True

    @property
    def outcome(self) -> str:
        """What became of the model, in a few words."""
        if not self.passed:
            return "did not pass the gate"
        return f"promoted as {self.version}" if self.version else "passed the gate, not promoted"

    @property
    def checks(self) -> list[dict[str, Any]]:
        """The checks of the gate, as texts but for `passed`."""
        return [
            {
                "metric": check["metric"],
                "against": _AGAINST.get(check["against"], check["against"]),
                "slice": check["slice"],
                "estimate": number(check["estimate"]),
                "bound": number(check["lower"]),
                "needed": _needed(check),
                "passed": check["passed"],
            }
            for check in self.decision["checks"]
        ]

    @property
    def parity(self) -> dict[str, str]:
        """What the comparison of the ensemble with the offline path found."""
        found: dict[str, Any] = dict((self.ensemble or {}).get("parity") or {})
        if not found:
            return {}
        shown = {
            "largest difference of two scores": f"{found.pop('max_abs_difference'):.2g}",
            "rows compared": f"{found.pop('rows'):,}",
            "answered": _THROUGH[found.pop("through")],
        }
        return {**shown, **{name.replace("_", " "): f"{value}" for name, value in found.items()}}

    @property
    def inputs(self) -> str:
        """What the ensemble takes, one column a word."""
        return ", ".join(column["name"] for column in (self.ensemble or {}).get("inputs", ()))


def _needed(check: Mapping[str, Any]) -> str:
    """What the bound has to reach."""
    if check["needed"] is None:
        return NOTHING
    if check["against"] != "threshold":
        return f"> {number(check['needed'])}"
    return f"{'≤' if check['metric'] in LOWER_IS_BETTER else '≥'} {number(check['needed'])}"
