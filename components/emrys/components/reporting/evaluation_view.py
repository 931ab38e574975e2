"""View of an evaluation for HTML pages: tables, plots and facts, for ranking and retrieval models."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from markupsafe import Markup

from emrys.components.contracts.evaluation import Evaluation, EvaluationResult
from emrys.components.contracts.measured_rows import LOWER_IS_BETTER, MODEL, PRODUCTION, SCORERS
from emrys.components.evaluation.slices import Slice, slice_metrics
from emrys.components.reporting import plots

#: Display name, and for each column a value and whether it is the best of the column.
Row = tuple[str, list[tuple[float | None, bool]]]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Table of metrics by scorer.

    Args:
        caption: Caption.
        heads: Titles of the columns.
        rows: One row per scorer.
    """

    caption: str
    heads: list[str]
    rows: list[Row]


class EvaluationView(abc.ABC):
    """View of an evaluation for HTML pages.

    Args:
        result: The numbers.
        metadata: Metadata of the artifact.
    """

    #: Kind of the model, and name of the template with its texts.
    task: ClassVar[str]

    def __init__(self, result: EvaluationResult, metadata: Mapping[str, Any]) -> None:
        self.metrics = result.metrics
        self.curves = result.curves
        self.target = str(metadata["target"])
        self.config: Mapping[str, Any] = metadata["config"]
        self.metadata = metadata
        self._rows = result.rows

    @property
    def k(self) -> int:
        """Length of the list for most metrics."""
        return int(self.config["k"])

    @property
    def scorers(self) -> dict[str, str]:
        """Display names of the evaluated scorers: the model first, production last."""
        return {scorer: name for scorer, name in SCORERS.items() if self.value(scorer, self.main_metric) is not None}

    @property
    def reference(self) -> str:
        """The scorer to show next to the model if there is room for one: the first baseline."""
        return next(scorer for scorer in self.scorers if scorer != MODEL)

    def value(self, scorer: str, metric: str) -> float | None:
        """Value of a metric of a scorer, or None."""
        return self.metrics.get(metric if scorer == MODEL else f"{scorer}_{metric}")

    @property
    def tiles(self) -> list[tuple[str, float | None, float | None]]:
        """Title, value of the model and value of the reference of the headline metrics."""
        return [
            (title, self.value(MODEL, name), self.value(self.reference, name)) for title, name in self.headline_metrics
        ]

    def comparison(self, caption: str, metrics: Mapping[str, str]) -> Comparison:
        """Builds a table of all scorers.

        Args:
            caption: Caption.
            metrics: Names of the metrics by title.
        """
        columns = []
        for name in metrics.values():
            values = [self.value(scorer, name) for scorer in self.scorers]
            present = [value for value in values if value is not None]
            best = (min if name in LOWER_IS_BETTER else max)(present, default=None)
            columns.append([(value, value is not None and value == best) for value in values])
        rows = [(name, list(cells)) for name, *cells in zip(self.scorers.values(), *columns, strict=True)]
        heads = [f"{title} {'↓' if name in LOWER_IS_BETTER else '↑'}" for title, name in metrics.items()]
        return Comparison(caption, heads, rows)

    @cached_property
    def slices(self) -> list[Slice]:
        """Main metric of the `sliced_scorers` in each slice."""
        return slice_metrics(self._rows, self.main_metric, list(self.sliced_scorers))

    @property
    def sliced_scorers(self) -> dict[str, str]:
        """Scorers to show in slices: the model, the reference, and production."""
        return {scorer: name for scorer, name in self.scorers.items() if scorer in (MODEL, self.reference, PRODUCTION)}

    @property
    def slices_figure(self) -> Markup | None:
        """Plot of the largest slices; None without slices."""
        if not self.slices:
            return None
        return plots.slices_plot(self.slices, self.main_title, self.sliced_scorers)

    @property
    @abc.abstractmethod
    def main_metric(self) -> str:
        """Name of the main metric."""

    @property
    @abc.abstractmethod
    def main_title(self) -> str:
        """Display name of the main metric."""

    @property
    @abc.abstractmethod
    def headline_metrics(self) -> list[tuple[str, str]]:
        """Titles and names of the metrics at the top of the page."""

    @property
    @abc.abstractmethod
    def tables(self) -> list[Comparison]:
        """Tables of all metrics."""

    @property
    @abc.abstractmethod
    def figures(self) -> list[tuple[Markup, str]]:
        """Plots with their captions."""

    @property
    def facts(self) -> dict[str, str]:
        """Further facts by name."""
        return {}


