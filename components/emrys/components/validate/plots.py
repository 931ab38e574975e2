"""Plots of drifted columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from markupsafe import Markup
from matplotlib.axes import Axes

from emrys.components.contracts.column_statistics import ColumnStatistics, Numbers, Values
from emrys.components.reporting.svg import MODEL, SECOND, printable, short_label, svg
from emrys.components.validate.column_review import ColumnReview
from emrys.components.validate.counting import counts_on, lengths_of, numbers_of
from emrys.components.validate.drift import Drift

_SHOWN = 8


def draw_drift(reviews: Sequence[ColumnReview]) -> dict[str, Markup]:
    """Plots each drifted column, by column."""
    plots = {}
    for review in reviews:
        if review.worst is not None and review.before is not None:
            plot = drift_plot(review.before, review.statistics, review.values, review.worst)
            if plot is not None:
                plots[review.name] = plot
    return plots


def drift_plot(before: ColumnStatistics, now: ColumnStatistics, column: pa.ChunkedArray, drift: Drift) -> Markup | None:
    """Plots the distribution of a column in the previous run and in this one.

    Args:
        before: Statistics of the previous run.
        now: Statistics of this run.
        column: Values of this run.
        drift: The largest drift of the column.

    Returns:
        The plot, or None if there are no values to draw.
    """
    title = f"{now.name}, previous run and this one"
    if drift.part == "nulls":
        return _nulls(f"drift-{now.name}", title, before, now)
    if drift.part == "lengths" and before.lengths and now.lengths:
        counts = counts_on(before.lengths.edges, lengths_of(column))
        return _histogram(f"drift-{now.name}", title, f"Length of {now.name}", before.lengths, now.lengths, counts)
    if before.numbers and now.numbers:
        counts = counts_on(before.numbers.edges, numbers_of(column))
        return _histogram(f"drift-{now.name}", title, now.name, before.numbers, now.numbers, counts)
    if before.values and now.values and before.values.count and now.values.count:
        return _bars(f"drift-{now.name}", title, now.name, before.values, now.values)
    return None


def _histogram(
    name: str, title: str, label: str, before: Numbers, now: Numbers, counts: npt.NDArray[np.int64]
) -> Markup:
    # Values outside the bins of the previous run get one more bin at either end.
    edges = np.array([min(before.edges[0], now.min), *before.edges, max(before.edges[-1], now.max)])
    widths = np.diff(edges)

    def density(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        shares = 100.0 * rows / max(1, rows.sum())
        return np.divide(shares, widths, out=np.zeros(len(widths)), where=widths > 0)

    def draw(axes: Axes) -> None:
        for rows, colour, run in ((np.array([0, *before.counts, 0]), SECOND, "Previous"), (counts, MODEL, "This run")):
            axes.stairs(density(rows), edges, color=colour, fill=True, alpha=0.22)
            axes.stairs(density(rows), edges, color=colour, linewidth=1.6, label=run)
        # The axis ignores outliers.
        low = min(before.quantiles["1"], now.quantiles["1"])
        high = max(before.quantiles["99"], now.quantiles["99"])
        margin = 0.08 * (high - low) or 1.0
        axes.set(xlabel=label, ylabel="Rows for each unit, %", xlim=(low - margin, high + margin))
        axes.set_ylim(0, 1.2 * axes.get_ylim()[1])
        axes.legend(loc="upper center", ncols=2)

    text = f"{label}: the median was {before.quantiles['50']:g} and is {now.quantiles['50']:g}."
    return svg(name, title, text, draw)


def _bars(name: str, title: str, label: str, before: Values, now: Values) -> Markup:
    was, now_is = ({value: count / side.count for value, count in side.top} for side in (before, now))
    apart = {value: abs(now_is.get(value, 0.0) - was.get(value, 0.0)) for value in {**now_is, **was}}
    values = sorted(apart, key=lambda value: (-apart[value], str(value)))[:_SHOWN]
    y = np.arange(len(values))

    def draw(axes: Axes) -> None:
        for shares, offset, colour, run in ((was, -0.2, SECOND, "Previous"), (now_is, 0.2, MODEL, "This run")):
            axes.barh(y + offset, [100 * shares.get(value, 0.0) for value in values], 0.36, color=colour, label=run)
        axes.set_yticks(y, [short_label(str(value)) for value in values])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel=f"Share among the values of {label}, %")
        axes.legend(loc="lower right")

    first = values[0]
    moved = f"{100 * was.get(first, 0.0):.1f} to {100 * now_is.get(first, 0.0):.1f} %"
    return svg(
        name, title, f"The share of {printable(str(first))} among the values of {label} went from {moved}.", draw
    )


def _nulls(name: str, title: str, before: ColumnStatistics, now: ColumnStatistics) -> Markup:
    shares = 100 * before.null_share, 100 * now.null_share

    def draw(axes: Axes) -> None:
        axes.barh([0, 1], shares, 0.5, color=[SECOND, MODEL])
        axes.set_yticks([0, 1], ["Previous", "This run"])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel=f"Rows without {now.name}, %", xlim=(0, 100))

    text = f"Rows without {now.name} went from {shares[0]:.1f} to {shares[1]:.1f} %."
    return svg(name, title, text, draw, (4.3, 1.8))
