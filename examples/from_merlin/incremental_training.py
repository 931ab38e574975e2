"""Train, save, and go on with the next week's data: all weights, or with some blocks frozen.

Calls:
    mm.Embeddings(_, dim=_)
    mm.InputBlockV2(_, categorical=_)
    mm.MLPBlock(_)
    mm.OptimizerBlocks(_, _)
    mm.MultiOptimizer(default_optimizer=_, optimizers_and_blocks=_)
    model.compile(optimizer=_)
    model.fit(_, batch_size=_, epochs=_)
    model.evaluate(_, batch_size=_, return_dict=_)
    model.freeze_blocks(_)
    model.unfreeze_all_frozen_blocks()
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

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 10)))
SIZES = {"user_id": 40, "item_id": 30}


def week(number, rows=2048):
    random = np.random.default_rng(number)
    frame = {name: random.integers(1, size + 1, rows) for name, size in SIZES.items()}
    frame["hour"] = random.normal(size=rows).astype("float32")
    likes = 2 * np.cos(frame["user_id"]) + (1 if number == 1 else -1) * 2 * frame["hour"]  # tastes change
    frame["click"] = (likes + 0.3 * random.normal(size=rows) > 0).astype("int64")
    return Dataset(pd.DataFrame(frame), schema=schema)


schema = Schema(
    [
        ColumnSchema(name, dtype="int64", tags=[Tags.CATEGORICAL], properties={"domain": {"min": 0, "max": size}})
        for name, size in SIZES.items()
    ]
    + [
        ColumnSchema("hour", dtype="float32", tags=[Tags.CONTINUOUS]),
        ColumnSchema("click", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
    ]
)
inputs = mm.InputBlockV2(
    schema.excluding_by_name(["click"]), categorical=mm.Embeddings(schema.select_by_tag(Tags.CATEGORICAL), dim=8)
)
tower = mm.MLPBlock([16], block_name="tower")
model = mm.Model(inputs, tower, mm.MLPBlock([8]), mm.BinaryOutput("click"))
model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=0.02), metrics=[tf.keras.metrics.AUC(name="auc")])
model.fit(week(1), batch_size=256, epochs=3, verbose=0)
first = model.evaluate(week(1), batch_size=256, return_dict=True, verbose=0)["auc"]
old = model.evaluate(week(2), batch_size=256, return_dict=True, verbose=0)["auc"]
print(f"first week, auc: {first:.4f}")
print(f"second week, before training on it, auc: {old:.4f}")
assert first > 0.85
assert old < first

batch = mm.sample_batch(week(2), batch_size=20, shuffle=False, include_targets=False)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "week_1")
    model.save(path)

    # go on with everything
    loaded = mm.Model.load(path)
    loader = mm.Loader(week(2), batch_size=256, shuffle=False)
    np.testing.assert_allclose(loaded.predict(loader), model.predict(loader), rtol=1e-4)
    loaded.fit(week(2), batch_size=256, epochs=3, verbose=0)
    new = loaded.evaluate(week(2), batch_size=256, return_dict=True, verbose=0)["auc"]
    print(f"second week, all weights, auc: {new:.4f}")
    assert new > old + 0.05

    # go on with the layers behind the embeddings alone
    frozen = mm.Model.load(path)


def tables(of):
    values = of.first(batch).numpy() if hasattr(of.first(batch), "numpy") else of.first(batch)
    return np.array(values)


before = tables(frozen)
assert frozen.frozen_blocks == [] or len(frozen.frozen_blocks) == 0
frozen.freeze_blocks([frozen.first])
assert len(frozen.frozen_blocks) > 0
assert len(frozen.first.trainable_weights) == 0
frozen.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=0.02), metrics=[tf.keras.metrics.AUC(name="auc")])
frozen.fit(week(2), batch_size=256, epochs=3, verbose=0)
np.testing.assert_array_equal(tables(frozen), before)
new = frozen.evaluate(week(2), batch_size=256, return_dict=True, verbose=0)["auc"]
print(f"second week, tables frozen, auc: {new:.4f}")
assert new > old + 0.05

# then, more carefully, with everything
frozen.unfreeze_all_frozen_blocks()
assert len(frozen.frozen_blocks) == 0
frozen.compile(optimizer=tf.keras.optimizers.SGD(learning_rate=0.01), metrics=[tf.keras.metrics.AUC(name="auc")])
frozen.fit(week(2), batch_size=256, epochs=1, verbose=0)
assert np.abs(tables(frozen) - before).max() > 0

# other rates by part: the tables hardly move, the layers behind them do
careful = mm.MultiOptimizer(
    default_optimizer=tf.keras.optimizers.Adam(learning_rate=0.01),
    optimizers_and_blocks=[mm.OptimizerBlocks(tf.keras.optimizers.Adam(learning_rate=1e-5), [frozen.first])],
)
before = tables(frozen)
frozen.compile(optimizer=careful, metrics=[tf.keras.metrics.AUC(name="auc")])
frozen.fit(week(2), batch_size=256, epochs=1, verbose=0)
assert 0 < np.abs(tables(frozen) - before).max() < 1e-3
new = frozen.evaluate(week(2), batch_size=256, return_dict=True, verbose=0)["auc"]
print(f"second week, rates by part, auc: {new:.4f}")
assert new > 0.85

# by name
model.freeze_blocks(["user_id"])
user, item = (model.get_blocks_by_name([name])[0] for name in ("user_id", "item_id"))
kept, moved = user.to_df().to_numpy(), item.to_df().to_numpy()
model.compile(optimizer="adam")
model.fit(week(2), batch_size=256, epochs=1, verbose=0)
np.testing.assert_array_equal(user.to_df().to_numpy(), kept)
assert np.abs(item.to_df().to_numpy() - moved).max() > 0
