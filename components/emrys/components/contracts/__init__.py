"""Contracts between steps: one class per type of artifact, column roles, and shared checks of settings."""

from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.gate_decision import GateDecision
from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.retrieval_evaluation import RetrievalEvaluation
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.statistics import Statistics
from emrys.components.contracts.transformed import Transformed
from emrys.components.contracts.triton_repository import TritonRepository

__all__ = [
    "Artifact",
    "Evaluation",
    "FeatureSchema",
    "FittedWorkflowArtifact",
    "GateDecision",
    "MeasuredRows",
    "ModelArtifact",
    "RetrievalEvaluation",
    "Splits",
    "Statistics",
    "Transformed",
    "TritonRepository",
]
