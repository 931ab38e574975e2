"""How the evaluation of each kind of model is shown."""

from __future__ import annotations

from emrys.components.artifacts.evaluation import Evaluation
from emrys.components.pages.evaluation_view import EvaluationView
from emrys.components.pages.ranking_view import RankingView
from emrys.components.pages.retrieval_view import RetrievalView

_VIEWS: dict[str, type[EvaluationView]] = {view.task: view for view in (RankingView, RetrievalView)}


def view_of(evaluation: Evaluation) -> EvaluationView:
    """An evaluation as pages show it; `task` in its metadata says what was judged, a ranking model by default."""
    kind = _VIEWS[evaluation.metadata.get("task", RankingView.task)]
    return kind(evaluation.metrics, evaluation.curves, evaluation.metadata, evaluation.rows)
