"""What the evaluate step leaves behind: numbers, curves and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from emrys.blocks.io import read_json
from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.measured_rows import MeasuredRows


class Evaluation(Artifact):
    """Metrics of a model on the test split.

    Files: `metrics.json` (flat names to finite numbers), `curves.json` (ROC curve, calibration, score histogram),
    `rows.parquet` (what was measured on each row) and `report.html` (one self-contained page).
    """

    kind = "evaluation"
    version = 2
    required: ClassVar[tuple[str, ...]] = ("metrics.json", "curves.json", "rows.parquet", "report.html")

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics by name: the model's, such as `auc`, those of the baselines with a prefix, and counts of rows."""
        return dict(read_json(self.path / "metrics.json"))

    @property
    def curves(self) -> dict[str, Any]:
        """The content of `curves.json`: `roc`, `calibration` and `histogram`, each a dict of lists."""
        return dict(read_json(self.path / "curves.json"))

    @property
    def rows(self) -> MeasuredRows:
        """What was measured on each test row, for the model and for each that it is compared with."""
        return MeasuredRows.read(self.path / "rows.parquet")

    @property
    def roc(self) -> tuple[list[float], list[float], list[float]]:
        """The ROC curve: false positive rates, true positive rates and finite, descending thresholds."""
        curve = self.curves["roc"]
        return curve["false_positive_rate"], curve["true_positive_rate"], curve["thresholds"]

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"
