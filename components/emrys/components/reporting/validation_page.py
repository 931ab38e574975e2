"""What was found out about the data, as pages show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from emrys.blocks.errors import DataError
from emrys.components.contracts.column_statistics import ColumnKind, ColumnStatistics
from emrys.components.reporting.facts import day

_TOP = 5
_PARTS = {"values": "", "lengths": " (lengths)", "nulls": " (nulls)"}
#: Distances, and whether each is beyond its limit.
Distances = list[tuple[str, bool]]


@dataclasses.dataclass(frozen=True)
class FindingFacts:
    """Something that is wrong with the data, in a line.

    Args:
        check: The check that found it.
        severity: How much it matters: `error` or `warning`.
        text: What is wrong.
    """

    check: str
    severity: str
    text: str


@dataclasses.dataclass(frozen=True)
class ColumnReviewFacts:
    """One column of train in a line.

    Args:
        statistics: The column.
        holds: What it holds, in a few words.
        drift: How far it has moved from the previous run.
        shift: How far test lies from train.
        auc: What it says of the label alone; None for what the label is made of.
    """

    statistics: ColumnStatistics
    holds: str
    drift: Distances
    shift: Distances
    auc: float | None


@dataclasses.dataclass(frozen=True)
class ValidationView:
    """What was found out about the data, made of what stands in the artifact `Statistics`.

    Args:
        columns: The columns of train.
        validation: Content of `validation.json`.
        plots: An SVG element by column that drifted.
        meanings: What each check looks at.
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
        """Whether there was a run to compare with."""
        return self.validation["previous"] is not None

    @property
    def findings(self) -> list[FindingFacts]:
        """What is wrong, errors first."""
        return [
            FindingFacts(
                one["check"],
                str(getattr(one["severity"], "value", one["severity"])),
                str(DataError(one["problem"], column=one["column"], expected=one["expected"], got=one["got"])),
            )
            for one in self.validation["findings"]
        ]

    @property
    def errors(self) -> int:
        """Number of findings for which the data are not fit."""
        return sum(one.severity == "error" for one in self.findings)

    @property
    def figures(self) -> dict[str, Markup]:
        """A picture of each column that drifted."""
        return {name: Markup(plot) for name, plot in self.plots.items()}  # noqa: S704 - serialised as XML

    @property
    def reviews(self) -> list[ColumnReviewFacts]:
        """The columns."""
        drift, shift, alone = (self.validation[name] for name in ("drift", "test", "alone"))
        return [
            ColumnReviewFacts(
                one, _holds(one), _distances(drift[one.name]), _distances(shift[one.name]), alone.get(one.name)
            )
            for one in self.columns
        ]


def _distances(drifts: Sequence[Mapping[str, Any]]) -> Distances:
    """The distances of a column, and whether each is too great; nulls only where they moved."""
    found = [(one["part"], one["distance"], one["distance"] > one["limit"]) for one in drifts]
    return [(f"{far:.3f}{_PARTS[part]}", exceeded) for part, far, exceeded in found if part != "nulls" or exceeded]


def _holds(column: ColumnStatistics) -> str:
    """What a column holds, in a few words."""
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
