"""The evaluation as one HTML page that needs nothing but itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jinja2
from markupsafe import Markup

from components.evaluate import plots
from components.evaluate.facts import ColumnFacts, SplitFacts
from components.evaluate.scorecard import Scorecard

TRAINING = {"loss": "Loss", "auc": "AUC"}
LOWER_IS_BETTER = ("log_loss", "brier", "calibration_error")


@dataclasses.dataclass(frozen=True)
class Report:
    """What stands in the report. Every text is escaped when it is rendered.

    Args:
        card: The numbers.
        target: Name of the label.
        dataset: Name of the data set.
        splits: Facts of each split.
        columns: Facts of each column of the schema.
        data: Further facts of the data, by name.
        history: One dict of metrics an epoch; empty when there is none.
        summary: Summary of the model, as text.
        fingerprints: Fingerprint of each input, by name.
        versions: Versions, by name.
    """

    card: Scorecard
    target: str
    dataset: str
    splits: Sequence[SplitFacts]
    columns: Sequence[ColumnFacts]
    data: Mapping[str, str]
    history: Sequence[dict[str, float]]
    summary: str
    fingerprints: Mapping[str, str]
    versions: Mapping[str, str]

    def render(self) -> str:
        """Writes the page. Equal content gives equal bytes."""
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("components.evaluate", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["number"] = _number
        environment.filters["count"] = _count
        return environment.get_template("report.html.j2").render(
            report=self,
            card=self.card,
            roc=Markup(plots.roc_plot(self.card)),  # noqa: S704 - serialised as XML, which escapes
            calibration=Markup(plots.calibration_plot(self.card)),  # noqa: S704
            histogram=Markup(plots.histogram_plot(self.card)),  # noqa: S704
            training=self._training(),
            overall=self._table("auc", "log_loss", "brier", "calibration_error"),
            per_user=self._table(f"ndcg_at_{self.card.k}", f"mrr_at_{self.card.k}", f"recall_at_{self.card.k}"),
        )

    def _training(self) -> dict[str, Markup]:
        drawn = {title: plots.training_plot(self.history, name, title) for name, title in TRAINING.items()}
        return {title: Markup(plot) for title, plot in drawn.items() if plot is not None}  # noqa: S704

    def _table(self, *names: str) -> list[tuple[str, list[tuple[float | None, bool]]]]:
        """The rows of a comparison: a name, and for each metric its value and whether no other row does better."""
        ways = (self.card.model, *self.card.baselines)
        values = [[dict(way.named(self.card.k)).get(way.key + name) for name in names] for way in ways]
        leading = []
        for name, column in zip(names, zip(*values, strict=True), strict=True):
            present = [value for value in column if value is not None]
            leading.append(min(present) if name in LOWER_IS_BETTER else max(present))
        return [
            (way.name, [(value, value == best) for value, best in zip(row, leading, strict=True)])
            for way, row in zip(ways, values, strict=True)
        ]


def _number(value: float | None, digits: int = 4) -> str:
    return "–" if value is None else f"{value:.{digits}f}"  # noqa: RUF001 - an en dash stands for nothing


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"  # noqa: RUF001
