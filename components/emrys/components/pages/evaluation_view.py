"""An evaluation as pages show it."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from markupsafe import Markup

from emrys.components.artifacts.measured_rows import MODEL, PRODUCTION, SCORERS, MeasuredRows
from emrys.components.gate.config import LOWER_IS_BETTER
from emrys.components.pages.plots import slices_plot
from emrys.components.pages.slices import Slice, slices_by

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
