"""The work of ingest: read a data set, mark good ratings, split, check, write."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emrys.components.contracts.splits import SPLIT_SCHEMA, SPLITS, TARGET, Splits
from emrys.components.events import emit, running
from emrys.components.ingest.checks import check_splits
from emrys.components.ingest.config import IngestConfig, SplitMethod
from emrys.components.ingest.content import fingerprint
from emrys.components.ingest.history import with_histories
from emrys.components.ingest.ranking import auc
from emrys.components.ingest.reading import Log, read_log
from emrys.components.ingest.splitting import Rows, split_rows

__all__ = ["IngestConfig", "SplitMethod", "run"]

_STEP = "ingest"
_GOOD = 3.0  # ratings above it are positive


def run(config: IngestConfig, output: str | os.PathLike[str]) -> Splits:
    """Reads the data set that `config` names and writes it in three splits.

    Args:
        config: The data set and how to split it.
        output: Folder of the artifact; nothing is seen there until it is whole.

    Returns:
        The artifact.

    Raises:
        DataError: if the data set is not there or cannot be used.
        EmrysError: if it cannot be fetched, or the disk is full.
    """
    with running(_STEP):
        emit(_STEP, "progress", done=0, total=3, text=f"reading {config.dataset}")
        log = read_log(config)
        emit(_STEP, "progress", done=1, total=3, text=f"splitting {log.table.num_rows:,} ratings")
        rows = _rows_of_splits(log, config)
        table = _with_target(log.table)
        tables = {name: table.take(pa.array(rows[name])) for name in SPLITS}
        check_splits(tables, config.split, _path(config))
        if config.history:
            tables = with_histories(tables, config.history)
        emit(_STEP, "progress", done=2, total=3, text="writing train, valid and test")
        splits = Splits.write(output, tables, _metadata(config, log, rows, tables))
        emit(_STEP, "progress", done=3, total=3, text=_summary(splits))
    return splits


def _rows_of_splits(log: Log, config: IngestConfig) -> dict[str, Rows]:
    if log.given is not None:
        return log.given
    return split_rows(log.table["timestamp"].to_numpy(), log.table["userId"].to_numpy(), config)


def _with_target(table: pa.Table) -> pa.Table:
    good = pc.greater(table["rating"], _GOOD).cast(pa.int8())
    return table.add_column(SPLIT_SCHEMA.names.index(TARGET), SPLIT_SCHEMA.field(TARGET), good)


def _path(config: IngestConfig) -> str | None:
    return config.dataset if Path(config.dataset).expanduser().exists() else None


def _metadata(config: IngestConfig, log: Log, rows: dict[str, Rows], tables: dict[str, pa.Table]) -> dict[str, Any]:
    best = None
    if log.probability is not None:
        labels = {name: tables[name][TARGET].to_numpy().astype(np.bool_) for name in SPLITS}
        best = {name: auc(log.probability[rows[name]], labels[name]) for name in SPLITS}
    return {
        "config": dataclasses.asdict(config),
        "dataset": config.dataset,
        "split": "given" if log.given is not None else config.split.value,
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
