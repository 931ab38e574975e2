"""Review of one column: statistics, drift and leaks, and the findings about them."""

from __future__ import annotations

import dataclasses

import pyarrow as pa

from emrys.components.contracts.column_statistics import ColumnStatistics
from emrys.components.validate.drift import Drift
from emrys.components.validate.finding import Findings

_MEASURES = {"js_distance": "Jensen-Shannon distance", "l_infinity": "L-infinity", "null_drift": "difference"}


@dataclasses.dataclass(frozen=True)
class ColumnReview:
    """Results about one column.

    Args:
        statistics: Statistics of train.
        values: Values of train.
        before: Statistics of train in the previous run, or None.
        drift: Distances from the previous run.
        shift: Distances between train and test.
        auc: AUC of the column alone for the label; None for columns that the label is derived from.
        decides: Whether the label is a function of the column.
    """

    statistics: ColumnStatistics
    values: pa.ChunkedArray
    before: ColumnStatistics | None
    drift: list[Drift]
    shift: list[Drift]
    auc: float | None
    decides: bool

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.statistics.name

    @property
    def worst(self) -> Drift | None:
        """The drift that exceeds its limit most; None if no limit is exceeded."""
        return max((drift for drift in self.drift if drift.exceeded), key=excess, default=None)


def excess(drift: Drift) -> float:
    """Distance as a multiple of its limit."""
    return drift.distance / drift.limit if drift.limit else float("inf")


def add_drift(reviews: list[ColumnReview], findings: Findings) -> None:
    """Adds findings for exceeded drift limits, the largest excess first."""
    by_name = {review.name: review for review in reviews}
    moved = [drift for review in reviews for drift in review.drift if drift.exceeded]
    for drift in sorted(moved, key=excess, reverse=True):
        what = {"values": "the values", "lengths": "the lengths", "nulls": "the share of nulls"}
        findings.add(
            "null_drift" if drift.part == "nulls" else "drift",
            f"{what[drift.part]} changed since the previous run",
            column=drift.column,
            expected=f"{_MEASURES[drift.measure]} of at most {drift.limit:.3g}",
            got=f"{drift.distance:.3g} ({_how(by_name[drift.column], drift)})",
        )


def add_leak(review: ColumnReview, most: float | None, findings: Findings) -> None:
    """Adds a finding for a column that reveals the label."""
    if review.auc is None or review.statistics.distinct == 0:
        return
    if review.decides:
        findings.add(
            "leak_label",
            "the label is a function of this input",
            column=review.name,
            expected="an input that is known before the label",
            got=f"an AUC of {review.auc:.4f} alone",
        )
    elif most is not None and review.auc > most:
        findings.add(
            "leak_feature",
            "this input predicts the label alone",
            column=review.name,
            expected=f"an AUC of at most {most:g}",
            got=f"{review.auc:.4f}",
        )


def _how(review: ColumnReview, drift: Drift) -> str:
    if drift.before is not None and drift.now is not None:
        subject = "from" if drift.value is None else f"{drift.value!r} from"
        return f"{subject} {100 * drift.before:.1f} to {100 * drift.now:.1f} %"
    sides = [review.before, review.statistics]
    numbers = [side and (side.lengths if drift.part == "lengths" else side.numbers) for side in sides]
    medians = " to ".join(f"{one.quantiles['50']:g}" for one in numbers if one)
    return f"median from {medians}, mean from {' to '.join(f'{one.mean:.4g}' for one in numbers if one)}"
