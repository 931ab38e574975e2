"""Decides whether a model is good enough to be exported and promoted, and summarises the decision."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from emrys.blocks.io import write_json
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.gate_decision import GateDecision
from emrys.components.events import emit, step_events
from emrys.components.gate.checks import all_checks
from emrys.components.gate.config import GateConfig
from emrys.components.recipe.evaluation import gate_settings
from emrys.components.recipe.recipe import Recipe

STEP = "gate"


def run(evaluation: Path, config: GateConfig, output: Path, recipe: Recipe | None = None) -> GateDecision:
    """Checks an evaluation against the thresholds and margins.

    A model that does not pass is not an error of the step; the pipeline skips the later steps then.

    Args:
        evaluation: The evaluation.
        config: Thresholds and margins. Thresholds replace the gate of the recipe.
        output: Folder of the decision.
        recipe: The recipe; None for the thresholds of the settings.

    Returns:
        The decision.

    Raises:
        ArtifactError: if the evaluation is damaged.
    """
    with step_events(STEP):
        measured = Evaluation(evaluation)
        if recipe is not None and not config.thresholds:
            schema, of = measured.data_schema, measured.metadata["config"]
            lengths = {key: int(of[key]) for key in ("k", "recall_k") if key in of}
            config = config.of_recipe(gate_settings(recipe, schema, **lengths))
        checks = all_checks(measured.rows, config)
        reasons = [check.reason for check in checks if not check.passed]
        decision = {
            "passed": not reasons,
            "reasons": reasons,
            "checks": [asdict(check) for check in checks],
            "config": {**asdict(config), "thresholds": dict(config.thresholds)},
            "evaluation": measured.fingerprint,
        }
        with GateDecision.create(output, {"passed": not reasons}) as work:
            write_json(work / "decision.json", decision)
        verdict = (
            f"passed {len(checks)} check{'s' * (len(checks) != 1)}" if not reasons else f"not passed: {reasons[0]}"
        )
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        emit(STEP, "message", text=verdict + more)
        return GateDecision(output)


def markdown(decision: GateDecision) -> str:
    """Formats the decision as Markdown: heading, reasons, and a table of all checks."""
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
