"""Plots of evaluations and of training histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from emrys.components.evaluation.slices import Slice
from emrys.components.reporting.svg import MODEL, SECOND, SOFT, THIRD, short_label, svg

_LINE_STYLES = ((MODEL, "solid"), (SECOND, (0, (6, 2))), (THIRD, (0, (1, 1.5))), (SOFT, (0, (4, 1, 1, 1))))
#: Maximum number of slices in a plot.
_MAX_SLICES = 14


def roc_plot(curves: Sequence[tuple[str, float, Mapping[str, Sequence[float]]]]) -> Markup:
    """Plots ROC curves.

    Args:
        curves: Name, AUC and points (`false_positive_rate`, `true_positive_rate`) of the model and other scorers.
    """

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.0, linestyle=(0, (2, 3)), label="Coin flip · AUC 0.500")
        for (name, auc, points), (colour, dashes) in reversed(list(zip(curves, _LINE_STYLES, strict=False))):
            x, y = points["false_positive_rate"], points["true_positive_rate"]
            axes.plot(x, y, color=colour, ls=dashes, label=f"{name} · AUC {auc:.3f}")
        axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(0, 1), ylim=(0, 1.005))
        axes.legend(loc="lower right", reverse=True)

    text = ", ".join(f"{name} with an AUC of {auc:.3f}" for name, auc, _ in curves)
    return svg("roc", "ROC curve", f"ROC curves: {text}.", draw)


def calibration_plot(calibration: Mapping[str, Sequence[float]], error: float) -> Markup:
    """Plots the observed share of positives over the predicted probability.

    Args:
        calibration: `predicted`, `observed` and `rows` of each bin.
        error: The expected calibration error.
    """

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.0, linestyle=(0, (2, 3)), label="Perfect calibration")
        label = f"Model · error {error:.3f}"
        x, y = calibration["predicted"], calibration["observed"]
        axes.plot(x, y, color=MODEL, marker="o", markersize=4, label=label)
        axes.set(xlabel="Predicted probability", ylabel="Share of positive rows", xlim=(0, 1), ylim=(0, 1.005))
        axes.legend(loc="upper left", reverse=True)

    text = (
        f"Share of positive rows over predicted probability in {len(calibration['rows'])} bins of about equally many"
        f" rows; the expected calibration error is {error:.3f}."
    )
    return svg("calibration", "Calibration", text, draw)


def histogram_plot(histogram: Mapping[str, Sequence[int]]) -> Markup:
    """Plots the score distributions of positive and negative rows.

    Args:
        histogram: Numbers of rows in equally wide bins of the score, `negative` and `positive`.
    """
    negative, positive = (np.asarray(histogram[label], np.float64) for label in ("negative", "positive"))
    edges = np.linspace(0.0, 1.0, len(negative) + 1)

    def draw(axes: Axes) -> None:
        for rows, colour, name in ((negative, THIRD, "Negative"), (positive, MODEL, "Positive")):
            share = 100.0 * rows / max(rows.sum(), 1.0)
            axes.stairs(share, edges, color=colour, fill=True, alpha=0.22)
            axes.stairs(share, edges, color=colour, linewidth=1.6, label=f"{name} · {int(rows.sum()):,}")
        axes.set(xlabel="Score", ylabel="Rows of the class, %", xlim=(0, 1))
        axes.set_ylim(0, 1.18 * axes.get_ylim()[1])  # room for the legend
        axes.legend(loc="upper center", ncols=2)

    centres = (edges[1:] + edges[:-1]) / 2
    low, high = (float((rows * centres).sum() / max(rows.sum(), 1.0)) for rows in (negative, positive))
    text = f"Scores of negative rows lie around {low:.2f}, those of positive rows around {high:.2f}."
    return svg("histogram", "Scores by label", text, draw)


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


def slices_plot(slices: Sequence[Slice], metric: str, names: Mapping[str, str]) -> Markup:
    """Plots a metric in the largest slices.

    Args:
        slices: The slices.
        metric: Name of the metric.
        names: Display names by scorer; the first two scorers are drawn.
    """
    drawn = list(names.items())[:2]
    shown = sorted(slices, key=lambda each: -each.rows)[:_MAX_SLICES]
    y = np.arange(len(shown))

    def draw(axes: Axes) -> None:
        for (scorer, name), offset, colour in zip(drawn, (-0.2, 0.2), (MODEL, SECOND), strict=False):
            axes.barh(y + offset, [each.values[scorer] or 0.0 for each in shown], 0.36, color=colour, label=name)
        axes.set_yticks(y, [short_label(f"{each.title} · {each.rows:,}") for each in shown])
        axes.set(xlabel=metric)
        axes.invert_yaxis()
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)  # above the bars

    text = f"{metric} in {len(shown)} slices: {' and '.join(name for _, name in drawn)}."
    return svg("slices", f"{metric} by slice", text, draw, (4.3, max(2.0, 0.9 + 0.36 * len(shown))))


#: Titles of the metrics that a history may have.
_TITLES = {"loss": "Loss", "auc": "AUC", "ndcg_at_10": "NDCG@10", "recall_at_50": "Recall@50"}


def training_figures(history: Sequence[dict[str, Any]]) -> dict[str, Markup]:
    """Plots each metric of a training history, by title.

    Args:
        history: One dict of metrics per epoch.
    """
    plots = {title: training_plot(history, name, title) for name, title in _TITLES.items()}
    return {title: plot for title, plot in plots.items() if plot is not None}
