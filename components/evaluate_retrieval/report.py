"""The evaluation as one HTML page that needs nothing but itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jinja2
from markupsafe import Markup

from components.evaluate.facts import ColumnFacts, SplitFacts
from components.evaluate.plots import training_plot
from components.evaluate_retrieval import plots
from components.evaluate_retrieval.scorecard import Performance

#: Metrics that may be in the history of the training, and their titles.
_TRAINING = {"loss": "Loss", "ndcg_at_10": "NDCG@10", "recall_at_50": "Recall@50"}


@dataclasses.dataclass(frozen=True)
class Report:
    """What stands in the report. Every text is escaped when it is rendered.

    Args:
        ways: The model, and what it is compared with.
        values: Mean metrics by scorer and name, without the scorer in front.
        k: Length of the list that most metrics look at.
        recall_k: Length of the list that recall looks at.
        slices: Slices, each with its queries and NDCG of the model and of the first of the others.
        counts: Numbers of queries, items and so on, by name.
        search: How the best items are found, by name.
        dataset: Name of the data set.
        splits: Facts of each split.
        columns: Facts of each column of the schema.
        data: Further facts of the data, by name.
        history: One dict of metrics an epoch; empty when there is none.
        summary: Summary of the model, as text.
        fingerprints: Fingerprint of each input, by name.
        versions: Versions, by name.
    """

    ways: Sequence[Performance]
    values: Mapping[str, Mapping[str, float]]
    k: int
    recall_k: int
    slices: Sequence[tuple[str, int, float, float]]
    counts: Mapping[str, int]
    search: Mapping[str, str]
    dataset: str
    splits: Sequence[SplitFacts]
    columns: Sequence[ColumnFacts]
    data: Mapping[str, str]
    history: Sequence[dict[str, float]]
    summary: str
    fingerprints: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def recall_name(self) -> str:
        """Name of the recall."""
        return f"recall_at_{self.recall_k}"

    def render(self) -> str:
        """Writes the page. Equal content gives equal bytes."""
        folders = [
            jinja2.PackageLoader(f"components.{name}", "templates") for name in ("evaluate_retrieval", "evaluate")
        ]
        environment = jinja2.Environment(
            loader=jinja2.ChoiceLoader(folders),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["number"] = _number
        environment.filters["count"] = _count
        shown = {
            f"NDCG@{self.k}": f"ndcg_at_{self.k}",
            f"Recall@{self.recall_k}": self.recall_name,
            f"MRR@{self.k}": f"mrr_at_{self.k}",
            f"Coverage@{self.k}": f"coverage_at_{self.k}",
            f"Novelty@{self.k}": f"novelty_at_{self.k}",
        }
        drawn = {title: training_plot(self.history, name, title) for name, title in _TRAINING.items()}
        return environment.get_template("report.html.j2").render(
            report=self,
            values=self.values,
            model=self.values[self.ways[0].scorer],
            tiles=list(shown.items())[:4],
            heads=[f"{title} ↑" for title in shown],
            overall=self._table(list(shown.values())),
            recall=Markup(plots.recall_plot(self.ways)),  # noqa: S704 - serialised as XML, which escapes
            slices=Markup(  # noqa: S704
                plots.slices_plot(self.slices, f"NDCG@{self.k}", self.ways[1].name)
            ),
            training={title: Markup(plot) for title, plot in drawn.items() if plot is not None},  # noqa: S704
        )

    def _table(self, names: Sequence[str]) -> list[tuple[str, list[tuple[float, bool]]]]:
        """The rows of the comparison: a name, and each metric with whether no other row does better."""
        best = {name: max(self.values[way.scorer][name] for way in self.ways) for name in names}
        return [
            (way.name, [(found := self.values[way.scorer][name], found == best[name]) for name in names])
            for way in self.ways
        ]


def _number(value: float | None, digits: int = 4) -> str:
    return "–" if value is None else f"{value:.{digits}f}"  # noqa: RUF001 - an en dash stands for nothing


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"  # noqa: RUF001
