"""A random search over the constructor of a model; the best one wins by its validation AUC.

Calls:
    mm.DCNModel(_, depth=_, deep_block=_, input_block=_, prediction_tasks=_)
    mm.MLPBlock(_, activation=_, dropout=_, normalization=_)
    mm.InputBlockV2(_, categorical=_)
    mm.Embeddings(_, dim=_)
    mm.OutputBlock(_)
    model.compile(optimizer=_, run_eagerly=_)
    model.fit(_, validation_data=_, batch_size=_, epochs=_, callbacks=_)
"""

import os

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

SEED = int(os.environ.get("SEED", 5))
draw = np.random.default_rng(5)
users, items = draw.integers(1, 41, 4096), draw.integers(1, 41, 4096)
taste = draw.normal(size=(41, 2))
like = taste[users, 0] + taste[items, 1]
frame = pd.DataFrame({"user": users, "item": items, "click": (like > 0).astype("int64")})
domain = {"domain": {"min": 0, "max": 40}}
schema = Schema(
    [
        ColumnSchema("user", dtype="int64", tags=[Tags.CATEGORICAL, Tags.USER_ID], properties=domain),
        ColumnSchema("item", dtype="int64", tags=[Tags.CATEGORICAL, Tags.ITEM_ID], properties=domain),
        ColumnSchema("click", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
    ]
)
train, valid = Dataset(frame[:3072], schema=schema), Dataset(frame[3072:].reset_index(drop=True), schema=schema)

SPACE = {
    "embedding_dim": [4, 16],
    "layers": [[16], [32, 16]],
    "activation": ["relu", "gelu"],
    "dropout": [None, 0.1],
    "normalization": [None, "batch_norm"],
    "depth": [1, 2],
    "lr": [0.0001, 0.01],
}


def build(config):
    return mm.DCNModel(
        schema,
        depth=config["depth"],
        deep_block=mm.MLPBlock(
            config["layers"],
            activation=config["activation"],
            dropout=config["dropout"],
            normalization=config["normalization"],
        ),
        input_block=mm.InputBlockV2(
            schema.excluding_by_name(["click"]),
            categorical=mm.Embeddings(schema.select_by_tag(Tags.CATEGORICAL), dim=config["embedding_dim"]),
        ),
        prediction_tasks=mm.OutputBlock(schema),
    )


def train_and_evaluate(config):
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(SEED)
    model = build(config)
    model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=config["lr"]), run_eagerly=False)
    stop = tf.keras.callbacks.EarlyStopping("val_auc", mode="max", patience=2, restore_best_weights=True)
    history = model.fit(train, validation_data=valid, batch_size=256, epochs=3, callbacks=[stop], verbose=0)
    return max(history.history["val_auc"])


trials = [{name: values[draw.integers(len(values))] for name, values in SPACE.items()} for _ in range(3)]
trials[0]["lr"], trials[1]["lr"] = 0.0001, 0.01
scores = [train_and_evaluate(config) for config in trials]
print(f"best auc: {max(scores):.4f}")
best = trials[int(np.argmax(scores))]
assert best["lr"] == 0.01, (trials, scores)
assert max(scores) > 0.85 > scores[0], scores
