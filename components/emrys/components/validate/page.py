"""What was found as one HTML page that needs nothing but itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from emrys.components.reporting.facts import SplitFacts
from emrys.components.reporting.rendering import render
from emrys.components.reporting.validation_page import ValidationView
from emrys.components.validate.column_review import ColumnReview
from emrys.components.validate.plots import drift_plot

STEP = "validate"


@dataclasses.dataclass(frozen=True)
class Report:
    """What stands in the report. Every text is escaped when it is rendered.

    Args:
        view: What was found out.
        dataset: Name of the data set.
        splits: Facts of each split.
        origin: Fingerprints of what was looked at.
        step: Name of the step.
    """

    view: ValidationView
    dataset: str
    splits: Sequence[SplitFacts]
    origin: Mapping[str, str]
    step: str = STEP

    def render(self) -> str:
        """Writes the page. Equal content gives equal bytes."""
        return render("validation.html.j2", page=self, view=self.view)


def draw_drift(reviews: Sequence[ColumnReview]) -> dict[str, str]:
    """A picture of each column that drifted, as an SVG element by column."""
    plots = {}
    for review in reviews:
        if review.worst is not None and review.before is not None:
            plot = drift_plot(review.before, review.statistics, review.values, review.worst)
            if plot is not None:
                plots[review.name] = plot
    return plots
