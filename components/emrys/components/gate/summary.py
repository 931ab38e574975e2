"""The gate's decision for people."""

from __future__ import annotations

from typing import Any

from emrys.components.artifacts.gate_decision import GateDecision


def markdown(decision: GateDecision) -> str:
    """The decision as a heading, the reasons, and a table of all checks."""
    content = decision.decision
    lines = [f"# The model {'passed' if decision.passed else 'did not pass'} the gate", ""]
    lines += [*(f"- {reason}" for reason in decision.reasons), ""] if decision.reasons else []
    lines += ["| Metric | Against | Where | Estimate | Lower bound | Needed | |", "| --- " * 7 + "|"]
    lines += [_row(check) for check in content["checks"]]
    return "\n".join(lines) + "\n"


def _row(check: dict[str, Any]) -> str:
    numbers = ["-" if check[key] is None else f"{check[key]:.4f}" for key in ("estimate", "lower", "needed")]
    cells = [check["metric"], check["against"], check["slice"], *numbers, "passed" if check["passed"] else "**no**"]
    return f"| {' | '.join(cells)} |"
