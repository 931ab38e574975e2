"""Reads a data set, adds the label, splits and checks the rows, and writes the splits."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from emrys.components.contracts.splits import SPLIT_SCHEMA, SPLITS, TARGET, Splits
from emrys.components.evaluation.weighted_metrics import auc
from emrys.components.events import emit, step_events
from emrys.components.ingest.checks import check_splits
from emrys.components.ingest.config import IngestConfig, SplitMethod
from emrys.components.ingest.content import fingerprint
from emrys.components.ingest.history import with_histories
from emrys.components.ingest.reading import RatingLog, read_log
from emrys.components.ingest.splitting import Rows, split_rows

__all__ = ["IngestConfig", "SplitMethod", "run"]

STEP = "ingest"
#: Ratings above this are positive.
_POSITIVE_ABOVE = 3.0


def run(config: IngestConfig, output: str | os.PathLike[str]) -> Splits:
    """Reads a data set and writes its splits.

    Args:
        config: Settings.
        output: Folder of the artifact, which is written atomically.

    Returns:
        The artifact.

    Raises:
        DataError: if the data set does not exist or cannot be used.
        EmrysError: if it cannot be downloaded, or the disk is full.
    """
    with step_events(STEP):
        emit(STEP, "progress", done=0, total=3, text=f"reading {config.dataset}")
        log = read_log(config)
        emit(STEP, "progress", done=1, total=3, text=f"splitting {log.table.num_rows:,} ratings")
        rows = _rows_of_splits(log, config)
        table = _with_target(log.table)
        tables = {name: table.take(pa.array(rows[name])) for name in SPLITS}
        check_splits(tables, config.split, _path(config))
        if config.history:
            tables = with_histories(tables, config.history)
        emit(STEP, "progress", done=2, total=3, text="writing train, valid and test")
        splits = Splits.write(output, tables, _metadata(config, log, rows, tables))
        emit(STEP, "progress", done=3, total=3, text=_summary(splits))
    return splits


def _rows_of_splits(log: RatingLog, config: IngestConfig) -> dict[str, Rows]:
    if log.split_rows is not None:
        return log.split_rows
    return split_rows(log.table["timestamp"].to_numpy(), log.table["userId"].to_numpy(), config)


def _with_target(table: pa.Table) -> pa.Table:
    label = pc.greater(table["rating"], _POSITIVE_ABOVE).cast(pa.int8())
    return table.add_column(SPLIT_SCHEMA.names.index(TARGET), SPLIT_SCHEMA.field(TARGET), label)


def _path(config: IngestConfig) -> str | None:
    return config.dataset if Path(config.dataset).expanduser().exists() else None


def _metadata(
    config: IngestConfig, log: RatingLog, rows: dict[str, Rows], tables: dict[str, pa.Table]
) -> dict[str, Any]:
    best = None
    if log.probability is not None:
        labels = {name: tables[name][TARGET].to_numpy() for name in SPLITS}
        best = {name: auc(log.probability[rows[name]], labels[name]) for name in SPLITS}
    return {
        "config": dataclasses.asdict(config),
        "dataset": config.dataset,
        "split": "given" if log.split_rows is not None else config.split.value,
        "seed": config.seed,
        "columns": tables["train"].column_names,
        "rows": {name: tables[name].num_rows for name in SPLITS},
        "positives": {name: pc.sum(tables[name][TARGET]).as_py() for name in SPLITS},
        "time_range": {name: list(pc.min_max(tables[name]["timestamp"]).as_py().values()) for name in SPLITS},
        "content": fingerprint(tables),
        "best_auc": best,
    }


def _summary(splits: Splits) -> str:
    counts = splits.metadata["rows"]
    return ", ".join(f"{name} {counts[name]:,}" for name in SPLITS) + " ratings"
