"""View of an evaluation for HTML pages: tables, plots and facts, for ranking and retrieval models."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from markupsafe import Markup

from emrys.components.contracts.evaluation import Evaluation, EvaluationResult
from emrys.components.contracts.measured_rows import (
    MODEL,
    NEW,
    PRODUCTION,
    SCORERS,
    MeasuredRows,
    lower_is_better,
    metric_key,
    metric_title,
)
from emrys.components.evaluation.slices import Slice, slice_lifts, slice_metrics
from emrys.components.recipe.evaluation import COLD_METRICS, RETRIEVAL_METRICS, metric_name, metric_parts
from emrys.components.reporting import plots

#: Maximum number of slices in a table that is not folded away.
UNFOLDED_SLICES = 30
#: Maximum number of slices in a plot.
MAX_SLICES = 14
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
    def unit(self) -> str:
        """Unit that the bootstrap resamples: user, session or row; of a retrieval model also who asks."""
        return str(self.metadata.get("unit", "user"))

    @property
    def scorers(self) -> dict[str, str]:
        """Display names of the evaluated scorers: the model first, production last."""
        return {scorer: name for scorer, name in SCORERS.items() if self.value(scorer, self.main_metric) is not None}

    @property
    def reference(self) -> str | None:
        """The scorer to show next to the model if there is room for one: the first baseline; None without any."""
        return next((scorer for scorer in self.scorers if scorer != MODEL), None)

    def value(self, scorer: str, metric: str) -> float | None:
        """Value of a metric of a scorer, or None."""
        return self.metrics.get(metric_key(metric, scorer))

    @property
    def tiles(self) -> list[tuple[str, float | None, float | None]]:
        """Title, value of the model and value of the reference of the headline metrics."""
        return [
            (title, self.value(MODEL, name), None if self.reference is None else self.value(self.reference, name))
            for title, name in self.headline_metrics
        ]

    def comparison(self, caption: str, metrics: Mapping[str, str]) -> Comparison:
        """Builds a table of all scorers.

        Args:
            caption: Caption.
            metrics: Names of the metrics by title.
        """
        scorers = {
            scorer: name
            for scorer, name in SCORERS.items()
            if any(self.value(scorer, metric) is not None for metric in metrics.values())
        }
        columns = []
        for name in metrics.values():
            values = [self.value(scorer, name) for scorer in scorers]
            present = [value for value in values if value is not None]
            best = (min if lower_is_better(name) else max)(present, default=None)
            columns.append([(value, value is not None and value == best) for value in values])
        rows = [(name, list(cells)) for name, *cells in zip(scorers.values(), *columns, strict=True)]
        heads = [f"{title} {'↓' if lower_is_better(name) else '↑'}" for title, name in metrics.items()]
        return Comparison(caption, heads, rows)

    @property
    def sliced_metrics(self) -> dict[str, str]:
        """Metrics that are shown by slice: display names by name."""
        return {self.main_metric: self.main_title}

    @cached_property
    def slices(self) -> list[SlicesView]:
        """Slices by each of `sliced_metrics`; empty without slices."""
        several = len(self.sliced_metrics) > 1
        views = [
            SlicesView(self, self._rows, metric, title, f"slices-{number}" if several else "slices")
            for number, (metric, title) in enumerate(self.sliced_metrics.items())
        ]
        return [view for view in views if view.rows]

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


class SlicesView:
    """Table and plot of one metric by slice.

    Args:
        view: View of the evaluation.
        rows: Metric values per row.
        metric: Name of the metric.
        title: Its display name.
        plot_id: Id of the plot on the page.
    """

    def __init__(self, view: EvaluationView, rows: MeasuredRows, metric: str, title: str, plot_id: str) -> None:
        self._measured, self._metric, self._plot_id = rows, metric, plot_id
        self.title, self.unit = title, view.unit
        there = {scorer: name for scorer, name in SCORERS.items() if view.value(scorer, metric) is not None}
        self.reference = next((scorer for scorer in there if scorer != MODEL), None)
        #: Scorers that are shown: the model, the reference, and production.
        self.scorers = {scorer: name for scorer, name in there.items() if scorer in (MODEL, self.reference, PRODUCTION)}

    @cached_property
    def rows(self) -> list[Slice]:
        """The metric of the `scorers` in each slice."""
        return slice_metrics(self._measured, self._metric, list(self.scorers))

    @property
    def is_long(self) -> bool:
        """Whether the table is folded away."""
        return len(self.rows) > UNFOLDED_SLICES

    @property
    def figure(self) -> Markup | None:
        """Plot of the lift over the reference in the largest slices, with bounds; None without a reference."""
        if self.reference is None:
            return None
        largest = sorted(self.rows, key=lambda each: -each.rows)[:MAX_SLICES]
        lifts = slice_lifts(self._measured, self._metric, self.reference, largest)
        if not lifts:
            return None
        return plots.slices_plot(lifts, self.title, self.scorers[self.reference], self._plot_id)


#: Metrics over all rows by kind of target, in display order, after those that the recipe names.
_OF_ROWS = {
    "binary": ("auc", "log_loss", "brier", "calibration_error", "normalized_entropy"),
    "regression": ("rmse", "mae", "mse"),
    "classes": ("accuracy", "log_loss"),
}
#: Baselines within a sentence.
_IN_A_SENTENCE = {
    "mean_baseline": "the baseline of user and item means",
    "popularity": "the popularity of the item",
    "constant": "a constant score",
    PRODUCTION: "the model in production",
}


@dataclasses.dataclass(frozen=True)
class Lead:
    """Comparison of the model with a baseline by the main metric of a target, for a sentence.

    Args:
        target: Name of the target; empty for the only one.
        rows: Number of test rows.
        metric: Main metric, with its article.
        own: Value of the model.
        baseline: The baseline within a sentence; empty for none.
        other: Value of the baseline.
        lower: Whether a lower value is better.
    """

    target: str
    rows: int
    metric: str
    own: float
    baseline: str
    other: float | None
    lower: bool


class TargetView:
    """Tables, plots and counts of one target.

    Args:
        view: View of the evaluation.
        name: Name of the target.
        kind: Kind of the target.
        prefix: Beginning of the names of its metrics; empty for the only target.
        curves: Its curves.
    """

    def __init__(self, view: RankingView, name: str, kind: str, prefix: str, curves: Mapping[str, Any]) -> None:
        self._view = view
        self.name, self.kind, self._prefix, self._curves = name, kind, prefix, curves
        self.title = name if prefix else ""

    def count(self, name: str) -> int | None:
        """A number of rows or users, such as `rows_of_new_users`; None if it is not known."""
        value = self._view.metrics.get(self._prefix + name)
        return None if value is None else int(value)

    @cached_property
    def metrics(self) -> list[str]:
        """Metrics of the model that are there, those of the recipe first."""
        asked = [metric_name(name) for name in self._view.config.get("metrics") or ()]
        plain = {metric_parts(name)[0] for name in asked}
        known = [*asked, *(name for name in _OF_ROWS[self.kind] if name not in plain), "auc_by_user"]
        there = [
            name.removeprefix(self._prefix) for name in sorted(self._view.metrics) if name.startswith(self._prefix)
        ]
        of_users = [name for title in ("ndcg", "mrr", "recall") for name in there if metric_parts(name)[0] == title]
        names = [self._prefix + name for name in dict.fromkeys([*known, *of_users])]
        return [name for name in names if name in self._view.metrics]

    @property
    def lead(self) -> Lead | None:
        """The comparison for the first sentence; None if no metric is defined."""
        if not self.metrics:
            return None
        main = self.metrics[0]
        scorers = (scorer for scorer in SCORERS if scorer != MODEL and self._view.value(scorer, main) is not None)
        baseline = next(scorers, None)
        return Lead(
            target=self.title,
            rows=self.count("rows") or 0,
            metric=_with_article(metric_title(main.removeprefix(self._prefix))),
            own=float(self._view.metrics[main]),
            baseline="" if baseline is None else _IN_A_SENTENCE.get(baseline, SCORERS[baseline]),
            other=None if baseline is None else self._view.value(baseline, main),
            lower=lower_is_better(main),
        )

    @property
    def headline(self) -> list[tuple[str, str]]:
        """Titles and names of up to four metrics, of several targets of two."""
        names = self.metrics
        if self.kind == "binary" and not self._view.config.get("metrics"):
            wanted = ("auc", "log_loss", f"ndcg_at_{self._view.k}", "calibration_error", "normalized_entropy")
            names = [self._prefix + name for name in wanted if self._prefix + name in self._view.metrics]
        titles = [(metric_title(name) + (" per user" if "_at_" in name else ""), name) for name in names]
        return titles[: 2 if self.title else 4]

    @property
    def tables(self) -> list[Comparison]:
        """Metrics over all rows, means over users, and metrics on rows of new users and items."""
        lists = [name for name in self.metrics if metric_parts(name)[1] is not None or name.endswith("auc_by_user")]
        of_rows = [name for name in self.metrics if name not in lists]
        of_users = sorted(lists, key=lambda name: name.endswith("auc_by_user"))
        cold = [
            self._prefix + name + end
            for end in NEW
            for name in COLD_METRICS[self.kind]
            if self._prefix + name + end in self._view.metrics
        ]
        about = f"{self.title}: " if self.title else ""
        captions = {
            f"{about}All test rows; the best of each column is bold": of_rows,
            f"{about}Mean over users; each user's test rows are the candidates": of_users,
            f"{about}Test rows of users and of items that are not in train": cold,
        }
        return [self._table(caption, names) for caption, names in captions.items() if names]

    def _table(self, caption: str, names: list[str]) -> Comparison:
        titles = {metric_title(name.removeprefix(self._prefix)): name for name in names}
        table = self._view.comparison(caption, titles)
        best = self._view.metrics.get(f"{self._prefix}best_auc")
        if best is not None and names[0] == f"{self._prefix}auc":
            table.rows.append(("Best possible", [(best, False), *[(None, False)] * (len(names) - 1)]))
        return table

    @property
    def figures(self) -> list[tuple[Markup, str]]:
        """Plots of the curves that are there."""
        found = []
        of = f"{self.title}: " if self.title else ""
        end = f"-{self.name}" if self.title else ""
        if "roc" in self._curves:
            found.append(self._roc(of, end))
            error = self._view.metrics.get(f"{self._prefix}calibration_error")
            found.append(
                (
                    plots.calibration_plot(self._curves["calibration"], error, f"calibration{end}"),
                    f"{of}On the dotted line, 70 % of the rows with a score of 0.7 are positive. All points stand for"
                    " about the same number of rows.",
                )
            )
            text = f"{of}Shares within each class. The less the two overlap, the better the model separates them."
            found.append((plots.histogram_plot(self._curves["histogram"], f"histogram{end}"), text))
        if "residuals" in self._curves:
            residuals = self._curves["residuals"]
            text = f"{of}Actual values by bins of the predicted ones; on the dotted line they are equal. The bars hold"
            predicted = plots.predicted_plot(residuals, f"predicted{end}")
            found.append((predicted, f"{text} 80 % of the rows of a bin, and all bins about equally many rows."))
            text = f"{of}Predicted minus actual value. The outer bars hold what lies beyond them."
            found.append((plots.residuals_plot(residuals, f"residuals{end}"), text))
        if "confusion" in self._curves:
            text = f"{of}Test rows by actual and predicted class; shades are shares of the actual class."
            found.append((plots.confusion_plot(self._curves["confusion"], f"confusion{end}"), text))
        return found

    def _roc(self, of: str, end: str) -> tuple[Markup, str]:
        lines = []
        for scorer, name in SCORERS.items():
            curve = self._curves.get("roc" if scorer == MODEL else f"{scorer}_roc")
            area = self._view.value(scorer, f"{self._prefix}auc")
            if curve is not None:
                lines.append((name, area, curve))
        text = f"{of}Share of the positive rows above a threshold, by the share of the negative rows above it."
        return plots.roc_plot(lines, f"roc{end}"), text


def _with_article(title: str) -> str:
    """The display name of a metric within a sentence: `an AUC`, `a log loss`."""
    name = title if title[:2].isupper() else title[0].lower() + title[1:]
    return f"{'an' if name[0] in 'AaRMN' else 'a'} {name}"


class RankingView(EvaluationView):
    """View of an evaluation of a model that scores rows, with one target or several."""

    task = "ranking"

    def __init__(self, result: EvaluationResult, metadata: Mapping[str, Any]) -> None:
        super().__init__(result, metadata)
        targets = metadata.get("targets") or [{"name": self.target, "kind": "binary"}]
        kinds = {str(target["name"]): str(target["kind"]) for target in targets}
        nested = self.curves.get("targets")
        if nested is None:
            self.parts = [TargetView(self, name, kind, "", self.curves) for name, kind in list(kinds.items())[:1]]
        else:
            self.parts = [TargetView(self, name, kind, f"{name}/", nested[name]) for name, kind in kinds.items()]

    @property
    def title(self) -> str:
        """Name of the prediction, for the title of the page."""
        names = [self.target] if len(self.parts) == 1 else [part.name for part in self.parts]
        what = {"binary": "Ranking", "regression": "Prediction", "classes": "Classification"}
        kinds = {what[part.kind] for part in self.parts}
        return f"{kinds.pop() if len(kinds) == 1 else 'Prediction'} of {' and '.join(names)}"

    @property
    def kinds(self) -> set[str]:
        """Kinds of the targets."""
        return {part.kind for part in self.parts}

    @property
    def has_users(self) -> bool:
        """Whether there are metrics of users."""
        return any(part.count("users") is not None for part in self.parts)

    @property
    def main_metric(self) -> str:
        """Main metric of the first target."""
        return self.parts[0].metrics[0] if self.parts[0].metrics else "auc"

    @property
    def main_title(self) -> str:
        """Display name of the main metric of the first target."""
        return metric_title(self.main_metric)

    @property
    def sliced_metrics(self) -> dict[str, str]:
        """The main metric of each target."""
        return {part.metrics[0]: metric_title(part.metrics[0]) for part in self.parts if part.metrics}

    @property
    def headline_metrics(self) -> list[tuple[str, str]]:
        """The first metrics of each target."""
        return [each for part in self.parts for each in part.headline][:6]

    @property
    def tables(self) -> list[Comparison]:
        """Tables of each target."""
        return [table for part in self.parts for table in part.tables]

    @property
    def figures(self) -> list[tuple[Markup, str]]:
        """Plots of each target."""
        return [figure for part in self.parts for figure in part.figures]


class RetrievalView(EvaluationView):
    """View of an evaluation of a retrieval model."""

    task = "retrieval"

    @property
    def recall_k(self) -> int:
        """Length of the list for the recall of the first sentence: that of the measured one."""
        lengths = [length for plain, length in map(metric_parts, self._names) if plain == "recall"]
        return lengths[0] if lengths and lengths[0] is not None else int(self.config["recall_k"])

    @property
    def exclude_seen(self) -> bool:
        """Whether items that the user has seen are no answers."""
        return bool(self.metadata.get("exclude_seen", True))

    @property
    def _names(self) -> list[str]:
        """Names of the metrics, the main one first."""
        asked = [metric_name(name) for name in self.config.get("metrics") or ()]
        lengths = {"recall": int(self.config["recall_k"])}
        names = asked or [f"{name}_at_{lengths.get(name, self.k)}" for name in RETRIEVAL_METRICS]
        return [name for name in names if name in self.metrics]

    @property
    def main_metric(self) -> str:
        """The first metric of the recipe, otherwise NDCG."""
        return self._names[0]

    @property
    def main_title(self) -> str:
        """Display name of the main metric."""
        return metric_title(self.main_metric)

    @property
    def headline_metrics(self) -> list[tuple[str, str]]:
        """The first four metrics."""
        return [(metric_title(name), name) for name in self._names[:4]]

    @property
    def tables(self) -> list[Comparison]:
        """Means over all queries, and figures for new users and new items."""
        titles = {metric_title(name): name for name in self._names}
        cold = {
            metric_title(name + end): name + end for name in self._names for end in NEW if name + end in self.metrics
        }
        tables = [self.comparison("Mean over all queries; the best of each column is bold", titles)]
        return [*tables, *([self.comparison("Users, and answers, that are not in train", cold)] if cold else [])]

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
