"""Fits the feature workflow on the train split and applies it to all splits."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.splits import SPLITS, Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.events import emit, step_events
from emrys.components.preprocess.config import PreprocessConfig
from emrys.components.preprocess.fitting import Fitting
from emrys.components.preprocess.offline import OfflineWorkflow
from emrys.components.preprocess.raw_split import RawSplit, check_same_columns
from emrys.components.preprocess.survey import Survey

__all__ = ["PreprocessConfig", "run"]

STEP = "preprocess"

_ROW_GROUP = 65_536


def run(
    splits: Path, config: PreprocessConfig, *, data: Path, workflow: Path
) -> tuple[Transformed, FittedWorkflowArtifact]:
    """Fits the workflow and writes it, and the transformed splits.

    Train rows get out-of-fold target encodings, other rows the statistics of all train rows. The rows keep their order.
    Equal inputs and settings give equal bytes.

    Args:
        splits: The raw splits.
        config: Settings.
        data: Folder of the `Transformed` artifact.
        workflow: Folder of the `FittedWorkflowArtifact`.

    Returns:
        Both artifacts.

    Raises:
        EmrysError: if the splits cannot be used; nothing is written then.
    """
    with step_events(STEP):
        raw_splits = Splits(splits)
        raw = {split: RawSplit(raw_splits.file(split), config) for split in SPLITS}
        check_same_columns(raw["train"], [raw[split] for split in SPLITS[1:]])
        progress = _Progress(2 + sum(len(split.parts) for split in raw.values()))
        progress.next("reading the train split")
        survey = Survey.take(raw["train"], config)
        with tempfile.TemporaryDirectory(prefix="emrys-preprocess-") as folder:
            progress.next(f"fitting on {raw['train'].rows:,} rows")
            fitting = Fitting(raw["train"], survey, config, Path(folder))
            _write(raw_splits, raw, fitting, config, data, workflow, progress)
        progress.next(f"{len(fitting.workflow.output_columns)} features")
        return Transformed(data), FittedWorkflowArtifact(workflow)


def _write(
    raw_splits: Splits,
    raw: dict[str, RawSplit],
    fitting: Fitting,
    config: PreprocessConfig,
    data: Path,
    workflow: Path,
    progress: _Progress,
) -> None:
    """Writes both artifacts, or none of them if there is an error."""
    fitted = fitting.workflow
    outputs = [column.name for column in fitted.output_columns]
    data_metadata: dict[str, Any] = {
        "splits": raw_splits.fingerprint,
        "rows": {split: part.rows for split, part in raw.items()},
        "columns": outputs,
        "targets": list(fitted.targets),
    }
    workflow_metadata = {
        "splits": raw_splits.fingerprint,
        "config": dataclasses.asdict(config),
        "raw_columns": [dataclasses.asdict(column) for column in fitted.raw_columns],
        "output_columns": [dataclasses.asdict(column) for column in fitted.output_columns],
    }
    with Transformed.create(data, data_metadata) as data_folder:
        with (
            FittedWorkflowArtifact.create(workflow, workflow_metadata) as workflow_folder,
            OfflineWorkflow(fitted) as offline,
        ):
            fitted.save(workflow_folder)
            for split in SPLITS:
                _transform(raw[split], offline, fitting if split == "train" else None, data_folder, progress)
        data_metadata["workflow"] = FittedWorkflowArtifact(workflow).fingerprint


def _transform(
    split: RawSplit, offline: OfflineWorkflow, train: Fitting | None, folder: Path, progress: _Progress
) -> None:
    writer = None
    try:
        for number, table in enumerate(split):
            progress.next(f"transforming {split.path.stem}, part {number + 1} of {len(split.parts)}")
            transformed = offline.transform_clean(table)
            if train is not None:
                encoded = train.encode_train(table)
                for name in encoded.column_names:
                    transformed = transformed.set_column(transformed.column_names.index(name), name, encoded[name])
            for name in offline.fitted.targets:
                transformed = transformed.append_column(name, table[name])
            writer = writer or pq.ParquetWriter(folder / split.path.name, transformed.schema, compression="zstd")
            writer.write_table(transformed, row_group_size=_ROW_GROUP)
    finally:
        if writer is not None:
            writer.close()


class _Progress:
    """Counts and reports the finished parts of the work."""

    def __init__(self, total: int) -> None:
        self._done, self._total = 0, total

    def next(self, text: str) -> None:
        emit(STEP, "progress", done=self._done, total=self._total, text=text)
        self._done += 1
