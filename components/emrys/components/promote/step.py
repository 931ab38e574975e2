"""Makes what passed the gate a version of the registry, and puts it into production."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.gate_decision import GateDecision
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.statistics import Statistics
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.events import emit, running
from emrys.components.model_registry.registry import Registry
from emrys.components.model_registry.version import Version

STEP = "promote"

#: Artifacts of a version: the name of its part, and its class. Each is checked before it is added.
PARTS: dict[str, type[Artifact]] = {
    "statistics": Statistics,
    "workflow": FittedWorkflowArtifact,
    "schema": FeatureSchema,
    "model": ModelArtifact,
    "evaluation": Evaluation,
    "decision": GateDecision,
    "repository": TritonRepository,
}

#: What to do where one is missing, if it is something else than usual.
_FIXES = {"statistics": "Run the pipeline again: a version holds what the step validate writes."}


def parts_of_run(outputs: Mapping[str, Path]) -> tuple[dict[str, Path], dict[str, Any]]:
    """What of a run becomes a version.

    Args:
        outputs: Folder of each artifact of the run, by the names of `PARTS`; others are left out.

    Returns:
        The parts, and the facts for the manifest: the model's metrics, and versions.

    Raises:
        ArtifactError: if one is missing or damaged, or the gate has not passed.
    """
    if "decision" in outputs:  # first: what has not passed has not been exported either
        _require_passed(GateDecision(outputs["decision"]))
    for name in PARTS:
        if name not in outputs:
            raise ArtifactError(
                f"the run has no {name}", step=STEP, fix=_FIXES.get(name, "Run the pipeline to its end.")
            )
    opened = {name: kind(outputs[name]) for name, kind in PARTS.items()}
    decision, evaluation = GateDecision(outputs["decision"]), Evaluation(outputs["evaluation"])
    if decision.decision["evaluation"] != evaluation.fingerprint:
        raise ArtifactError("the gate decided about another evaluation", step=STEP, path=outputs["decision"])
    facts = {
        "emrys": metadata.version("emrys"),
        "metrics": evaluation.metrics,
        "fingerprints": {name: artifact.fingerprint for name, artifact in opened.items()},
    }
    return {name: outputs[name] for name in PARTS}, facts


def _require_passed(decision: GateDecision) -> None:
    if not decision.passed:
        raise ArtifactError(
            "the model has not passed the gate",
            step=STEP,
            path=decision.path,
            got="; ".join(decision.reasons),
            fix="Train a better one, or change what it has to reach.",
        )


def run(outputs: Mapping[str, Path], registry: str, name: str, move: bool = True) -> Version | None:
    """Adds a version and puts it into production.

    Args:
        outputs: Folder of each artifact, by the names of `PARTS`.
        registry: Folder or bucket of the registry; empty for none.
        name: Name of the model.
        move: Whether the version goes into production at once. Default: True.

    Returns:
        The version; None where no registry is given.

    Raises:
        ArtifactError: if an artifact cannot be used, or the gate has not passed.
        StorageError: if the registry cannot be written; what is in production stays.
    """
    with running(STEP):
        parts, facts = parts_of_run(outputs)
        if not registry:
            emit(STEP, "message", text="no registry is given: the model passed, and nothing was promoted")
            return None
        known = Registry(registry, name)
        version = known.add(parts, facts)
        if move:
            known.promote(version.name)
        emit(STEP, "message", text=f"{version.name} is {'in production' if move else 'kept'} in {known.store.uri}")
        return version
