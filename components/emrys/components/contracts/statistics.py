"""Artifact of the step validate: statistics of the columns, and findings."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json, write_json
from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.column_statistics import ColumnStatistics


class Statistics(Artifact):
    """Statistics of the raw splits, and findings of the checks.

    Files: `statistics.json` (rows by split; statistics of each column of train), `validation.json` (`verdict`,
    `findings`, `drift`, `configuration`), `report.html` (one self-contained page) and, for each drifted column,
    `plots/<column>.svg`: an SVG element that takes the colours of the page around it.

    Metadata: `verdict`; `inputs` (fingerprints of the inputs); `dataset` (its name); `splits` (rows, share of positives
    and first and last day of each), `data`, `ingest` and `ingest_usage` (metadata of the splits, settings and usage of
    ingest), `data_schema` (columns and targets of the log).

    Args:
        path: The folder.

    Raises:
        ArtifactError: if the folder does not fit.
    """

    kind = "statistics"
    required = ("statistics.json", "validation.json", "report.html")

    @classmethod
    def write(
        cls,
        path: str | os.PathLike[str],
        *,
        rows: Mapping[str, int],
        columns: Sequence[ColumnStatistics],
        validation: Mapping[str, Any],
        report: str,
        plots: Mapping[str, str],
        metadata: Mapping[str, Any],
    ) -> Statistics:
        """Writes the artifact atomically.

        Args:
            path: Folder of the artifact.
            rows: Number of rows by split.
            columns: Statistics of each column.
            validation: Content of `validation.json`, with its `verdict`.
            report: The page.
            plots: An SVG element by column.
            metadata: Metadata for the manifest.

        Returns:
            The artifact.
        """
        with cls.create(path, dict(metadata)) as work:
            content = [dataclasses.asdict(column) for column in columns]
            write_json(work / "statistics.json", {"rows": dict(rows), "columns": content})
            write_json(work / "validation.json", dict(validation))
            (work / "report.html").write_text(report, encoding="utf-8")
            for column, plot in plots.items():
                (work / "plots").mkdir(exist_ok=True)
                (work / "plots" / f"{column}.svg").write_text(plot, encoding="utf-8")
        return cls(path)

    @property
    def rows(self) -> dict[str, int]:
        """Number of rows by split."""
        return dict(read_json(self.path / "statistics.json")["rows"])

    @property
    def columns(self) -> dict[str, ColumnStatistics]:
        """Statistics of each column of the train split, in the order of the columns."""
        file = self.path / "statistics.json"
        try:
            columns = [ColumnStatistics.of(column) for column in read_json(file)["columns"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"the statistics cannot be read ({error})", path=file) from None
        return {column.name: column for column in columns}

    @property
    def validation(self) -> dict[str, Any]:
        """The content of `validation.json`."""
        return dict(read_json(self.path / "validation.json"))

    @property
    def verdict(self) -> str:
        """`passed`, or `marked` if there are errors and the settings let the run continue."""
        return str(self.validation["verdict"])

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Findings: dicts of `check`, `column`, `severity`, `problem`, `expected` and `got`."""
        return list(self.validation["findings"])

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def plots(self) -> dict[str, str]:
        """SVG element of each drifted column, by column."""
        names = sorted(name for name in self.files if name.startswith("plots/"))
        return {Path(name).stem: (self.path / name).read_text(encoding="utf-8") for name in names}
