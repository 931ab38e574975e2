"""HTML page of a validation: findings, drift and statistics of the columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from emrys.blocks.errors import DataError
from emrys.components.contracts.column_statistics import ColumnKind, ColumnStatistics
from emrys.components.reporting.facts import SplitFacts, day
from emrys.components.reporting.rendering import render

_TOP = 5
_PARTS = {"values": "", "lengths": " (lengths)", "nulls": " (nulls)"}
#: Distances as text, and whether each exceeds its limit.
Distances = list[tuple[str, bool]]


@dataclasses.dataclass(frozen=True)
class FindingFacts:
    """A finding, one line of a list.

    Args:
        check: Name of the check.
        severity: `error` or `warning`.
        text: Message.
    """

    check: str
    severity: str
    text: str


@dataclasses.dataclass(frozen=True)
class ColumnReviewFacts:
    """Facts about a column of train, one line of a table.

    Args:
        statistics: Statistics of the column.
        values: Short description of its values.
        drift: Distances from the previous run.
        shift: Distances between train and test.
        auc: AUC of the column alone for the label; None for columns that the label is derived from.
    """

    statistics: ColumnStatistics
    values: str
    drift: Distances
    shift: Distances
    auc: float | None


@dataclasses.dataclass(frozen=True)
class ValidationView:
    """View of a validation for HTML pages, from the content of the artifact `Statistics`.

    Args:
        columns: Statistics of the columns of train.
        validation: Content of `validation.json`.
        plots: SVG element of each drifted column.
        meanings: Description of each check.
    """

    columns: Sequence[ColumnStatistics]
    validation: Mapping[str, Any]
    plots: Mapping[str, str]
    meanings: Mapping[str, str]

    @property
    def verdict(self) -> str:
        """`passed`, `marked` or `stopped`."""
        return str(self.validation["verdict"])

    @property
    def has_previous(self) -> bool:
        """Whether there was a previous run to compare with."""
        return self.validation["previous"] is not None

    @property
    def findings(self) -> list[FindingFacts]:
        """The findings, errors first."""
        return [
            FindingFacts(
                each["check"],
                str(getattr(each["severity"], "value", each["severity"])),
                str(DataError(each["problem"], column=each["column"], expected=each["expected"], got=each["got"])),
            )
            for each in self.validation["findings"]
        ]

    @property
    def errors(self) -> int:
        """Number of findings of severity `error`."""
        return sum(each.severity == "error" for each in self.findings)

    @property
    def figures(self) -> dict[str, Markup]:
        """Plot of each drifted column."""
        return {name: Markup(plot) for name, plot in self.plots.items()}  # noqa: S704 - serialised as XML

    @property
    def reviews(self) -> list[ColumnReviewFacts]:
        """Facts about each column."""
        drift, shift, alone = (self.validation[name] for name in ("drift", "test", "alone"))
        return [
            ColumnReviewFacts(
                column,
                _describe_values(column),
                _distances(drift[column.name]),
                _distances(shift[column.name]),
                alone.get(column.name),
            )
            for column in self.columns
        ]


@dataclasses.dataclass(frozen=True)
class ValidationPage:
    """Content of the page. Rendering escapes every text.

    Args:
        view: View of the validation.
        dataset: Name of the data set.
        splits: Facts of each split.
        origin: Fingerprints of the inputs.
        step: Name of the step.
    """

    view: ValidationView
    dataset: str
    splits: Sequence[SplitFacts]
    origin: Mapping[str, str]
    step: str = "validate"

    def render(self) -> str:
        """Renders the page; equal content gives equal bytes."""
        return render("validation.html.j2", page=self, view=self.view)


def _distances(drifts: Sequence[Mapping[str, Any]]) -> Distances:
    """Distances of a column, and whether each exceeds its limit; the one of nulls only if it does."""
    distances = []
    for drift in drifts:
        exceeded = drift["distance"] > drift["limit"]
        if drift["part"] != "nulls" or exceeded:
            distances.append((f"{drift['distance']:.3f}{_PARTS[drift['part']]}", exceeded))
    return distances


def _describe_values(column: ColumnStatistics) -> str:
    """Short description of the values of a column."""
    if column.numbers is not None:
        numbers = column.numbers
        if column.kind is ColumnKind.TIME:
            return f"{day(numbers.min)} to {day(numbers.max)}, median {day(numbers.quantiles['50'])}"
        return f"{numbers.min:g} to {numbers.max:g}, median {numbers.quantiles['50']:g}, mean {numbers.mean:.4g}"
    if column.values is None or not column.values.count:
        return "nothing"
    total = column.values.count
    return " · ".join(
        f"{value}: {100 * count / total:.1f}\N{NO-BREAK SPACE}%" for value, count in column.values.top[:_TOP]
    )
