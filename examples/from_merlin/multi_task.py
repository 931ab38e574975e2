"""Two binary tasks and a regression: a shared bottom, MMOE and PLE, loss weights, sample spaces, gates.

Calls:
    mm.InputBlockV2(_)
    mm.MLPBlock(_)
    mm.OutputBlock(_)
    mm.OutputBlock(_, task_blocks=_)
    mm.MMOEBlock(_, expert_block=_, num_experts=_, gate_block=_)
    mm.CGCBlock(_, expert_block=_, num_task_experts=_, num_shared_experts=_, schema=_)
    mm.PLEBlock(num_layers=_, outputs=_, expert_block=_, num_task_experts=_, num_shared_experts=_)
    mm.ParallelBlock(_, _)
    mm.BinaryOutput(_)
    mm.BinaryOutput(_, post=_)
    mm.ColumnBasedSampleWeight(weight_column_name=_)
    mm.Model(_, _, _)
    model.compile(optimizer=_, loss_weights=_, metrics=_)
    model.compile(optimizer=_, weighted_metrics=_, metrics=_)
    model.fit(_, batch_size=_)
    model.evaluate(_, batch_size=_, return_dict=_)
"""

import os
import tempfile

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 6)))
random = np.random.default_rng(6)
ROWS = 2048
user, item = random.integers(1, 31, ROWS), random.integers(1, 31, ROWS)
age = random.normal(size=ROWS).astype("float32")
click = (np.cos(user) + age + 0.3 * random.normal(size=ROWS) > 0).astype("int64")
data = Dataset(
    pd.DataFrame(
        {
            "user_id": user,
            "item_id": item,
            "age": age,
            "click": click,
            "like": click * (np.cos(item) > 0),
            "watch_time": (1 + np.cos(item) + age).astype("float32"),
        }
    ),
    schema=Schema(
        [
            ColumnSchema(name, dtype="int64", tags=[Tags.CATEGORICAL, tag], properties={"domain": {"max": 30}})
            for name, tag in (("user_id", Tags.USER_ID), ("item_id", Tags.ITEM_ID))
        ]
        + [
            ColumnSchema("age", dtype="float32", tags=[Tags.CONTINUOUS, Tags.USER]),
            ColumnSchema("click", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
            ColumnSchema("like", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
            ColumnSchema("watch_time", dtype="float32", tags=[Tags.REGRESSION, Tags.TARGET]),
        ]
    ),
)
schema = data.schema
features = schema.excluding_by_name(["click", "like", "watch_time"])
TASKS = ["click/binary_output", "like/binary_output", "watch_time/regression_output"]


def mmoe(outputs):
    return mm.MMOEBlock(outputs, expert_block=mm.MLPBlock([16]), num_experts=2, gate_block=mm.MLPBlock([8]))


def cgc(outputs):
    return mm.CGCBlock(
        outputs, expert_block=mm.MLPBlock([16]), num_task_experts=2, num_shared_experts=3, schema=features
    )


def ple(outputs):
    return mm.PLEBlock(
        num_layers=2,
        outputs=outputs,
        expert_block=mm.MLPBlock([16]),
        num_task_experts=1,
        num_shared_experts=1,
        gate_block=mm.MLPBlock([8]),
        enable_gate_weights_metrics=True,
    )


def compiled(model):
    model.compile(
        optimizer=tf.keras.optimizers.Adam(learning_rate=0.01),
        loss_weights={TASKS[0]: 1.0, TASKS[1]: 2.0, TASKS[2]: 0.5},
        metrics={
            TASKS[0]: [tf.keras.metrics.AUC(name="auc")],
            TASKS[1]: [tf.keras.metrics.AUC(name="auc")],
            TASKS[2]: [tf.keras.metrics.RootMeanSquaredError(name="rmse")],
        },
    )
    return model


for body in (mmoe, cgc, ple):
    outputs = mm.OutputBlock(schema, task_blocks=mm.MLPBlock([16])) if body is cgc else mm.OutputBlock(schema)
    inputs = mm.InputBlockV2(features, categorical=mm.Embeddings(features.select_by_tag(Tags.CATEGORICAL), dim=8))
    model = compiled(mm.Model(inputs, body(outputs), outputs))
    history = model.fit(data, batch_size=256, epochs=4, verbose=0).history
    for task in TASKS:
        assert history[f"{task}_loss"][-1] < history[f"{task}_loss"][0], (body.__name__, task, history)
    metrics = model.evaluate(data, batch_size=256, return_dict=True, verbose=0)
    print(f"{body.__name__}, click, auc: {metrics[f'{TASKS[0]}/auc']:.4f}")
    print(f"{body.__name__}, like, auc: {metrics[f'{TASKS[1]}/auc']:.4f}")
    print(f"{body.__name__}, watch time, rmse: {metrics[f'{TASKS[2]}/rmse']:.4f}")
    assert history[f"{TASKS[0]}/auc"][-1] > 0.75, (body.__name__, history)
    assert metrics[f"{TASKS[1]}/auc"] > 0.75, metrics
    assert metrics[f"{TASKS[2]}/rmse"] < 0.8, metrics  # 1.2 is the deviation
assert any("gate_" in name for name in history), list(history)

loader = mm.Loader(data, batch_size=256, shuffle=False)
with tempfile.TemporaryDirectory() as folder:
    model.save(os.path.join(folder, "ple"))
    loaded = mm.Model.load(os.path.join(folder, "ple"))
before, after = model.predict(loader), loaded.predict(loader)
assert {name: value.shape for name, value in before.items()} == dict.fromkeys(TASKS, (ROWS, 1))
for task in TASKS:
    np.testing.assert_allclose(after[task], before[task], rtol=1e-4, atol=1e-5)

# a task trained and evaluated where another happened: likes among clicks
outputs = mm.ParallelBlock(
    mm.BinaryOutput("click"),
    mm.BinaryOutput("like", post=mm.ColumnBasedSampleWeight(weight_column_name="click")),
)
model = mm.Model(mm.InputBlockV2(features), mm.MLPBlock([16]), outputs, schema=schema.excluding_by_name(["watch_time"]))
model.compile(optimizer="adam", weighted_metrics=[tf.keras.metrics.BinaryAccuracy(name="accuracy")], metrics=[])
metrics = model.fit(
    Dataset(data.to_ddf().compute().drop(columns=["watch_time"]), schema=schema.excluding_by_name(["watch_time"])),
    batch_size=256,
    epochs=1,
    verbose=0,
).history
assert any(name.startswith("like/binary_output") and "accuracy" in name for name in metrics), metrics

# first generation
tasks = mm.PredictionTasks(schema)
model = mm.Model(mm.InputBlockV2(features), mm.MLPBlock([16]), tasks)
model.compile(optimizer="adam")
history = model.fit(data, batch_size=256, epochs=2, verbose=0).history
print(f"first generation, loss: {history['loss'][-1]:.4f}")
assert history["loss"][-1] < history["loss"][0]
assert set(model.predict(data, batch_size=256)) == {
    "click/binary_classification_task",
    "like/binary_classification_task",
    "watch_time/regression_task",
}
