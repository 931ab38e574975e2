"""One data set, every ranking architecture with its constructor, compared by AUC.

Calls:
    mm.NCFModel(_, embedding_dim=_, mlp_block=_, prediction_tasks=_)
    mm.DLRMModel(_, embedding_dim=_, bottom_block=_, top_block=_, prediction_tasks=_)
    mm.DCNModel(_, depth=_, deep_block=_, prediction_tasks=_)
    mm.DeepFMModel(_, embedding_dim=_, deep_block=_, prediction_tasks=_)
    mm.WideAndDeepModel(_, wide_schema=_, deep_schema=_, wide_preprocess=_, deep_block=_, prediction_tasks=_)
    mm.CategoryEncoding(_, sparse=_, output_mode=_)
    mm.HashedCross(_, num_bins=_, sparse=_)
    mm.ParallelBlock(_, aggregation=_)
    mm.MLPBlock(_)
    mm.BinaryOutput(_)
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

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 2)))
SIZES = {"user_id": 50, "item_id": 30, "city": 8}


def clicks(rows, seed):
    random = np.random.default_rng(seed)
    frame = {name: random.integers(1, size + 1, rows) for name, size in SIZES.items()}
    frame["age"] = random.normal(size=rows).astype("float32")
    likes = 1.5 * np.cos(frame["user_id"]) + 1.5 * np.cos(frame["item_id"]) + frame["age"]
    frame["click"] = (random.random(rows) < 1 / (1 + np.exp(-likes))).astype("int64")
    return pd.DataFrame(frame)


tags = {"user_id": [Tags.USER_ID, Tags.USER], "item_id": [Tags.ITEM_ID, Tags.ITEM], "city": [Tags.USER]}
schema = Schema(
    [
        ColumnSchema(name, dtype="int64", tags=[Tags.CATEGORICAL, *tags[name]], properties={"domain": {"max": size}})
        for name, size in SIZES.items()
    ]
    + [
        ColumnSchema("age", dtype="float32", tags=[Tags.CONTINUOUS, Tags.USER]),
        ColumnSchema("click", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
    ]
)
train, valid = (Dataset(clicks(rows, seed), schema=schema) for rows, seed in ((4096, 1), (1024, 2)))
wide = schema.select_by_name(["user_id", "item_id"])
deep = schema.excluding_by_name(["click"])

models = {
    "NCF": mm.NCFModel(
        schema, embedding_dim=16, mlp_block=mm.MLPBlock([32, 16]), prediction_tasks=mm.BinaryOutput("click")
    ),
    "DLRM": mm.DLRMModel(
        schema,
        embedding_dim=16,
        bottom_block=mm.MLPBlock([16]),
        top_block=mm.MLPBlock([16]),
        prediction_tasks=mm.BinaryClassificationTask("click"),
    ),
    "DCN": mm.DCNModel(
        schema, depth=2, deep_block=mm.MLPBlock([32, 16]), prediction_tasks=mm.BinaryOutput("click"), stacked=False
    ),
    "DeepFM": mm.DeepFMModel(
        schema, embedding_dim=16, deep_block=mm.MLPBlock([32]), prediction_tasks=mm.BinaryOutput("click")
    ),
    "WideAndDeep, with a crossed feature": mm.WideAndDeepModel(
        schema,
        wide_schema=wide,
        deep_schema=deep,
        wide_preprocess=mm.ParallelBlock(
            [
                mm.CategoryEncoding(wide, sparse=True, output_mode="one_hot"),
                mm.HashedCross(wide, num_bins=500, sparse=True),
            ],
            aggregation="concat",
        ),
        deep_block=mm.MLPBlock([32, 16]),
        prediction_tasks=mm.BinaryOutput("click"),
    ),
}
for name, model in models.items():
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.01)
    model.compile(optimizer=optimizer, metrics=[tf.keras.metrics.AUC(name="auc")])
    trained = model.fit(train, batch_size=256, epochs=3, verbose=0).history["auc"][-1]
    found = model.evaluate(valid, batch_size=512, return_dict=True, verbose=0)["auc"]
    print(f"{name}, auc: {found:.4f}")
    assert min(trained, found) > 0.7, (name, trained, found)
