"""Plots of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from components.drawing import MODEL, SECOND, SOFT, THIRD, svg
from components.evaluate.scorecard import Scorecard


def roc_plot(card: Scorecard) -> str:
    """The ROC curves of the model and of the user and item means."""

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.0, linestyle=(0, (2, 3)), label="Coin flip · AUC 0.500")
        styles = ((card.model, MODEL, "solid"), (card.baselines[0], SECOND, (0, (6, 2))))
        for one, colour, dashes in reversed(styles):
            label = f"{one.name} · AUC {one.auc:.3f}"
            axes.plot(one.roc.false_positive_rate, one.roc.true_positive_rate, color=colour, ls=dashes, label=label)
        axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(0, 1), ylim=(0, 1.005))
        axes.legend(loc="lower right", reverse=True)

    text = f"ROC curves of the model, AUC {card.model.auc:.3f}, and of the baseline, AUC {card.baselines[0].auc:.3f}."
    return svg("roc", "ROC curve", text, draw)


def calibration_plot(card: Scorecard) -> str:
    """Observed share of positives over predicted probability."""
    calibration = card.model.calibration
    if calibration is None:
        raise TypeError("the model has no calibration")

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.0, linestyle=(0, (2, 3)), label="Perfect calibration")
        label = f"Model · error {calibration.error:.3f}"
        axes.plot(calibration.predicted, calibration.observed, color=MODEL, marker="o", markersize=4, label=label)
        axes.set(xlabel="Predicted probability", ylabel="Share of positive rows", xlim=(0, 1), ylim=(0, 1.005))
        axes.legend(loc="upper left", reverse=True)

    text = (
        f"Share of positive rows over predicted probability in {len(calibration.rows)} bins of about equally many rows;"
        f" the expected calibration error is {calibration.error:.3f}."
    )
    return svg("calibration", "Calibration", text, draw)


def histogram_plot(card: Scorecard) -> str:
    """Score distributions of positive and negative rows."""
    negative, positive = (np.asarray(rows, np.float64) for rows in card.histogram)
    edges = np.linspace(0.0, 1.0, len(negative) + 1)

    def draw(axes: Any) -> None:
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


def training_plot(history: Sequence[dict[str, float]], metric: str, title: str) -> str | None:
    """One metric over the epochs, on train and on valid.

    Args:
        history: One dict an epoch, with `metric` and `val_<metric>`.
        metric: Name of the metric.
        title: Title and axis label.

    Returns:
        The SVG element; None when the history does not have the metric.
    """
    lines = {}
    for name, label in ((metric, "Train"), (f"val_{metric}", "Valid")):
        points = [(row["epoch"] + 1, row[name]) for row in history if isinstance(row.get(name), (int, float))]
        if points:
            lines[label] = points
    if not lines:
        return None

    def draw(axes: Any) -> None:
        looks: dict[str, dict[str, Any]] = {"Train": {"color": SECOND, "ls": (0, (6, 2))}, "Valid": {"color": MODEL}}
        for label, points in lines.items():
            epochs, values = zip(*points, strict=True)
            axes.plot(epochs, values, marker="o", markersize=4, label=label, **looks[label])
        axes.set(xlabel="Epoch", ylabel=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.legend()

    ends = [f"{label.lower()} from {points[0][1]:.3f} to {points[-1][1]:.3f}" for label, points in lines.items()]
    return svg(f"training-{metric}", f"{title} by epoch", f"Over {len(history)} epochs: {', '.join(ends)}.", draw)
