"""What was found as one HTML page that needs nothing but itself."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from components.artifacts.column_statistics import ColumnKind, ColumnStatistics
from components.artifacts.splits import SPLITS, Splits
from components.artifacts.statistics import Statistics
from components.validate.column_review import ColumnReview
from components.validate.config import CHECKS, ValidateConfig
from components.validate.drift import Drift
from components.validate.finding import Finding
from components.validate.plots import drift_plot

_TOP = 5


@dataclasses.dataclass(frozen=True)
class Report:
    """What stands in the report. Every text is escaped when it is rendered.

    Args:
        verdict: `passed`, `marked` or `stopped`.
        findings: What is wrong, errors first.
        reviews: The columns.
        plots: By column that drifted, its picture.
        dataset: Name of the data set.
        splits: Name, rows, share of positives, first and last moment of each split.
        settings: What the data had to hold to.
        origin: Fingerprints of what was looked at.
    """

    verdict: str
    findings: Sequence[Finding]
    reviews: Sequence[ColumnReview]
    plots: Mapping[str, str]
    dataset: str
    splits: Sequence[Mapping[str, Any]]
    settings: Mapping[str, str]
    origin: Mapping[str, str]

    @classmethod
    def of(
        cls,
        verdict: str,
        findings: Sequence[Finding],
        reviews: Sequence[ColumnReview],
        plots: Mapping[str, str],
        raw: Splits,
        earlier: Statistics | None,
        config: ValidateConfig,
    ) -> Report:
        """Collects what stands in the report of a run."""
        return cls(
            verdict=verdict,
            findings=findings,
            reviews=reviews,
            plots=plots,
            dataset=Path(str(raw.metadata.get("dataset") or "unnamed data")).name,
            splits=[_split(name, raw.metadata) for name in SPLITS],
            settings={name: _setting(value) for name, value in dataclasses.asdict(config).items()},
            origin={"splits": raw.fingerprint, "previous statistics": earlier.fingerprint if earlier else "none"},
        )

    def render(self) -> str:
        """Writes the page. Equal content gives equal bytes."""
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("components.validate", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(number=_number, count=_count, distance=_distance, top=_top)
        return environment.get_template("report.html.j2").render(
            report=self,
            meanings={name: meaning for name, (meaning, _) in CHECKS.items()},
            errors=sum(one.severity.value == "error" for one in self.findings),
            plots={name: Markup(plot) for name, plot in self.plots.items()},  # noqa: S704 - serialised as XML
            has_previous=any(review.before is not None for review in self.reviews),
        )


def draw_drift(reviews: Sequence[ColumnReview]) -> dict[str, str]:
    """A picture of each column that drifted, as an SVG element by column."""
    plots = {}
    for review in reviews:
        if review.worst is not None and review.before is not None:
            plot = drift_plot(review.before, review.statistics, review.values, review.worst)
            if plot is not None:
                plots[review.name] = plot
    return plots


def _split(name: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Facts that ingest has written; what it did not write is left open."""
    rows = (metadata.get("rows") or {}).get(name)
    positives = (metadata.get("positives") or {}).get(name)
    begin, end = (metadata.get("time_range") or {}).get(name) or (None, None)
    share = None if rows in (None, 0) or positives is None else positives / rows
    return {"name": name, "rows": rows, "positive": share, "begin": _day(begin), "end": _day(end)}


def _day(seconds: float | None) -> str | None:
    try:
        return (
            None if seconds is None else f"{datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc):%Y-%m-%d}"
        )
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def _setting(value: Any) -> str:
    if isinstance(value, Mapping):
        given = {name: _setting(inner) for name, inner in value.items() if inner is not None}
        return ", ".join(f"{name}: {inner}" for name, inner in given.items()) or "none"
    return str(getattr(value, "value", value))


def _distance(drifts: Sequence[Drift]) -> list[tuple[str, bool]]:
    """The distances of a column, and whether each is too great; nulls only where they moved."""
    shown = [one for one in drifts if one.part != "nulls" or one.exceeded]
    names = {"values": "", "lengths": " (lengths)", "nulls": " (nulls)"}
    return [(f"{one.distance:.3f}{names[one.part]}", one.exceeded) for one in shown]


def _top(column: ColumnStatistics) -> str:
    """What a column holds, in a few words."""
    if column.numbers is not None:
        numbers = column.numbers
        if column.kind is ColumnKind.TIME:
            return f"{_day(numbers.min)} to {_day(numbers.max)}, median {_day(numbers.quantiles['50'])}"
        return f"{numbers.min:g} to {numbers.max:g}, median {numbers.quantiles['50']:g}, mean {numbers.mean:.4g}"
    if column.values is None or not column.values.count:
        return "nothing"
    total = column.values.count
    return " · ".join(
        f"{value}: {100 * count / total:.1f}\N{NO-BREAK SPACE}%" for value, count in column.values.top[:_TOP]
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"  # noqa: RUF001 - an en dash stands for nothing


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"  # noqa: RUF001
