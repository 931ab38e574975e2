"""The curves of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from emrys.components.pages.plots import training_plot

#: Metrics that may be in a history, and their titles.
_TITLES = {"loss": "Loss", "auc": "AUC", "ndcg_at_10": "NDCG@10", "recall_at_50": "Recall@50"}


def training_figures(history: Sequence[dict[str, Any]]) -> dict[str, Markup]:
    """A plot of each metric in a history, by title.

    Args:
        history: One dict of metrics an epoch.
    """
    drawn = {title: training_plot(history, name, title) for name, title in _TITLES.items()}
    return {title: Markup(plot) for title, plot in drawn.items() if plot is not None}  # noqa: S704 - XML, which escapes