class RankingView(EvaluationView):
    """View of an evaluation of a ranking model."""

    task = "ranking"
    main_metric = "auc"
    main_title = "AUC"

    @property
    def headline_metrics(self) -> list[tuple[str, str]]:
        """AUC, log loss, NDCG and calibration."""
        return [
            ("AUC", "auc"),
            ("Log loss", "log_loss"),
            (f"NDCG@{self.k} per user", f"ndcg_at_{self.k}"),
            ("Calibration error", "calibration_error"),
        ]

    @property
    def tables(self) -> list[Comparison]:
        """Metrics over all rows, and means over users."""
        of_rows = {"AUC": "auc", "Log loss": "log_loss", "Brier": "brier", "Calibration error": "calibration_error"}
        overall = self.comparison("All test rows; the best of each column is bold", of_rows)
        best = self.metrics.get("best_auc")
        if best is not None:
            empty = [(None, False)] * (len(of_rows) - 1)
            overall.rows.append(("Best possible", [(best, False), *empty]))
        of_users = {f"{title}@{self.k}": f"{title.lower()}_at_{self.k}" for title in ("NDCG", "MRR", "Recall")}
        return [overall, self.comparison("Mean over users; each user's test rows are the candidates", of_users)]

    @property
    def figures(self) -> list[tuple[Markup, str]]:
        """ROC curve, calibration and score histogram."""
        shown = {MODEL: "roc", self.reference: f"{self.reference}_roc"}
        lines = [
            (self.scorers[scorer], float(self.value(scorer, "auc") or 0.0), self.curves[name])
            for scorer, name in shown.items()
            if name in self.curves
        ]
        return [
            (
                plots.roc_plot(lines),
                "Share of the positive rows above a threshold, by the share of the negative rows above it.",
            ),
            (
                plots.calibration_plot(self.curves["calibration"], self.metrics["calibration_error"]),
                "On the dotted line, 70 % of the rows with a score of 0.7 are positive. All points stand for about the"
                " same number of rows.",
            ),
            (
                plots.histogram_plot(self.curves["histogram"]),
                "Shares within each class. The less the two overlap, the better the model separates them.",
            ),
        ]


class RetrievalView(EvaluationView):
    """View of an evaluation of a retrieval model."""

    task = "retrieval"

    @property
    def recall_k(self) -> int:
        """Length of the list for recall."""
        return int(self.config["recall_k"])

    @property
    def main_metric(self) -> str:
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
    def headline_metrics(self) -> list[tuple[str, str]]:
        """NDCG, recall, MRR and coverage."""
        return list(self._metrics.items())[:4]

    @property
    def tables(self) -> list[Comparison]:
        """Means over all queries."""
        return [self.comparison("Mean over all queries; the best of each column is bold", self._metrics)]

    @property
    def figures(self) -> list[tuple[Markup, str]]:
        """Recall over the length of the list."""
        lines = [(name, self.curves["recall"][scorer]) for scorer, name in self.scorers.items()]
        return [(plots.recall_plot(lines), "Share of the relevant items in the list, by the length of the list.")]

    @property
    def facts(self) -> dict[str, str]:
        """Facts about the search."""
        search, limit = self.metadata["search"], f"{self.config['exact_up_to']:,}"
        items = {"items": f"{self.metrics['items']:,}"}
        if search["strategy"] == "exact":
            return {"search": f"exact, as for every catalogue of up to {limit} items", **items}
        index = search["index"]
        return {
            "search": f"approximate, as for every catalogue of more than {limit} items",
            **items,
            "share of the exact results": f"{search['recall']:.4f}; the minimum is {self.config['recall_floor']:g}",
            "lists searched per query": f"{index['probes']} of {index['lists']}",
        }


_VIEWS: dict[str, type[EvaluationView]] = {view.task: view for view in (RankingView, RetrievalView)}


def view_of(evaluation: Evaluation) -> EvaluationView:
    """View of an evaluation artifact, by the `task` in its metadata; the default is ranking."""
    kind = _VIEWS[evaluation.metadata.get("task", RankingView.task)]
    return kind(evaluation.result, evaluation.metadata)
