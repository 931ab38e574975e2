"""An evaluation as pages show it."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from markupsafe import Markup

from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.measured_rows import MODEL, PRODUCTION, SCORERS, MeasuredRows
from emrys.components.evaluation.slices import Slice, slices_by
from emrys.components.gate.config import LOWER_IS_BETTER
from emrys.components.reporting import plots
from emrys.components.reporting.plots import slices_plot

#: A name, and for each column a value with whether no other row does better.
Row = tuple[str, list[tuple[float | None, bool]]]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A table of scorers and metrics.

    Args:
        caption: What it says.
        heads: Titles of the columns.
        rows: The scorers.
    """

    caption: str
    heads: list[str]
    rows: list[Row]


class EvaluationView(abc.ABC):
    """An evaluation as pages show it, made of what stands in its artifact.

    Args:
        metrics: Content of `metrics.json`.
        curves: Content of `curves.json`.
        metadata: The metadata of the artifact.
        rows: What was measured on each row.
    """

    #: Also the name of the template with its texts.
    task: ClassVar[str]

    def __init__(
        self, metrics: Mapping[str, Any], curves: Mapping[str, Any], metadata: Mapping[str, Any], rows: MeasuredRows
    ) -> None:
        self.metrics = metrics
        self.curves = curves
        self.target = str(metadata["target"])
        self.config: Mapping[str, Any] = metadata["config"]
        self.metadata = metadata
        self._rows = rows

    @property
    def k(self) -> int:
        """Length of the list that most metrics look at."""
        return int(self.config["k"])

    @property
    def ways(self) -> dict[str, str]:
        """What was measured, and its name: the model first, production last."""
        return {scorer: name for scorer, name in SCORERS.items() if self.value(scorer, self.main) is not None}

    @property
    def against(self) -> str:
        """What the model is shown beside where there is room for one: the first baseline."""
        return next(scorer for scorer in self.ways if scorer != MODEL)

    def value(self, scorer: str, metric: str) -> float | None:
        """A metric of a scorer."""
        return self.metrics.get(metric if scorer == MODEL else f"{scorer}_{metric}")

    @property
    def tiles(self) -> list[tuple[str, float | None, float | None]]:
        """Title, the model's value and that of what it is shown beside."""
        return [(title, self.value(MODEL, name), self.value(self.against, name)) for title, name in self.shown]

    def comparison(self, caption: str, metrics: Mapping[str, str]) -> Comparison:
        """A table of everything that was measured.

        Args:
            caption: What it says.
            metrics: Names of the metrics by title.
        """
        columns = []
        for name in metrics.values():
            values = [self.value(scorer, name) for scorer in self.ways]
            there = [value for value in values if value is not None]
            best = (min if name in LOWER_IS_BETTER else max)(there, default=None)
            columns.append([(value, value is not None and value == best) for value in values])
        rows = [(name, list(cells)) for name, *cells in zip(self.ways.values(), *columns, strict=True)]
        heads = [f"{title} {'↓' if name in LOWER_IS_BETTER else '↑'}" for title, name in metrics.items()]
        return Comparison(caption, heads, rows)

    @cached_property
    def slices(self) -> list[Slice]:
        """The main metric in each slice, of those in `sliced`."""
        return slices_by(self._rows, self.main, list(self.sliced))

    @property
    def sliced(self) -> dict[str, str]:
        """Who is measured in slices: the model, what it is shown beside, and production."""
        return {scorer: name for scorer, name in self.ways.items() if scorer in (MODEL, self.against, PRODUCTION)}

    @property
    def slices_figure(self) -> Markup | None:
        """A plot of the largest slices."""
        if not self.slices:
            return None
        return Markup(slices_plot(self.slices, self.main_title, self.sliced))  # noqa: S704 - XML, which escapes

    @property
    @abc.abstractmethod
    def main(self) -> str:
        """The metric by which everything is measured."""

    @property
    @abc.abstractmethod
    def main_title(self) -> str:
        """Its name for people."""

    @property
    @abc.abstractmethod
    def shown(self) -> list[tuple[str, str]]:
        """Title and name of the metrics that stand at the top."""

    @property
    @abc.abstractmethod
    def tables(self) -> list[Comparison]:
        """The tables of all metrics."""

    @property
    @abc.abstractmethod
    def figures(self) -> list[tuple[Markup, str]]:
        """Plots with their captions."""

    @property
    def facts(self) -> dict[str, str]:
        """What else was found out, by name."""
        return {}


