"""Adds the artifacts of a run to the registry as a version, and puts it into production."""

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
from emrys.components.events import emit, step_events
from emrys.components.model_registry.registry import Registry
from emrys.components.model_registry.version import Version

STEP = "promote"

#: Artifacts of a version by name. Each is checked before it is added.
PARTS: dict[str, type[Artifact]] = {
    "statistics": Statistics,
    "workflow": FittedWorkflowArtifact,
    "schema": FeatureSchema,
    "model": ModelArtifact,
    "evaluation": Evaluation,
    "decision": GateDecision,
    "repository": TritonRepository,
}

#: Advice about a missing artifact that differs from the usual one.
_FIXES = {"statistics": "Run the pipeline again: a version needs the artifact of the step validate."}


def parts_of_run(outputs: Mapping[str, Path]) -> tuple[dict[str, Path], dict[str, Any]]:
    """Selects and checks the artifacts of a run for a version.

    Args:
        outputs: Folder of each artifact of the run; names that are not in `PARTS` are ignored.

    Returns:
        The parts, and the facts for the manifest: metrics, fingerprints and the version of Emrys.

    Raises:
        ArtifactError: if an artifact is missing or damaged, or the model has not passed the gate.
    """
    if "decision" in outputs:  # first: a model that has not passed has not been exported either
        _require_passed(GateDecision(outputs["decision"]))
    for name in PARTS:
        if name not in outputs:
            raise ArtifactError(
                f"the run has no {name}", step=STEP, fix=_FIXES.get(name, "Run the pipeline to its end.")
            )
    opened = {name: kind(outputs[name]) for name, kind in PARTS.items()}
    decision, evaluation = GateDecision(outputs["decision"]), Evaluation(outputs["evaluation"])
    if decision.decision["evaluation"] != evaluation.fingerprint:
        raise ArtifactError("the gate decision belongs to another evaluation", step=STEP, path=outputs["decision"])
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
            fix="Train a better model, or change the thresholds.",
        )


def run(outputs: Mapping[str, Path], registry: str, name: str, move: bool = True) -> Version | None:
    """Adds a version and puts it into production.

    Args:
        outputs: Folder of each artifact, by the names of `PARTS`.
        registry: Folder or bucket of the registry; empty for none.
        name: Name of the model.
        move: Whether to put the version into production. Default: True.

    Returns:
        The version; None without a registry.

    Raises:
        ArtifactError: if an artifact cannot be used, or the model has not passed the gate.
        StorageError: if the registry cannot be written; production stays unchanged.
    """
    with step_events(STEP):
        parts, facts = parts_of_run(outputs)
        if not registry:
            emit(STEP, "message", text="the model passed, but there is no registry to promote it to")
            return None
        models = Registry(registry, name)
        version = models.add(parts, facts)
        if move:
            models.promote(version.name)
        emit(STEP, "message", text=f"{version.name} is {'in production' if move else 'added'} in {models.store.uri}")
        return version
