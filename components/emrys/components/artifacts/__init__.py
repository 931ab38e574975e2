"""What passes between steps: one class per type of artifact, which owns the layout of its folder."""

from emrys.components.artifacts.base import Artifact
from emrys.components.artifacts.evaluation import Evaluation
from emrys.components.artifacts.feature_schema import FeatureSchema
from emrys.components.artifacts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.artifacts.gate_decision import GateDecision
from emrys.components.artifacts.measured_rows import MeasuredRows
from emrys.components.artifacts.model import ModelArtifact
from emrys.components.artifacts.retrieval_evaluation import RetrievalEvaluation
from emrys.components.artifacts.splits import Splits
from emrys.components.artifacts.statistics import Statistics
from emrys.components.artifacts.transformed import Transformed
from emrys.components.artifacts.triton_repository import TritonRepository

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
