"""Plots as SVG elements that stand inside a page: they follow its colours and need nothing else."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from components.evaluate.scorecard import Scorecard

#: Colours to draw with, and what the page shows in their place, so that light, dark and print each have their own.
COLOURS = {
    "#010101": "var(--ink)",
    "#020202": "var(--soft)",
    "#030303": "var(--grid)",
    "#040404": "var(--model)",
    "#050505": "var(--second)",
    "#060606": "var(--third)",
}
INK, SOFT, GRID, MODEL, SECOND, THIRD = COLOURS

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": SOFT,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.size": 10.0,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.color": SOFT,
    "ytick.labelcolor": INK,
}


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
    return _svg("roc", "ROC curve", text, draw)


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
    return _svg("calibration", "Calibration", text, draw)


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
    return _svg("histogram", "Scores by label", text, draw)


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
    return _svg(f"training-{metric}", f"{title} by epoch", f"Over {len(history)} epochs: {', '.join(ends)}.", draw)


def _svg(name: str, title: str, description: str, draw: Callable[[Any], None]) -> str:
    # A fixed salt and no date: the same numbers give the same bytes.
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(4.3, 3.3), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        target = io.StringIO()
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    return _embed(target.getvalue(), name, title, description)


def _embed(svg: str, name: str, title: str, description: str) -> str:
    """Makes an SVG file an element of an HTML page: named, described, without namespaces or colours of its own."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - written by matplotlib a moment ago
    for parent in list(root.iter()):
        for child in [child for child in parent if _local(child.tag) in ("metadata", "style")]:
            parent.remove(child)  # the style sheet would reach the whole page
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(key): _adapt(_local(key), value, name) for key, value in element.attrib.items()}
        element.attrib.clear()
        element.attrib.update(attributes)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib.update({"role": "img", "aria-labelledby": f"{name}-title {name}-description"})
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(tag, {"id": f"{name}-{'title' if tag == 'title' else 'description'}"})
        element.text = text
        root.insert(place, element)
    return ElementTree.tostring(root, encoding="unicode")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _adapt(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"  # ids are shared by the whole page
    if key == "href":
        return value.replace("#", f"#{name}-", 1)
    value = value.replace("url(#", f"url(#{name}-")
    if key == "style":
        value = re.sub(r"font-family:[^;]*;?", "", value)  # the page's font
    for colour, variable in COLOURS.items():
        value = value.replace(colour, variable)
    return value
