"""HTML page of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from emrys.components.contracts.measured_rows import SCORERS, lower_is_better
from emrys.components.report.schema_difference import SchemaChange
from emrys.components.reporting.evaluation_view import EvaluationView
from emrys.components.reporting.facts import ColumnFacts, SplitFacts
from emrys.components.reporting.plots import training_figures
from emrys.components.reporting.rendering import NO_VALUE, number, render
from emrys.components.reporting.validation_page import ValidationView

_AGAINST = {**SCORERS, "threshold": "A threshold", "baseline": "Baselines"}
_BACKENDS = {"triton": "a Triton server", "in-process": "the same code in process, without a server"}


@dataclasses.dataclass(frozen=True)
class RunPage:
    """Content of the page. Rendering escapes every text.

    Args:
        run: Name of the run; may be empty.
        dataset: Name of the data set.
        view: View of the evaluation.
        validation: View of the validation.
        splits: Facts of each split.
        data: Further facts of the data, by name.
        decision: Content of the gate's `decision.json`.
        columns: Facts of each column of the schema.
        production: Version in production whose schema is compared; empty for none.
        changes: Differences from that schema.
        history: One dict of metrics per epoch.
        summary: Summary of the model, as text.
        ensemble: Metadata of the Triton repository; None if the model was not exported.
        version: Promoted version; empty for none.
        registry: Registry of the promotion; empty for none.
        roles: Role of each raw column and target, and the reason if it was inferred.
        unused: Columns of the source that were left out, with the reason.
        usage: `seconds` and `peak_memory` in bytes by step; empty where they are not known.
        best_epoch: Epoch whose weights were kept, from 0; None if it is not known.
        settings: Settings by step.
        fingerprints: Fingerprint of each artifact, by name.
        versions: Versions, by name.
        step: Name of the step that writes the page.
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
    roles: Mapping[str, tuple[str, str]]
    unused: Mapping[str, str]
    usage: Mapping[str, Mapping[str, float]]
    best_epoch: int | None
    settings: Mapping[str, Mapping[str, Any]]
    fingerprints: Mapping[str, str]
    versions: Mapping[str, str]
    step: str = "report"

    def render(self) -> str:
        """Renders the page; equal content gives equal bytes."""
        return render("run.html.j2", page=self, view=self.view, training=training_figures(self.history))

    @property
    def passed(self) -> bool:
        """Whether the model passed the gate."""
        return self.decision["passed"] is True

    @property
    def outcome(self) -> str:
        """Outcome of the run in a few words."""
        if not self.passed:
            return "did not pass the gate"
        return f"promoted as {self.version}" if self.version else "passed the gate, not promoted"

    @property
    def failed_checks(self) -> list[dict[str, Any]]:
        """Checks of the gate that failed, formatted as text."""
        return [check for check in self.checks if not check["passed"]]

    @property
    def passed_checks(self) -> list[dict[str, Any]]:
        """Checks of the gate that passed, formatted as text."""
        return [check for check in self.checks if check["passed"]]

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """Name, time and peak memory of each step for which they are known."""
        return [
            (name, f"{usage['seconds']:.1f} s", f"{usage['peak_memory'] / 2**20:,.0f} MiB")
            for name, usage in self.usage.items()
            if usage
        ]

    @property
    def checks(self) -> list[dict[str, Any]]:
        """Checks of the gate, formatted as text."""
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
        """Result of the parity check of the ensemble with the offline path."""
        parity: dict[str, Any] = dict((self.ensemble or {}).get("parity") or {})
        if not parity:
            return {}
        shown = {
            "largest absolute difference of scores": f"{parity.pop('max_abs_difference'):.2g}",
            "rows compared": f"{parity.pop('rows'):,}",
            "computed by": _BACKENDS[parity.pop("through")],
        }
        return {**shown, **{name.replace("_", " "): f"{value}" for name, value in parity.items()}}

    @property
    def inputs(self) -> str:
        """Names of the input columns of the ensemble."""
        return ", ".join(column["name"] for column in (self.ensemble or {}).get("inputs", ()))


def _needed(check: Mapping[str, Any]) -> str:
    """Formats the required bound of a check."""
    if check["needed"] is None:
        return NO_VALUE
    if check["against"] != "threshold":
        return f"> {number(check['needed'])}"
    return f"{'≤' if lower_is_better(check['metric']) else '≥'} {number(check['needed'])}"
