"""What passes between steps: one class per type of artifact, which owns the layout of its folder."""

from components.artifacts.base import Artifact
from components.artifacts.evaluation import Evaluation
from components.artifacts.feature_schema import FeatureSchema
from components.artifacts.fitted_workflow import FittedWorkflowArtifact
from components.artifacts.gate_decision import GateDecision
from components.artifacts.measured_rows import MeasuredRows
from components.artifacts.model import ModelArtifact
from components.artifacts.retrieval_evaluation import RetrievalEvaluation
from components.artifacts.splits import Splits
from components.artifacts.statistics import Statistics
from components.artifacts.transformed import Transformed
from components.artifacts.triton_repository import TritonRepository

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
