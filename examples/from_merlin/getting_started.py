"""A first program: clicks in Parquet, a DLRM, training, evaluation, predictions, a saved model.

Calls:
    mm.DLRMModel(_, embedding_dim=_, bottom_block=_, top_block=_, prediction_tasks=_)
    mm.MLPBlock(_)
    mm.OutputBlock(_)
    model.compile(optimizer=_, run_eagerly=_)
    model.fit(_, validation_data=_, batch_size=_, epochs=_)
    model.evaluate(_, batch_size=_, return_dict=_)
    mm.Loader(_, batch_size=_, shuffle=_)
    model.predict(_)
    model.batch_predict(_, batch_size=_)
    model.save(_)
    mm.Model.load(_)
"""

import os
import tempfile

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 1)))
USERS, ITEMS, TAGS = 60, 40, 12


def clicks(rows, seed):
    random = np.random.default_rng(seed)
    users = random.integers(1, USERS + 1, rows)
    items = random.integers(1, ITEMS + 1, rows)
    price = random.normal(size=rows)
    likes = 2 * np.cos(users) + 2 * np.cos(items) - price
    return pd.DataFrame(
        {
            "user_id": users.astype("int64"),
            "item_id": items.astype("int64"),
            "tags": [random.integers(1, TAGS + 1, random.integers(1, 4)) for _ in range(rows)],
            "price": price.astype("float32"),
            "click": (random.random(rows) < 1 / (1 + np.exp(-likes))).astype("int64"),
        }
    )


def ids(name, size, *tags, **kwargs):
    domain = {"domain": {"min": 0, "max": size, "name": name}}
    return ColumnSchema(name, dtype="int64", tags=[Tags.CATEGORICAL, *tags], properties=domain, **kwargs)


schema = Schema(
    [
        ids("user_id", USERS, Tags.USER_ID, Tags.USER),
        ids("item_id", ITEMS, Tags.ITEM_ID, Tags.ITEM),
        ids("tags", TAGS, Tags.ITEM, is_list=True, is_ragged=True),
        ColumnSchema("price", dtype="float32", tags=[Tags.CONTINUOUS, Tags.ITEM]),
        ColumnSchema("click", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
    ]
)

with tempfile.TemporaryDirectory() as folder:
    for name, rows, seed in (("train", 4096, 1), ("valid", 1024, 2)):
        Dataset(clicks(rows, seed), schema=schema).to_parquet(os.path.join(folder, name))
    train = Dataset(os.path.join(folder, "train"), engine="parquet")
    valid = Dataset(os.path.join(folder, "valid"), engine="parquet")
    assert train.schema.column_names == schema.column_names
    assert train.schema.select_by_tag(Tags.ITEM_ID).column_names == ["item_id"]

    model = mm.DLRMModel(
        train.schema,
        embedding_dim=16,
        bottom_block=mm.MLPBlock([32, 16]),
        top_block=mm.MLPBlock([32, 16]),
        prediction_tasks=mm.OutputBlock(train.schema),
    )
    model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=0.02), run_eagerly=False)
    history = model.fit(train, validation_data=valid, batch_size=256, epochs=4, verbose=0)
    losses = history.history["loss"]
    assert losses[-1] < 0.9 * losses[0], losses
    print(f"auc: {history.history['val_auc'][-1]:.4f}")
    assert history.history["val_auc"][-1] > 0.7, history.history

    metrics = model.evaluate(valid, batch_size=256, return_dict=True, verbose=0)
    assert {"loss", "auc", "precision", "recall", "binary_accuracy", "regularization_loss"} <= set(metrics)

    # the same, with a loader of one's own
    loader = mm.Loader(valid, batch_size=256, shuffle=False)
    features, target = next(iter(loader))
    assert sorted(features) == ["item_id", "price", "tags__offsets", "tags__values", "user_id"] or "tags" in features
    again = model.evaluate(loader, return_dict=True, verbose=0)
    np.testing.assert_allclose(again["auc"], metrics["auc"], atol=1e-4)

    predictions = model.predict(mm.Loader(valid, batch_size=256, shuffle=False))
    assert predictions.shape == (1024, 1)
    assert 0 <= predictions.min() < predictions.max() <= 1
    scored = model.batch_predict(valid, batch_size=256).to_ddf().compute()
    assert len(scored) == 1024
    assert "click/binary_output" in scored.columns, scored.columns

    model.save(os.path.join(folder, "dlrm"))
    loaded = mm.Model.load(os.path.join(folder, "dlrm"))
    again = loaded.predict(mm.Loader(valid, batch_size=256, shuffle=False))
    np.testing.assert_allclose(again, predictions, rtol=1e-4)
