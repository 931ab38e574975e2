"""Fits the workflow on the train split and applies it to all splits."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.splits import SPLITS, Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.events import emit, running
from emrys.components.preprocess.config import PreprocessConfig
from emrys.components.preprocess.fitting import Fitting
from emrys.components.preprocess.offline import OfflineWorkflow
from emrys.components.preprocess.raw_split import RawSplit, check_alike
from emrys.components.preprocess.survey import Survey

__all__ = ["PreprocessConfig", "run"]

STEP = "preprocess"

_ROW_GROUP = 65_536


def run(
    splits: Path, config: PreprocessConfig, *, data: Path, workflow: Path
) -> tuple[Transformed, FittedWorkflowArtifact]:
    """Fits the workflow and writes it, and the transformed splits.

    The train rows get out-of-fold target encodings; all others get the statistics of the whole train split. The rows
    keep their order. Equal input and settings give equal bytes.

    Args:
        splits: The raw splits.
        config: The settings.
        data: Where the `Transformed` artifact shall stand.
        workflow: Where the `FittedWorkflowArtifact` shall stand.

    Returns:
        Both artifacts.

    Raises:
        EmrysError: if the splits cannot be used; nothing is then written.
    """
    with running(STEP):
        given = Splits(splits)
        raw = {split: RawSplit(given.file(split), config) for split in SPLITS}
        check_alike(raw["train"], [raw[split] for split in SPLITS[1:]])
        steps = _Steps(2 + sum(len(split.parts) for split in raw.values()))
        steps.next("looking over the train split")
        survey = Survey.take(raw["train"], config)
        with tempfile.TemporaryDirectory(prefix="emrys-preprocess-") as folder:
            steps.next(f"fitting on {raw['train'].rows:,} rows")
            fitting = Fitting(raw["train"], survey, config, Path(folder))
            _write(given, raw, fitting, config, data, workflow, steps)
        steps.next(f"{len(fitting.workflow.output_columns)} features")
        return Transformed(data), FittedWorkflowArtifact(workflow)


def _write(
    given: Splits,
    raw: dict[str, RawSplit],
    fitting: Fitting,
    config: PreprocessConfig,
    data: Path,
    workflow: Path,
    steps: _Steps,
) -> None:
    """Writes both artifacts; after an error neither is there."""
    fitted = fitting.workflow
    outputs = [column.name for column in fitted.output_columns]
    about_data: dict[str, Any] = {
        "splits": given.fingerprint,
        "rows": {split: part.rows for split, part in raw.items()},
        "columns": outputs,
        "targets": list(fitted.targets),
    }
    about_workflow = {
        "splits": given.fingerprint,
        "config": dataclasses.asdict(config),
        "raw_columns": [dataclasses.asdict(column) for column in fitted.raw_columns],
        "output_columns": [dataclasses.asdict(column) for column in fitted.output_columns],
    }
    with Transformed.create(data, about_data) as data_folder:
        with (
            FittedWorkflowArtifact.create(workflow, about_workflow) as workflow_folder,
            OfflineWorkflow(fitted) as offline,
        ):
            fitted.save(workflow_folder)
            for split in SPLITS:
                _transform(raw[split], offline, fitting if split == "train" else None, data_folder, steps)
        about_data["workflow"] = FittedWorkflowArtifact(workflow).fingerprint


def _transform(split: RawSplit, offline: OfflineWorkflow, train: Fitting | None, folder: Path, steps: _Steps) -> None:
    writer = None
    try:
        for number, table in enumerate(split):
            steps.next(f"transforming {split.path.stem}, part {number + 1} of {len(split.parts)}")
            made = offline.transform_clean(table)
            if train is not None:
                encoded = train.encode_train(table)
                for name in encoded.column_names:
                    made = made.set_column(made.column_names.index(name), name, encoded[name])
            for name in offline.fitted.targets:
                made = made.append_column(name, table[name])
            writer = writer or pq.ParquetWriter(folder / split.path.name, made.schema, compression="zstd")
            writer.write_table(made, row_group_size=_ROW_GROUP)
    finally:
        if writer is not None:
            writer.close()


class _Steps:
    """Counts what is done and reports it."""

    def __init__(self, total: int) -> None:
        self._done, self._total = 0, total

    def next(self, text: str) -> None:
        emit(STEP, "progress", done=self._done, total=self._total, text=text)
        self._done += 1
