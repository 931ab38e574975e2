"""Decides whether a model is good enough to be exported and promoted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from emrys.blocks.io import write_json
from emrys.components.artifacts.evaluation import Evaluation
from emrys.components.artifacts.gate_decision import GateDecision
from emrys.components.gate.checks import all_checks
from emrys.components.gate.config import GateConfig
from emrys.components.running import emit, running

STEP = "gate"


def run(evaluation: Path, config: GateConfig, output: Path) -> GateDecision:
    """Holds an evaluation against what the model has to reach.

    A model that does not pass is no error of the step: the decision says so, and what comes behind does not run.

    Args:
        evaluation: What was measured.
        config: What the model has to reach.
        output: Where the decision shall stand.

    Returns:
        The decision.

    Raises:
        ArtifactError: if the evaluation is damaged.
    """
    with running(STEP):
        measured = Evaluation(evaluation)
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
        verdict = f"passed {len(checks)} checks" if not reasons else f"not passed: {reasons[0]}"
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        emit(STEP, "message", text=verdict + more)
        return GateDecision(output)
