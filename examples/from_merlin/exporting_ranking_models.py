"""A DLRM on features of an NVTabular workflow, saved for the next step and exported for a server.

Calls:
    mm.DLRMModel(_, embedding_dim=_, bottom_block=_, top_block=_, prediction_tasks=_)
    mm.MLPBlock(_)
    mm.BinaryOutput(_)
    model.compile(_, run_eagerly=_)
    model.fit(_, validation_data=_, batch_size=_)
    model.save(_)
    mm.Model.load(_)
    model.export(_)
    workflow.save(_)
    Dataset(_)
"""

import os
import tempfile

import numpy as np
import nvtabular as nvt
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema.tags import Tags
from nvtabular import ops

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 22)))
random = np.random.default_rng(22)
ROWS = 6144
frame = pd.DataFrame(
    {
        "user_id": 100 + random.integers(0, 40, ROWS),
        "item_id": 500 + random.integers(0, 30, ROWS),
        "item_brand": random.choice(["a", "b", "c"], ROWS),
        "user_age": random.integers(18, 80, ROWS),
    }
)
likes = 2 * np.cos(frame["user_id"]) + 2 * (frame["item_brand"] == "a") + (frame["user_age"] - 49) / 15
frame["click"] = (likes + random.normal(size=ROWS) > 0).astype("int64")

with tempfile.TemporaryDirectory() as folder:
    categories = os.path.join(folder, "categories")
    user_id = ["user_id"] >> ops.Categorify(dtype="int32", out_path=categories) >> ops.TagAsUserID()
    item_id = ["item_id"] >> ops.Categorify(dtype="int32", out_path=categories) >> ops.TagAsItemID()
    item_features = ["item_brand"] >> ops.Categorify(dtype="int32", out_path=categories) >> ops.TagAsItemFeatures()
    user_features = ["user_age"] >> ops.Normalize() >> ops.TagAsUserFeatures()
    targets = ["click"] >> ops.AddMetadata(tags=[Tags.BINARY_CLASSIFICATION, "target"])
    workflow = nvt.Workflow(user_id + item_id + item_features + user_features + targets)
    workflow.fit(nvt.Dataset(frame[:4096]))
    for name, rows in (("train", frame[:4096]), ("valid", frame[4096:].reset_index(drop=True))):
        workflow.transform(nvt.Dataset(rows)).to_parquet(os.path.join(folder, name))
    workflow.save(os.path.join(folder, "workflow"))

    train = Dataset(os.path.join(folder, "train", "*.parquet"))
    valid = Dataset(os.path.join(folder, "valid", "*.parquet"))
    schema = train.schema
    target_column = schema.select_by_tag(Tags.TARGET).column_names[0]
    model = mm.DLRMModel(
        schema,
        embedding_dim=16,
        bottom_block=mm.MLPBlock([32, 16]),
        top_block=mm.MLPBlock([32, 16]),
        prediction_tasks=mm.BinaryOutput(target_column),
    )
    model.compile("adam", run_eagerly=False)
    history = model.fit(train, validation_data=valid, batch_size=64, epochs=3, verbose=0).history
    print(f"auc: {history['val_auc'][-1]:.4f}")
    assert history["val_auc"][-1] > 0.85, history  # 0.5 by chance

    model.save(os.path.join(folder, "dlrm"))
    loaded = mm.Model.load(os.path.join(folder, "dlrm"))
    predictions = model.predict(valid, batch_size=512)
    np.testing.assert_allclose(loaded.predict(valid, batch_size=512), predictions, rtol=1e-4)

    # the same model for a server that knows nothing but TensorFlow
    loaded.export(os.path.join(folder, "served"))
    serve = tf.saved_model.load(os.path.join(folder, "served")).signatures["serving_default"]
    rows = valid.to_ddf().compute().head(20)
    columns = {name: rows[name].to_numpy()[:, None] for name in serve.structured_input_signature[1]}
    assert sorted(columns) == ["item_brand", "item_id", "user_age", "user_id"]
    specs = serve.structured_input_signature[1]
    answers = serve(**{name: tf.cast(values, specs[name].dtype) for name, values in columns.items()})
    np.testing.assert_allclose(answers["click/binary_output"], predictions[:20], rtol=1e-4)
