"""Plots of evaluations and of training histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from emrys.components.evaluation.slices import SliceLift
from emrys.components.reporting.svg import MODEL, SECOND, SOFT, THIRD, short_label, svg

_LINE_STYLES = ((MODEL, "solid"), (SECOND, (0, (6, 2))), (THIRD, (0, (1, 1.5))), (SOFT, (0, (4, 1, 1, 1))))


def roc_plot(curves: Sequence[tuple[str, float | None, Mapping[str, Sequence[float]]]], name: str = "roc") -> Markup:
    """Plots ROC curves.

    Args:
        curves: Name, AUC (None if it was not measured) and points (`false_positive_rate`, `true_positive_rate`) of
            the model and other scorers.
        name: Name of the plot, unique within the page.
    """

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.0, linestyle=(0, (2, 3)), label="Coin flip · AUC 0.500")
        for (scorer, auc, points), (colour, dashes) in reversed(list(zip(curves, _LINE_STYLES, strict=False))):
            x, y = points["false_positive_rate"], points["true_positive_rate"]
            axes.plot(x, y, color=colour, ls=dashes, label=scorer if auc is None else f"{scorer} · AUC {auc:.3f}")
        axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(0, 1), ylim=(0, 1.005))
        axes.legend(loc="lower right", reverse=True)

    text = ", ".join(scorer if auc is None else f"{scorer} with an AUC of {auc:.3f}" for scorer, auc, _ in curves)
    return svg(name, "ROC curve", f"ROC curves: {text}.", draw)


def calibration_plot(
    calibration: Mapping[str, Sequence[float]], error: float | None, name: str = "calibration"
) -> Markup:
    """Plots the observed share of positives over the predicted probability.

    Args:
        calibration: `predicted`, `observed` and `rows` of each bin.
        error: The expected calibration error; None if it was not measured.
        name: Name of the plot, unique within the page.
    """

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.0, linestyle=(0, (2, 3)), label="Perfect calibration")
        label = "Model" if error is None else f"Model · error {error:.3f}"
        x, y = calibration["predicted"], calibration["observed"]
        axes.plot(x, y, color=MODEL, marker="o", markersize=4, label=label)
        axes.set(xlabel="Predicted probability", ylabel="Share of positive rows", xlim=(0, 1), ylim=(0, 1.005))
        axes.legend(loc="upper left", reverse=True)

    text = (
        f"Share of positive rows over predicted probability in {len(calibration['rows'])} bins of about equally many"
        f" rows{'' if error is None else f'; the expected calibration error is {error:.3f}'}."
    )
    return svg(name, "Calibration", text, draw)


def histogram_plot(histogram: Mapping[str, Sequence[int]], name: str = "histogram") -> Markup:
    """Plots the score distributions of positive and negative rows.

    Args:
        histogram: Numbers of rows in equally wide bins of the score, `negative` and `positive`.
        name: Name of the plot, unique within the page.
    """
    negative, positive = (np.asarray(histogram[label], np.float64) for label in ("negative", "positive"))
    edges = np.linspace(0.0, 1.0, len(negative) + 1)

    def draw(axes: Axes) -> None:
        for rows, colour, title in ((negative, THIRD, "Negative"), (positive, MODEL, "Positive")):
            share = 100.0 * rows / max(rows.sum(), 1.0)
            axes.stairs(share, edges, color=colour, fill=True, alpha=0.22)
            axes.stairs(share, edges, color=colour, linewidth=1.6, label=f"{title} · {int(rows.sum()):,}")
        axes.set(xlabel="Score", ylabel="Rows of the class, %", xlim=(0, 1))
        axes.set_ylim(0, 1.18 * axes.get_ylim()[1])  # room for the legend
        axes.legend(loc="upper center", ncols=2)

    centres = (edges[1:] + edges[:-1]) / 2
    low, high = (float((rows * centres).sum() / max(rows.sum(), 1.0)) for rows in (negative, positive))
    text = f"Scores of negative rows lie around {low:.2f}, those of positive rows around {high:.2f}."
    return svg(name, "Scores by label", text, draw)


def training_plot(history: Sequence[dict[str, float]], metric: str, title: str) -> Markup | None:
    """Plots a metric on train and valid over the epochs.

    Args:
        history: One dict per epoch, with `metric` and `val_<metric>`.
        metric: Name of the metric.
        title: Title and axis label.

    Returns:
        The plot, or None if the history does not have the metric.
    """
    lines = {}
    for name, side in ((metric, "Train"), (f"val_{metric}", "Valid")):
        points = [(row["epoch"] + 1, row[name]) for row in history if isinstance(row.get(name), (int, float))]
        if points:
            lines[side] = points
    if not lines:
        return None

    def draw(axes: Axes) -> None:
        styles: dict[str, dict[str, Any]] = {"Train": {"color": SECOND, "ls": (0, (6, 2))}, "Valid": {"color": MODEL}}
        for side, points in lines.items():
            epochs, values = zip(*points, strict=True)
            axes.plot(epochs, values, marker="o", markersize=4, label=side, **styles[side])
        axes.set(xlabel="Epoch", ylabel=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.legend()

    ends = [f"{side.lower()} from {points[0][1]:.3f} to {points[-1][1]:.3f}" for side, points in lines.items()]
    return svg(f"training-{metric}", f"{title} by epoch", f"Over {len(history)} epochs: {', '.join(ends)}.", draw)


def recall_plot(curves: Sequence[tuple[str, Sequence[float]]]) -> Markup:
    """Plots recall over the length of the list.

    Args:
        curves: Name and recall at 1, 2, … of the model and other scorers.
    """

    def draw(axes: Axes) -> None:
        for (name, recalls), (colour, dashes) in zip(curves, _LINE_STYLES, strict=False):
            axes.plot(range(1, len(recalls) + 1), recalls, color=colour, ls=dashes, label=name)
        axes.set(xlabel="Recommended items", ylabel="Recall", xlim=(1, None), ylim=(0, None))
        axes.legend(loc="upper left")

    ends = ", ".join(f"{name} {recalls[-1]:.3f}" for name, recalls in curves)
    return svg("recall", "Recall", f"Recall over the length of the list; at {len(curves[0][1])}: {ends}.", draw)


def predicted_plot(residuals: Mapping[str, Sequence[float]], name: str = "predicted") -> Markup:
    """Plots the actual values over the predicted ones.

    Args:
        residuals: `predicted`, `actual`, `low` and `high` (quantiles of the actual values) of each bin.
        name: Name of the plot, unique within the page.
    """
    x, y, low, high = (np.asarray(residuals[key], np.float64) for key in ("predicted", "actual", "low", "high"))

    def draw(axes: Axes) -> None:
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        axes.plot(ends, ends, color=SOFT, linewidth=1.0, linestyle=(0, (2, 3)), label="Equal")
        axes.vlines(x, low, high, color=SECOND, linewidth=1.2, label="80 % of the rows")
        axes.plot(x, y, color=MODEL, marker="o", markersize=4, label="Mean")
        axes.set(xlabel="Predicted value", ylabel="Actual value")
        axes.legend(loc="upper left", reverse=True)

    text = (
        f"Mean actual value over mean predicted value in {len(x)} bins: from {y[0]:.3g} at {x[0]:.3g} to {y[-1]:.3g} at"
        f" {x[-1]:.3g}."
    )
    return svg(name, "Predicted and actual values", text, draw)


def residuals_plot(residuals: Mapping[str, Sequence[float]], name: str = "residuals") -> Markup:
    """Plots the distribution of the residuals.

    Args:
        residuals: `edges` and `counts` of the bars.
        name: Name of the plot, unique within the page.
    """
    edges, counts = np.asarray(residuals["edges"]), np.asarray(residuals["counts"], np.float64)
    share = 100.0 * counts / max(counts.sum(), 1.0)

    def draw(axes: Axes) -> None:
        axes.stairs(share, edges, color=MODEL, fill=True, alpha=0.22)
        axes.stairs(share, edges, color=MODEL, linewidth=1.6)
        axes.axvline(0.0, color=SOFT, linewidth=1.0, linestyle=(0, (2, 3)))
        axes.set(xlabel="Predicted minus actual value", ylabel="Rows, %")

    middle = edges[int(np.searchsorted(np.cumsum(share), 50.0))] if len(share) else 0.0
    text = f"Residuals of {int(counts.sum()):,} rows, half of them below about {middle:.3g}."
    return svg(name, "Residuals", text, draw)


def confusion_plot(confusion: Mapping[str, Sequence[Any]], name: str = "confusion") -> Markup:
    """Plots the number of rows by actual and predicted class.

    Args:
        confusion: `classes` (names) and `counts` (a list by predicted class for each actual class).
        name: Name of the plot, unique within the page.
    """
    names = [short_label(str(each)) for each in confusion["classes"]]
    counts = np.asarray(confusion["counts"], np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)

    def draw(axes: Axes) -> None:
        for row, column in np.ndindex(*counts.shape):
            corner = (column - 0.5, row - 0.5)
            # A rectangle for each cell: an image would be pixels with a palette of its own.
            axes.add_patch(Rectangle(corner, 1, 1, color=MODEL, alpha=0.65 * shares[row, column], linewidth=0))
            axes.text(column, row, f"{int(counts[row, column]):,}", ha="center", va="center", fontsize=8)
        axes.set_xticks(range(len(names)), names, rotation=45 if max(map(len, names)) > 4 else 0)
        axes.set_yticks(range(len(names)), names)
        axes.grid(visible=False)
        axes.set(xlabel="Predicted class", ylabel="Actual class")
        axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5))

    right = float(np.trace(counts) / max(counts.sum(), 1.0))
    text = f"Rows of {len(names)} classes by predicted class; {100 * right:.1f} % are on the diagonal."
    side = max(3.3, 1.2 + 0.42 * len(names))
    return svg(name, "Confusion of classes", text, draw, (max(4.3, side), side))


def slices_plot(lifts: Sequence[SliceLift], metric: str, baseline: str, plot_id: str = "slices") -> Markup:
    """Plots the lift of the model over a baseline in slices, with its bounds.

    Args:
        lifts: The lifts.
        metric: Display name of the metric.
        baseline: Display name of the baseline.
        plot_id: Id of the plot on its page. Default: `slices`.
    """
    y = np.arange(len(lifts))

    def draw(axes: Axes) -> None:
        axes.axvline(0.0, color=SOFT, linewidth=1.0, linestyle=(0, (2, 3)))
        for place, each in zip(y, lifts, strict=True):
            if each.low is not None and each.high is not None:
                axes.hlines(place, each.low, each.high, color=SECOND, linewidth=1.6)
            axes.plot(each.lift, place, color=MODEL, marker="o", markersize=5)
        axes.set_yticks(y, [short_label(f"{each.slice.title} · {each.slice.rows:,}") for each in lifts])
        axes.set(xlabel=f"Lift in {metric}", ylim=(len(lifts) - 0.4, -0.6))

    behind = sum(each.lift < 0 for each in lifts)
    text = f"Lift in {metric} over {baseline} in {len(lifts)} slices; in {behind} of them the model is behind."
    return svg(plot_id, f"{metric} by slice", text, draw, (4.3, max(2.0, 0.9 + 0.3 * len(lifts))))


#: Titles of the metrics that a history may have.
_TITLES = {"loss": "Loss", "auc": "AUC", "ndcg_at_10": "NDCG@10", "recall_at_50": "Recall@50"}


def training_figures(history: Sequence[dict[str, Any]]) -> dict[str, Markup]:
    """Plots each metric of a training history, by title.

    Args:
        history: One dict of metrics per epoch.
    """
    plots = {title: training_plot(history, name, title) for name, title in _TITLES.items()}
    return {title: plot for title, plot in plots.items() if plot is not None}
