"""Trains the released `merlin.models.tf.DLRMModel`, some steps for every line on standard input, and times them.

Run by `benchmarks/step_time.py --released`, with a Python that has Merlin Models installed, and no part of this
project.
"""

import json
import statistics
import sys
import time

import merlin.models.tf as mm
import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags


def main(path: str, settings: str) -> None:
    """Answers each line, a number of steps, with the median seconds of one."""
    given = json.loads(settings)
    with np.load(path) as arrays:
        features = {name: arrays[name] for name in arrays.files if name != "click"}
        targets = {"click": arrays["click"]}
    domain = {"domain": {"min": 0, "max": given["rows"] - 1}}
    columns = [
        ColumnSchema(name, dtype="int64", tags=[Tags.CATEGORICAL], properties=domain)
        if values.dtype.kind == "i"
        else ColumnSchema(name, dtype="float32", tags=[Tags.CONTINUOUS])
        for name, values in features.items()
    ]
    schema = Schema([*columns, ColumnSchema("click", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])])
    model = mm.DLRMModel(
        schema,
        embedding_dim=given["dim"],
        bottom_block=mm.MLPBlock(given["bottom"]),
        top_block=mm.MLPBlock(given["top"]),
        prediction_tasks=mm.OutputBlock(schema),
    )
    model.compile("adam")
    data = tf.data.Dataset.from_tensor_slices((features, targets)).batch(given["batch_size"]).cache().repeat()
    model.fit(data, steps_per_epoch=given["batches"], verbose=0)
    batches = iter(data)
    print("ready", flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            model.train_function(batches)
            seconds.append(time.perf_counter() - start)
        print(statistics.median(seconds), flush=True)


main(sys.argv[1], sys.argv[2])
