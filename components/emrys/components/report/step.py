"""Writes one page about the whole run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import atomic_file
from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.data_schema import DataSchema
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.gate_decision import GateDecision
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.statistics import Statistics
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.events import emit, step_events
from emrys.components.model_registry.registry import Registry
from emrys.components.report.page import RunPage
from emrys.components.report.revision import revision
from emrys.components.report.schema_difference import SchemaChange, schema_changes
from emrys.components.reporting.evaluation_view import view_of
from emrys.components.reporting.facts import ColumnFacts, SplitFacts
from emrys.components.reporting.validation_page import ValidationView
from emrys.components.validate.config import CHECKS

STEP = "report"
#: Step that writes each artifact.
_STEPS = {
    "statistics": "validate",
    "workflow": "preprocess",
    "schema": "infer_schema",
    "model": "train",
    "evaluation": "evaluate",
    "decision": "gate",
    "repository": "export",
}


@dataclass(frozen=True)
class ReportConfig:
    """Facts about the run that are not in its artifacts.

    Attributes:
        version: Name of the promoted version; empty for none.
        registry: Folder or bucket of the registry; empty for none.
        model_name: Name of the model in the registry.
        run_name: Name of the run; may be empty.
    """

    version: str = ""
    registry: str = ""
    model_name: str = ""
    run_name: str = ""


def run(
    *,
    statistics: Path,
    workflow: Path,
    schema: Path,
    model: Path,
    evaluation: Path,
    decision: Path,
    repository: Path | None,
    config: ReportConfig,
    output: Path,
) -> RunPage:
    """Writes the page of a run, whether the model passed the gate or not.

    Args:
        statistics: Statistics of the raw splits.
        workflow: Fitted workflow.
        schema: Schema of the transformed data.
        model: Trained model.
        evaluation: The evaluation.
        decision: The gate's decision.
        repository: The Triton repository; None if the model was not exported.
        config: Further facts about the run.
        output: File of the page.

    Returns:
        Content of the page.

    Raises:
        ArtifactError: if an artifact is damaged, or the gate decision belongs to another evaluation.
        StorageError: if the registry cannot be read.
    """
    with step_events(STEP):
        validated, features, network = Statistics(statistics), FeatureSchema(schema), ModelArtifact(model)
        evaluated, gate = Evaluation(evaluation), GateDecision(decision)
        if gate.decision["evaluation"] != evaluated.fingerprint:
            raise ArtifactError("the gate decision belongs to another evaluation", path=decision)
        artifacts: dict[str, Artifact] = {
            "statistics": validated,
            "workflow": FittedWorkflowArtifact(workflow),
            "schema": features,
            "model": network,
            "evaluation": evaluated,
            "decision": gate,
        }
        if repository is not None:
            artifacts["repository"] = TritonRepository(repository)
        production = str(evaluated.metadata.get("production") or "") if config.registry else ""
        page = RunPage(
            run=config.run_name,
            dataset=validated.metadata["dataset"],
            view=view_of(evaluated),
            validation=ValidationView(
                columns=list(validated.columns.values()),
                validation=validated.validation,
                plots=validated.plots,
                meanings={name: meaning for name, (meaning, _) in CHECKS.items()},
            ),
            splits=[SplitFacts(**split) for split in validated.metadata["splits"]],
            data=validated.metadata["data"],
            decision=gate.decision,
            columns=[ColumnFacts.of(column) for column in features.schema],
            production=production,
            changes=_changes(production, features, config) if production else [],
            history=network.history,
            summary=network.summary,
            ensemble=None if repository is None else artifacts["repository"].metadata,
            version=config.version,
            registry=config.registry,
            roles=_roles(validated.metadata),
            unused=(validated.metadata.get("data_schema") or {}).get("unused", {}),
            usage={"ingest": validated.metadata.get("ingest_usage") or {}}
            | {_STEPS[name]: artifact.usage for name, artifact in artifacts.items()},
            best_epoch=network.metadata.get("best_epoch"),
            settings=_settings(artifacts),
            fingerprints={"splits": validated.metadata["inputs"]["splits"]}
            | {name: artifact.fingerprint for name, artifact in artifacts.items()},
            versions={**evaluated.metadata["versions"], "git revision": revision()},
        )
        with atomic_file(output) as work:
            work.write_text(page.render(), encoding="utf-8")
        emit(STEP, "message", text=f"the model {page.outcome}" if not page.version else f"the model is {page.outcome}")
        return page


def _changes(production: str, features: FeatureSchema, config: ReportConfig) -> list[SchemaChange]:
    """Differences from the schema of the version in production."""
    models = Registry(config.registry, config.model_name)
    with tempfile.TemporaryDirectory(prefix="emrys-report-") as folder:
        before = models.fetch(models.version(production), Path(folder) / "schema", "schema")
        return schema_changes(FeatureSchema(before), features)


def _roles(metadata: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Role of each raw column and target, and the reason if it was inferred."""
    content = metadata.get("data_schema")
    if not content:
        return {}
    schema = DataSchema.from_json(content)
    roles = {column.name: column.role.value.replace("_", " ") for column in schema.columns}
    roles |= {target.name: f"target, {target.kind.value}" for target in schema.targets}
    return {name: (role, schema.inferred.get(name, "")) for name, role in roles.items()}


def _settings(artifacts: Mapping[str, Artifact]) -> dict[str, Mapping[str, Any]]:
    """Settings of each step, from the metadata of its artifact."""
    of = {name: artifact.metadata for name, artifact in artifacts.items()}
    gate, validate = artifacts["decision"], artifacts["statistics"]
    settings = {
        "ingest": of["statistics"].get("ingest"),
        "preprocess": of["workflow"].get("config"),
        "validate": validate.validation["configuration"] if isinstance(validate, Statistics) else None,
        "build_model": of["model"].get("built"),
        "train": of["model"].get("config"),
        "evaluate": of["evaluation"].get("config"),
        "gate": gate.decision.get("config") if isinstance(gate, GateDecision) else None,
        "export": of["repository"].get("config") if "repository" in of else None,
    }
    return {step: values for step, values in settings.items() if values}