class RankingView(EvaluationView):
    """An evaluation that the step evaluate has made."""

    task = "ranking"
    main = "auc"
    main_title = "AUC"

    @property
    def shown(self) -> list[tuple[str, str]]:
        """AUC, log loss, NDCG and calibration."""
        return [
            ("AUC", "auc"),
            ("Log loss", "log_loss"),
            (f"NDCG@{self.k} per user", f"ndcg_at_{self.k}"),
            ("Calibration error", "calibration_error"),
        ]

    @property
    def tables(self) -> list[Comparison]:
        """Of all rows, and of the rows of each user."""
        of_rows = {"AUC": "auc", "Log loss": "log_loss", "Brier": "brier", "Calibration error": "calibration_error"}
        overall = self.comparison("All test rows; the best of each column is bold", of_rows)
        best = self.metrics.get("best_auc")
        if best is not None:
            nothing = [(None, False)] * (len(of_rows) - 1)
            overall.rows.append(("Best reachable", [(best, False), *nothing]))
        of_users = {f"{title}@{self.k}": f"{title.lower()}_at_{self.k}" for title in ("NDCG", "MRR", "Recall")}
        return [overall, self.comparison("Mean over users; each user's test rows are the candidates", of_users)]

    @property
    def figures(self) -> list[tuple[Markup, str]]:
        """ROC curve, calibration and scores by label."""
        shown = {MODEL: "roc", self.against: f"{self.against}_roc"}
        lines = [
            (self.ways[scorer], float(self.value(scorer, "auc") or 0.0), self.curves[name])
            for scorer, name in shown.items()
            if name in self.curves
        ]
        drawn = [
            (plots.roc_plot(lines), "How many positive rows are found for each share of negative rows taken along."),
            (
                plots.calibration_plot(self.curves["calibration"], self.metrics["calibration_error"]),
                "On the dotted line a score of 0.7 comes true in seven rows of ten. Each point holds about as many"
                " rows.",
            ),
            (
                plots.histogram_plot(self.curves["histogram"]),
                "Shares within each class. The less the two overlap, the better they are told apart.",
            ),
        ]
        return [(Markup(plot), caption) for plot, caption in drawn]  # noqa: S704 - serialised as XML, which escapes


class RetrievalView(EvaluationView):
    """An evaluation that the step evaluate_retrieval has made."""

    task = "retrieval"

    @property
    def recall_k(self) -> int:
        """Length of the list that recall looks at."""
        return int(self.config["recall_k"])

    @property
    def main(self) -> str:
        """NDCG."""
        return f"ndcg_at_{self.k}"

    @property
    def main_title(self) -> str:
        """NDCG."""
        return f"NDCG@{self.k}"

    @property
    def _metrics(self) -> dict[str, str]:
        lengths = {"NDCG": self.k, "Recall": self.recall_k, "MRR": self.k, "Coverage": self.k, "Novelty": self.k}
        return {f"{title}@{length}": f"{title.lower()}_at_{length}" for title, length in lengths.items()}

    @property
    def shown(self) -> list[tuple[str, str]]:
        """NDCG, recall, MRR and coverage."""
        return list(self._metrics.items())[:4]

    @property
    def tables(self) -> list[Comparison]:
        """Of all queries."""
        return [self.comparison("Mean over all queries; the best of each column is bold", self._metrics)]

    @property
    def figures(self) -> list[tuple[Markup, str]]:
        """Recall over the length of the list."""
        lines = [(name, self.curves["recall"][scorer]) for scorer, name in self.ways.items()]
        plot = Markup(plots.recall_plot(lines))  # noqa: S704 - serialised as XML, which escapes
        return [(plot, "How much of what users like later is found as the list gets longer.")]

    @property
    def facts(self) -> dict[str, str]:
        """How the best items are found."""
        search, limit = self.metadata["search"], f"{self.config['exact_up_to']:,}"
        items = {"items": f"{self.metrics['items']:,}"}
        if search["strategy"] == "exact":
            return {"search": f"exact, as in every catalogue up to {limit} items", **items}
        index = search["index"]
        return {
            "search": f"approximate, as in every catalogue above {limit} items",
            **items,
            "share of the exact results": f"{search['recall']:.4f}, at least {self.config['recall_floor']:g} is needed",
            "lists that a query looks at": f"{index['probes']} of {index['lists']}",
        }


_VIEWS: dict[str, type[EvaluationView]] = {view.task: view for view in (RankingView, RetrievalView)}


def view_of(evaluation: Evaluation) -> EvaluationView:
    """An evaluation as pages show it; `task` in its metadata says what was judged, a ranking model by default."""
    kind = _VIEWS[evaluation.metadata.get("task", RankingView.task)]
    return kind(evaluation.metrics, evaluation.curves, evaluation.metadata, evaluation.rows)
