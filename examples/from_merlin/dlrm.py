"""DLRM with options of both generations: its own embeddings, regularizers, optimizers by part, `DLRMBlock`.

Calls:
    mm.Embeddings(_, dim=_, embeddings_initializer=_, embeddings_regularizer=_)
    mm.DLRMModel(_, embeddings=_, bottom_block=_, top_block=_, prediction_tasks=_)
    mm.DLRMModel(_, embedding_dim=_, embedding_options=_, bottom_block=_, top_block=_, prediction_tasks=_)
    mm.DLRMBlock(_, embedding_dim=_, bottom_block=_, top_block=_)
    mm.MLPBlock(_, kernel_regularizer=_, dropout=_)
    mm.BinaryOutput(_, pre=_)
    mm.PredictionTasks(_)
    mm.split_embeddings_on_size(_, threshold=_)
    mm.MultiOptimizer(default_optimizer=_, optimizers_and_blocks=_)
    mm.OptimizerBlocks(_, _)
    model.compile(optimizer=_, metrics=_)
    model.fit(_, batch_size=_, epochs=_)
    model.evaluate(_, batch_size=_, return_dict=_)
"""

import os

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 3)))
SIZES = {"user": 400, "item": 300, "shop": 9}

random = np.random.default_rng(3)
frame = {name: random.integers(1, size + 1, 4096) for name, size in SIZES.items()}
frame |= {name: random.normal(size=4096).astype("float32") for name in ("price", "age")}
frame["bought"] = (frame["price"] + 2.0 * (frame["shop"] % 2) + 0.5 * random.normal(size=4096) > 1).astype("int64")
schema = Schema(
    [
        ColumnSchema(name, dtype="int64", tags=[Tags.CATEGORICAL], properties={"domain": {"min": 0, "max": size}})
        for name, size in SIZES.items()
    ]
    + [ColumnSchema(name, dtype="float32", tags=[Tags.CONTINUOUS]) for name in ("price", "age")]
    + [ColumnSchema("bought", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])]
)
data = Dataset(pd.DataFrame(frame), schema=schema)


def trained(model, optimizer, name):
    model.compile(optimizer=optimizer, metrics=[tf.keras.metrics.AUC(name="auc")])
    losses = model.fit(data, batch_size=512, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0], losses
    auc = model.evaluate(data, batch_size=512, return_dict=True, verbose=0)["auc"]
    print(f"{name}, auc: {auc:.4f}")
    assert auc > 0.75
    return model


# second generation: embeddings by hand, and lazily trained tables beside densely trained towers
embeddings = mm.Embeddings(
    schema.select_by_tag(Tags.CATEGORICAL),
    dim=8,
    embeddings_initializer=tf.keras.initializers.RandomUniform(-0.05, 0.05),
    embeddings_regularizer=tf.keras.regularizers.L2(1e-6),
)
model = mm.DLRMModel(
    schema,
    embeddings=embeddings,
    bottom_block=mm.MLPBlock([16, 8], kernel_regularizer=tf.keras.regularizers.L2(1e-5), dropout=0.1),
    top_block=mm.MLPBlock([16, 8], activation=["relu", "tanh"]),
    prediction_tasks=mm.BinaryOutput("bought", pre=tf.keras.layers.Dense(4)),
)
large, small = mm.split_embeddings_on_size(embeddings, threshold=350)
assert [len(large), len(small)] == [1, 2]
trained(
    model,
    mm.MultiOptimizer(
        default_optimizer=mm.LazyAdam(learning_rate=0.01),
        optimizers_and_blocks=[
            mm.OptimizerBlocks(mm.LazyAdam(learning_rate=0.01), large),
            mm.OptimizerBlocks("adagrad", small),
        ],
    ),
    "tables and optimizers by part",
)
assert model.evaluate(data, batch_size=512, return_dict=True, verbose=0)["regularization_loss"] > 0

# first generation: options instead of tables, tasks instead of outputs
model = mm.DLRMModel(
    schema,
    embedding_dim=8,
    embedding_options=mm.EmbeddingOptions(embedding_dim_default=8),
    bottom_block=mm.MLPBlock([8]),
    top_block=mm.MLPBlock([16]),
    prediction_tasks=mm.PredictionTasks(schema),
)
trained(
    model, tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.ExponentialDecay(0.02, 10, 0.9)), "options and tasks"
)
predictions = model.predict(data, batch_size=512)
assert {name: value.shape for name, value in predictions.items()} == {"bought/binary_classification_task": (4096, 1)}

# the block alone
body = mm.DLRMBlock(schema, embedding_dim=8, bottom_block=mm.MLPBlock([8]), top_block=mm.MLPBlock([16]))
batch = mm.sample_batch(data, batch_size=4, include_targets=False)
assert body(batch).shape == (4, 16)
