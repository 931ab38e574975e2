"""From a log of ratings to a trained model: NVTabular makes the features and the schema, the model reads the schema.

Calls:
    mm.DLRMModel(_, embedding_dim=_, bottom_block=_, top_block=_, prediction_tasks=_)
    mm.MLPBlock(_)
    mm.BinaryOutput(_)
    model.compile(optimizer=_, run_eagerly=_)
    model.fit(_, batch_size=_)
    model.evaluate(_, batch_size=_, return_dict=_)
    ops.Categorify(dtype=_, out_path=_)
    ops.TagAsItemID()
    ops.TagAsUserID()
    ops.LambdaOp(_)
    ops.AddTags(_)
    ops.Rename(name=_)
    merlin.io.Dataset(_, engine=_)
"""

import os
import tempfile

import merlin.io
import numpy as np
import nvtabular as nvt
import pandas as pd
import tensorflow as tf
from merlin.schema.tags import Tags
from nvtabular import ops

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 21)))
USERS, MOVIES = 50, 40


def ratings(rows, seed):
    """Ratings from 1 to 5; a user likes one half of the movies, and raw ids are neither dense nor sorted."""
    random = np.random.default_rng(seed)
    user, movie = random.integers(0, USERS, rows), random.integers(0, MOVIES, rows)
    same = (user + movie) % 2
    rating = np.clip(2 + 2 * same + random.integers(-1, 2, rows), 1, 5)
    return pd.DataFrame({"userId": 1000 + 7 * user, "movieId": 90000 - 13 * movie, "rating": rating})


with tempfile.TemporaryDirectory() as folder:
    for name, rows, seed in (("train", 6144, 1), ("valid", 1024, 2)):
        ratings(rows, seed).to_parquet(os.path.join(folder, f"{name}.parquet"))

    cat_features = ["userId", "movieId"] >> ops.Categorify(dtype="int32", out_path=os.path.join(folder, "categories"))
    feats_item_id = cat_features["movieId"] >> ops.TagAsItemID()
    feats_user_id = cat_features["userId"] >> ops.TagAsUserID()
    feats_target = (
        nvt.ColumnSelector(["rating"])
        >> ops.LambdaOp(lambda col: (col > 3).astype("int32"))
        >> ops.AddTags(["binary_classification", "target"])
        >> ops.Rename(name="rating_binary")
    )
    workflow = nvt.Workflow(feats_item_id + feats_user_id + feats_target)
    workflow.fit(nvt.Dataset(os.path.join(folder, "train.parquet"), engine="parquet"))
    for name in ("train", "valid"):
        raw = nvt.Dataset(os.path.join(folder, f"{name}.parquet"), engine="parquet")
        workflow.transform(raw).to_parquet(os.path.join(folder, "processed", name))

    train = merlin.io.Dataset(os.path.join(folder, "processed", "train"), engine="parquet")
    valid = merlin.io.Dataset(os.path.join(folder, "processed", "valid"), engine="parquet")
    assert sorted(train.schema.column_names) == ["movieId", "rating_binary", "userId"]
    assert train.schema.select_by_tag(Tags.ITEM_ID).column_names == ["movieId"]
    assert train.schema["movieId"].int_domain.max == MOVIES + 2  # padding, null and unseen come first

    target = train.schema.select_by_tag(Tags.BINARY_CLASSIFICATION).column_names[0]
    model = mm.DLRMModel(
        train.schema,
        embedding_dim=16,
        bottom_block=mm.MLPBlock([32, 16]),
        top_block=mm.MLPBlock([32, 16]),
        prediction_tasks=mm.BinaryOutput(target),
    )
    model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=0.01), run_eagerly=False)
    model.fit(train, batch_size=256, epochs=5, verbose=0)
    metrics = model.evaluate(valid, batch_size=256, return_dict=True, verbose=0)
    print(f"auc: {metrics['auc']:.4f}")
    assert metrics["auc"] > 0.85, metrics  # 0.5 by chance
