"""Artifact of the step evaluate: metrics, curves, metric values per row and a report."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from emrys.blocks.io import read_json, write_json
from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.measured_rows import MeasuredRows

_METRICS, _CURVES, _ROWS, _REPORT = "metrics.json", "curves.json", "rows.parquet", "report.html"


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """Numbers of an evaluation.

    Args:
        metrics: Metrics by name: those of the model, such as `auc`; of the baselines, with a prefix; counts of rows.
        curves: Curves by name, such as `roc`, each a dict of lists.
        rows: Metric values of each test row, for the model and the scorers that it is compared with.
    """

    metrics: Mapping[str, float]
    curves: Mapping[str, Any]
    rows: MeasuredRows

    def save(self, folder: Path) -> None:
        """Writes the numbers to the files of an evaluation."""
        write_json(folder / _METRICS, dict(self.metrics))
        write_json(folder / _CURVES, dict(self.curves))
        self.rows.write(folder / _ROWS)


class Evaluation(Artifact):
    """Metrics of a model on the test split.

    Files: `metrics.json` (flat names to finite numbers), `curves.json` (ROC curve, calibration, score histogram),
    `rows.parquet` (metric values per row) and `report.html` (one self-contained page).
    """

    kind = "evaluation"
    version = 2
    required: ClassVar[tuple[str, ...]] = (_METRICS, _CURVES, _ROWS, _REPORT)

    @classmethod
    def write(
        cls, path: str | os.PathLike[str], result: EvaluationResult, report: str, metadata: Mapping[str, Any]
    ) -> Self:
        """Writes an evaluation atomically.

        Args:
            path: Folder of the artifact.
            result: The numbers.
            report: The HTML page.
            metadata: Metadata for the manifest.

        Returns:
            The artifact.
        """
        with cls.create(path, dict(metadata)) as folder:
            result.save(folder)
            (folder / _REPORT).write_text(report, encoding="utf-8")
        return cls(path)

    @property
    def result(self) -> EvaluationResult:
        """The numbers."""
        return EvaluationResult(self.metrics, self.curves, self.rows)

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics by name: those of the model, such as `auc`; of the baselines, with a prefix; and counts of rows."""
        return dict(read_json(self.path / _METRICS))

    @property
    def curves(self) -> dict[str, Any]:
        """The content of `curves.json`: `roc`, `calibration` and `histogram`, each a dict of lists."""
        return dict(read_json(self.path / _CURVES))

    @property
    def rows(self) -> MeasuredRows:
        """Metric values of each test row, for the model and the scorers that it is compared with."""
        return MeasuredRows.read(self.path / _ROWS)

    @property
    def roc(self) -> tuple[list[float], list[float], list[float]]:
        """The ROC curve: false positive rates, true positive rates and finite, descending thresholds."""
        curve = self.curves["roc"]
        return curve["false_positive_rate"], curve["true_positive_rate"], curve["thresholds"]

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / _REPORT
