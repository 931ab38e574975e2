"""Plots of the evaluation of a retrieval model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.drawing import MODEL, SECOND, SOFT, THIRD, svg
from components.evaluate_retrieval.scorecard import Performance

_LOOKS = ((MODEL, "solid"), (SECOND, (0, (6, 2))), (THIRD, (0, (1, 1.5))), (SOFT, (0, (4, 1, 1, 1))))


def recall_plot(ways: Sequence[Performance]) -> str:
    """Recall over the length of the list.

    Args:
        ways: The model and what it is compared with.
    """

    def draw(axes: Any) -> None:
        for way, (colour, dashes) in zip(ways, _LOOKS, strict=False):
            axes.plot(range(1, len(way.recalls) + 1), way.recalls, color=colour, ls=dashes, label=way.name)
        axes.set(xlabel="Recommended items", ylabel="Share of the right items found", xlim=(1, None), ylim=(0, None))
        axes.legend(loc="upper left")

    ends = ", ".join(f"{way.name} {way.recalls[-1]:.3f}" for way in ways)
    return svg("recall", "Recall", f"Recall over the length of the list; at {len(ways[0].recalls)}: {ends}.", draw)


def slices_plot(rows: Sequence[tuple[str, int, float, float]], metric: str, against: str) -> str:
    """A metric in each slice, of the model and of what it is compared with.

    Args:
        rows: Name of the slice, queries in it, the model's metric and the other's.
        metric: Name of the metric.
        against: Name of the other.
    """

    def draw(axes: Any) -> None:
        places = range(len(rows))
        axes.barh([place - 0.2 for place in places], [row[2] for row in rows], 0.36, color=MODEL, label="Model")
        axes.barh([place + 0.2 for place in places], [row[3] for row in rows], 0.36, color=SECOND, label=against)
        axes.set_yticks(list(places), [f"{name} · {count:,}" for name, count, _, _ in rows])
        axes.set(xlabel=metric)
        axes.invert_yaxis()
        axes.legend()

    text = f"{metric} in {len(rows)} slices, of the model and of {against}."
    return svg("slices", f"{metric} by slice", text, draw, (4.3, max(2.0, 0.9 + 0.36 * len(rows))))
