"""The rows that a retrieval model learns from."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError


def liked_rows(source: Path, label: str, target: Path) -> Path:
    """Writes the rows with a positive label to a file of their own, in their order.

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
            kept = table.filter(pc.greater(table[label], pa.scalar(0, table[label].type)))
            rows += kept.num_rows
            if kept.num_rows:
                writer.write_table(kept)
    if not rows:
        raise DataError("no label is positive", path=source, column=label, expected="rows that the user liked")
    return target
