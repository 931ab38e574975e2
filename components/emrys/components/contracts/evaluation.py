"""Artifact of the step evaluate: metrics, curves, metric values per row and a report."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json, write_json
from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.data_schema import DATA_SCHEMA_FILE, DataSchema
from emrys.components.contracts.measured_rows import MeasuredRows

_METRICS, _CURVES, _ROWS, _REPORT = "metrics.json", "curves.json", "rows.parquet", "report.html"


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """Numbers of an evaluation.

    Args:
        metrics: Metrics by name: those of the model, such as `auc`; of the baselines, with a prefix; counts of rows.
        curves: Curves by name, such as `roc`, each a dict of lists.
        rows: Metric values of each test row, for the model and the scorers that it is compared with.
        data_schema: Columns and targets of the log; None if they are not known.
    """

    metrics: Mapping[str, float]
    curves: Mapping[str, Any]
    rows: MeasuredRows
    data_schema: DataSchema | None = None

    def save(self, folder: Path) -> None:
        """Writes the numbers to the files of an evaluation."""
        write_json(folder / _METRICS, dict(self.metrics))
        write_json(folder / _CURVES, dict(self.curves))
        self.rows.write(folder / _ROWS)
        if self.data_schema is not None:
            self.data_schema.write(folder)


class Evaluation(Artifact):
    """Metrics of a model on the test split.

    Files: `metrics.json` (flat names to finite numbers), `curves.json` (by the kind of the target: ROC curve,
    calibration, score histogram; residuals; confusion counts), `rows.parquet` (metric values per row), `report.html`
    (one self-contained page) and, but for evaluations of earlier releases, `data_schema.json`.

    With several targets the names of metrics begin with the target, `buy/auc`, and the curves have a dict for each,
    under `targets`.
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
        schema = DataSchema.read(self.path) if DATA_SCHEMA_FILE in self.files else None
        return EvaluationResult(self.metrics, self.curves, self.rows, schema)

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics by name: those of the model, such as `auc`; of the baselines, with a prefix; and counts of rows."""
        return dict(read_json(self.path / _METRICS))

    @property
    def curves(self) -> dict[str, Any]:
        """The content of `curves.json`; for a binary target `roc`, `calibration` and `histogram`, dicts of lists."""
        return dict(read_json(self.path / _CURVES))

    @property
    def rows(self) -> MeasuredRows:
        """Metric values of each test row, for the model and the scorers that it is compared with."""
        return MeasuredRows.read(self.path / _ROWS)

    @property
    def data_schema(self) -> DataSchema:
        """Columns and targets of the log.

        Raises:
            ArtifactError: if the evaluation was written by a release without data schemas.
        """
        if DATA_SCHEMA_FILE not in self.files:
            raise ArtifactError(
                "the evaluation has no data schema", path=self.path, fix="Run the evaluation again with this release."
            )
        return DataSchema.read(self.path)

    @property
    def roc(self) -> tuple[list[float], list[float], list[float]] | None:
        """The ROC curve: false positive rates, true positive rates and finite, descending thresholds.

        With several targets it is that of the first one with a curve; None without any.
        """
        curves = self.curves
        names = [target["name"] for target in self.metadata.get("targets", ())]
        for each in [curves, *(curves["targets"][name] for name in names if "targets" in curves)]:
            if "roc" in each:
                curve = each["roc"]
                return curve["false_positive_rate"], curve["true_positive_rate"], curve["thresholds"]
        return None

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / _REPORT
