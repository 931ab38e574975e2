"""One column from all sides."""

from __future__ import annotations

import dataclasses

import pyarrow as pa

from emrys.components.contracts.column_statistics import ColumnStatistics
from emrys.components.validate.drift import Drift
from emrys.components.validate.finding import Findings

_MEASURES = {"js_distance": "Jensen-Shannon distance", "l_infinity": "L-infinity", "null_drift": "difference"}


@dataclasses.dataclass(frozen=True)
class ColumnReview:
    """What was found out about a column.

    Args:
        statistics: The column in train.
        values: Its values in train.
        before: The column in train of the previous run, where there is one.
        drift: How far it has moved since then.
        shift: How far test lies from train.
        auc: How well it predicts the label alone; None for what the label is made of.
        decides: Whether the label is a function of it.
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
        """The column."""
        return self.statistics.name

    @property
    def worst(self) -> Drift | None:
        """What went farthest beyond its limit; None where all is within."""
        return max((one for one in self.drift if one.exceeded), key=excess, default=None)


def excess(drift: Drift) -> float:
    """A distance as a multiple of what it may be."""
    return drift.distance / drift.limit if drift.limit else float("inf")


def add_drift(reviews: list[ColumnReview], findings: Findings) -> None:
    """Keeps what moved too far, the farthest first."""
    by_name = {review.name: review for review in reviews}
    moved = [drift for review in reviews for drift in review.drift if drift.exceeded]
    for drift in sorted(moved, key=excess, reverse=True):
        what = {"values": "the values have", "lengths": "the lengths have", "nulls": "the share of nulls has"}
        findings.add(
            "null_drift" if drift.part == "nulls" else "drift",
            f"{what[drift.part]} moved since the previous run",
            column=drift.column,
            expected=f"{_MEASURES[drift.measure]} of at most {drift.limit:.3g}",
            got=f"{drift.distance:.3g} ({_how(by_name[drift.column], drift)})",
        )


def add_leak(review: ColumnReview, most: float | None, findings: Findings) -> None:
    """Keeps an input that gives the label away."""
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
