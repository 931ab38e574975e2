"""Counts the rows that the released `merlin.models.tf.Loader` gives, an epoch for every line on standard input.

Run by `benchmarks/loader.py --released`, with a Python that has Merlin Models installed, and no part of this project.
"""

import sys

import merlin.io
import merlin.models.tf as mm
from merlin.schema import ColumnSchema, Schema, Tags


def main(path: str, batch_size: str, buffer_rows: str, floats: list[str], integers: list[str]) -> None:
    """Answers each line with the rows of an epoch."""
    columns = [ColumnSchema(name, dtype="float32", tags=[Tags.CONTINUOUS]) for name in floats]
    columns += [ColumnSchema(name, dtype="int64", tags=[Tags.CATEGORICAL]) for name in integers]
    columns += [ColumnSchema("label", dtype="int8", tags=[Tags.TARGET, Tags.BINARY_CLASSIFICATION])]
    data = merlin.io.Dataset(path, engine="parquet", schema=Schema(columns))
    loader = mm.Loader(data, batch_size=int(batch_size), buffer_size=int(buffer_rows), shuffle=True)
    print("ready", flush=True)
    for _ in sys.stdin:
        rows = 0
        for _, targets in loader:
            targets = targets if not isinstance(targets, dict) else targets["label"]
            rows += int(targets.shape[0])
        print(rows, flush=True)


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4].split(","), sys.argv[5].split(","))
