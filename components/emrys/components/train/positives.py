"""Positive rows of a split, on which retrieval models are trained."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError


def write_positives(source: Path, label: str, target: Path) -> Path:
    """Writes the rows with a positive label to another file, in the same order.

    Args:
        source: Parquet file of a split.
        label: Column of the label.
        target: The file to write.

    Returns:
        `target`.

    Raises:
        DataError: if no label is positive.
    """
    rows = 0
    with pq.ParquetFile(source) as file, pq.ParquetWriter(target, file.schema_arrow, compression="zstd") as writer:
        for group in range(file.metadata.num_row_groups):
            table = file.read_row_group(group)
            positives = table.filter(pc.greater(table[label], pa.scalar(0, table[label].type)))
            rows += positives.num_rows
            if positives.num_rows:
                writer.write_table(positives)
    if not rows:
        raise DataError("no label is positive", path=source, column=label, expected="rows with a positive label")
    return target
