"""Trains a ranking model with the defaults of its constructor; writes its scores of the test rows after each epoch.

Run: python benchmarks/quality_run.py emrys|merlin dlrm|dcn|deepfm|wide_and_deep FOLDER SEED EPOCHS SCORES.npy

The calls are the same for both libraries: only the import differs. Started by `benchmarks/quality_defaults.py`, with
the Python that has the library; the import path is this folder alone.
"""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags
from quality_log import CARDINALITIES

BATCH_SIZE = 1024


def schema_of_log() -> Schema:
    """Schema of the made log: four categorical columns, two continuous ones, a binary target."""
    tags = {"user_id": [Tags.USER_ID, Tags.USER], "item_id": [Tags.ITEM_ID, Tags.ITEM]}
    ids = [
        ColumnSchema(
            name,
            dtype="int64",
            tags=[Tags.CATEGORICAL, *tags.get(name, [])],
            properties={"domain": {"min": 0, "max": size - 1, "name": name}},
        )
        for name, size in CARDINALITIES.items()
    ]
    numbers = [ColumnSchema(name, dtype="float32", tags=[Tags.CONTINUOUS]) for name in ("price", "age")]
    return Schema(
        [*ids, *numbers, ColumnSchema("click", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])]
    )


def build(mm, architecture: str, schema: Schema):
    """The model, with the sizes that the published examples give where a constructor asks for them."""
    tasks = mm.BinaryOutput("click")
    if architecture == "dlrm":
        return mm.DLRMModel(
            schema,
            embedding_dim=64,
            bottom_block=mm.MLPBlock([128, 64]),
            top_block=mm.MLPBlock([128, 64, 32]),
            prediction_tasks=tasks,
        )
    if architecture == "dcn":
        return mm.DCNModel(schema, depth=2, prediction_tasks=tasks)
    if architecture == "deepfm":
        return mm.DeepFMModel(schema, embedding_dim=64, prediction_tasks=tasks)
    categorical = schema.select_by_tag(Tags.CATEGORICAL)
    return mm.WideAndDeepModel(
        schema,
        wide_schema=categorical,
        deep_schema=schema.excluding_by_tag(Tags.TARGET),
        wide_preprocess=mm.ParallelBlock(
            {
                "one_hot": mm.CategoryEncoding(categorical, sparse=True, output_mode="one_hot"),
                "crosses": mm.HashedCrossAll(
                    schema.select_by_name(["device", "hour"]), num_bins=1_000, max_level=2, sparse=True
                ),
            },
            aggregation="concat",
        ),
        deep_block=mm.MLPBlock([32, 16]),
        prediction_tasks=tasks,
    )


def main(library: str, architecture: str, folder: str, seed: int, epochs: int, output: str) -> None:
    """Writes an array (epochs, test rows)."""
    mm = importlib.import_module({"emrys": "emrys.blocks", "merlin": "merlin.models.tf"}[library])
    tf.keras.utils.set_random_seed(seed)
    schema = schema_of_log()
    train = Dataset(str(Path(folder, "train.parquet")), engine="parquet", schema=schema)
    test_rows = pd.read_parquet(Path(folder, "test.parquet"))
    test = Dataset(test_rows[schema.column_names], schema=schema)
    model = build(mm, architecture, schema)
    model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=0.001), run_eagerly=False)
    after_epochs = []
    for _ in range(epochs):
        model.fit(train, batch_size=BATCH_SIZE, epochs=1, verbose=0)
        scores = model.predict(mm.Loader(test, batch_size=4096, shuffle=False), verbose=0)
        after_epochs.append(np.ravel(scores if isinstance(scores, np.ndarray) else next(iter(scores.values()))))
    np.save(output, np.stack(after_epochs))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
