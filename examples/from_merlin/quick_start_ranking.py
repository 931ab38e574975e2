"""Ranking from a script with options: one task or several, any architecture, sampled negatives, predictions as files.

Calls:
    mm.Loader(_, batch_size=_, schema=_)
    mm.Loader(_, batch_size=_, schema=_, transform=_)
    mm.InBatchNegatives(_, _)
    mm.MLPBlock(_, activation=_, kernel_initializer=_, dropout=_, kernel_regularizer=_, bias_regularizer=_)
    mm.Embeddings(_, embeddings_regularizer=_, infer_dim_fn=_)
    mm.InputBlockV2(_, categorical=_, aggregation=_)
    mm.DCNModel(_, depth=_, deep_block=_, stacked=_, input_block=_, prediction_tasks=_)
    mm.DLRMModel(_, embedding_dim=_, bottom_block=_, top_block=_, prediction_tasks=_)
    mm.BinaryOutput(_)
    mm.BinaryOutput(_, post=_, pre=_)
    mm.RegressionOutput(_, post=_, pre=_)
    mm.ColumnBasedSampleWeight(weight_column_name=_, binary_class_weights=_)
    mm.ColumnBasedSampleWeight(weight_column_name=_)
    mm.SequentialBlock(_, _)
    mm.ParallelBlock()
    mm.PLEBlock(num_layers=_, outputs=_, expert_block=_, num_task_experts=_, num_shared_experts=_, gate_softmax_temperature=_, enable_gate_weights_metrics=_, gate_block=_)
    task_block.from_config(_)
    tf.keras.metrics.AUC(name=_, curve=_, num_thresholds=_)
    model.compile(_, run_eagerly=_, metrics=_)
    model.compile(_, run_eagerly=_, metrics=_, loss_weights=_)
    model.fit(_, epochs=_, batch_size=_, steps_per_epoch=_, shuffle=_, drop_last=_, callbacks=_, train_metrics_steps=_, class_weight=_, validation_data=_, validation_steps=_)
    model.evaluate(_, batch_size=_, return_dict=_, callbacks=_)
    model.batch_predict(_, batch_size=_)
    model.save(_)
"""  # noqa: E501 - a call is one line

import os
import tempfile

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 27)))
SIZES = {"user_id": 60, "item_id": 40, "video_category": 5, "gender": 3}
TAGS = {"user_id": [Tags.USER, Tags.USER_ID], "item_id": [Tags.ITEM, Tags.ITEM_ID], "video_category": [Tags.ITEM]}


def log(rows, seed):
    random = np.random.default_rng(seed)
    frame = {name: random.integers(1, size + 1, rows) for name, size in SIZES.items()}
    frame["video_category"] = 1 + frame["item_id"] % 5
    fits = (frame["gender"] + frame["video_category"]) % 2
    taste = 2 * np.cos(frame["user_id"]) + 2 * np.sin(frame["item_id"]) + 4 * fits - 2
    frame["click"] = (taste + random.normal(size=rows) > 0).astype("int64")
    frame["like"] = frame["click"] * (np.cos(frame["user_id"]) > 0)
    frame["watching_times"] = (1 + np.cos(frame["item_id"])).astype("float32")
    return Dataset(pd.DataFrame(frame), schema=schema)


schema = Schema(
    [
        ColumnSchema(
            name,
            dtype="int64",
            tags=[Tags.CATEGORICAL, *TAGS.get(name, [Tags.USER])],
            properties={"domain": {"min": 0, "max": size, "name": name}},
        )
        for name, size in SIZES.items()
    ]
    + [ColumnSchema(name, dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]) for name in ("click", "like")]
    + [ColumnSchema("watching_times", dtype="float32", tags=[Tags.REGRESSION, Tags.TARGET])]
)
train_ds, eval_ds = log(5120, 1), log(1024, 2)
BATCH, L2 = 256, 1e-6


def mlp(layers):
    return mm.MLPBlock(
        layers,
        activation="relu",
        kernel_initializer="he_normal",
        dropout=0.05,
        kernel_regularizer=tf.keras.regularizers.l2(L2),
        bias_regularizer=tf.keras.regularizers.l2(L2),
    )


def inputs(of):
    return mm.InputBlockV2(
        of,
        categorical=mm.Embeddings(
            of.select_by_tag(Tags.CATEGORICAL),
            embeddings_regularizer=tf.keras.regularizers.l2(L2),
            infer_dim_fn=lambda column: 16 if column.int_domain.max > 10 else 4,
        ),
        aggregation="concat",
    )


def ranking_metrics():
    return [
        tf.keras.metrics.AUC(name="auc", curve="ROC", num_thresholds=1000),
        tf.keras.metrics.AUC(name="prauc", curve="PR", num_thresholds=1000),
    ]


def optimizer():
    schedule = tf.keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=50, decay_rate=0.95, staircase=True)
    return tf.keras.optimizers.Adam(learning_rate=schedule)


# one task: the targets that it does not predict are no columns of the schema
one_task = schema.excluding_by_name(["like", "watching_times"])
train_loader = mm.Loader(train_ds, batch_size=BATCH, schema=one_task)
eval_loader = mm.Loader(eval_ds, batch_size=BATCH, schema=one_task)
models = {
    "DCN": mm.DCNModel(
        one_task,
        depth=2,
        deep_block=mlp([32, 16]),
        stacked=True,
        input_block=inputs(one_task),
        prediction_tasks=mm.BinaryOutput("click"),
    ),
    "DLRM": mm.DLRMModel(
        one_task,
        embedding_dim=16,
        bottom_block=None,
        top_block=mlp([32, 16]),
        prediction_tasks=mm.BinaryOutput("click"),
    ),
}
callbacks = [tf.keras.callbacks.TerminateOnNaN()]
for name, model in models.items():
    model.compile(optimizer(), run_eagerly=False, metrics=ranking_metrics())
    model.fit(
        train_loader,
        epochs=3,
        batch_size=BATCH,
        steps_per_epoch=None,
        shuffle=False,
        drop_last=False,
        callbacks=callbacks,
        train_metrics_steps=10,
        class_weight={0: 1.0, 1: 2.0},
        validation_data=eval_loader,
        validation_steps=2,
        verbose=0,
    )
    metrics = model.evaluate(eval_loader, batch_size=BATCH, return_dict=True, callbacks=callbacks, verbose=0)
    print(f"{name}, auc: {metrics['auc']:.4f}")
    print(f"{name}, prauc: {metrics['prauc']:.4f}")
    assert metrics["auc"] > 0.85, (name, metrics)  # 0.5 by chance
    assert metrics["prauc"] > 0.8, (name, metrics)

with tempfile.TemporaryDirectory() as folder:
    predictions = model.batch_predict(eval_ds, batch_size=BATCH).to_ddf()
    predictions[["user_id", "item_id", "click", "click/binary_output"]].to_parquet(folder, write_index=False)
    rows = pd.read_parquet(folder)
    assert (
        rows["click/binary_output"][rows["click"] == 1].mean()
        > 0.3 + rows["click/binary_output"][rows["click"] == 0].mean()
    )
    model.save(os.path.join(folder, "trained"))
    assert mm.Model.load(os.path.join(folder, "trained")).count_params() == model.count_params()

# positives alone, with items of the same batch as negatives
positives = train_ds.to_ddf().compute()
positives = Dataset(positives[positives["click"] == 1].reset_index(drop=True), schema=schema)
train_loader = mm.Loader(positives, batch_size=BATCH, schema=one_task, transform=mm.InBatchNegatives(one_task, 4))
features, targets = next(iter(train_loader))
clicks = np.ravel(targets["click"] if isinstance(targets, dict) else targets)
assert clicks[:BATCH].all()
assert not clicks[BATCH:].any()
assert BATCH * 3 < len(clicks) <= BATCH * 5
model = mm.DLRMModel(one_task, embedding_dim=16, top_block=mlp([16]), prediction_tasks=mm.BinaryOutput("click"))
model.compile(optimizer(), run_eagerly=False, metrics=ranking_metrics())
model.fit(train_loader, epochs=3, verbose=0)
metrics = model.evaluate(eval_loader, return_dict=True, verbose=0)
print(f"sampled negatives, auc: {metrics['auc']:.4f}")
assert metrics["auc"] > 0.6, metrics

# several tasks: towers, sample weights by class and by another task's clicks, experts
task_block = mlp([8])


def sample_weights(target, space, binary):
    by_class = (
        mm.ColumnBasedSampleWeight(weight_column_name=target, binary_class_weights=(1.0, 2.0)) if binary else None
    )
    if space is None:
        return by_class
    by_space = mm.ColumnBasedSampleWeight(weight_column_name=space)
    return by_space if by_class is None else mm.SequentialBlock(by_class, by_space)


def tower():
    return task_block.from_config(task_block.get_config())


outputs = [
    mm.BinaryOutput(target, post=sample_weights(target, space, True), pre=tower())
    for target, space in (("click", None), ("like", "click"))
]
outputs.append(
    mm.RegressionOutput("watching_times", post=sample_weights("watching_times", "click", False), pre=tower())
)
prediction_tasks = mm.ParallelBlock(*outputs)
experts = mm.PLEBlock(
    num_layers=1,
    outputs=prediction_tasks,
    expert_block=mlp([32]),
    num_task_experts=1,
    num_shared_experts=2,
    gate_softmax_temperature=1.0,
    enable_gate_weights_metrics=True,
    gate_block=mm.MLPBlock([8]),
)
model = mm.Model(inputs(schema.excluding_by_name(["click", "like", "watching_times"])), experts, prediction_tasks)
model.compile(
    optimizer(),
    run_eagerly=False,
    metrics={
        "click/binary_output": ranking_metrics(),
        "like/binary_output": ranking_metrics(),
        "watching_times/regression_output": "root_mean_squared_error",
    },
    loss_weights={"click/binary_output": 1.0, "like/binary_output": 2.0, "watching_times/regression_output": 1.0},
)
model.fit(mm.Loader(train_ds, batch_size=BATCH, schema=schema), epochs=3, train_metrics_steps=10, verbose=0)
metrics = model.evaluate(mm.Loader(eval_ds, batch_size=BATCH, schema=schema), return_dict=True, verbose=0)
aucs = {name: value for name, value in metrics.items() if "binary_output/auc" in name}
assert sorted(aucs) == ["click/binary_output/auc", "like/binary_output/auc"], metrics
rmse = metrics["watching_times/regression_output/root_mean_squared_error"]
print(f"PLE, click, auc: {aucs['click/binary_output/auc']:.4f}")
print(f"PLE, like, auc: {aucs['like/binary_output/auc']:.4f}")
print(f"PLE, watching times, rmse: {rmse:.4f}")
assert min(aucs.values()) > 0.8, metrics
assert rmse < 0.4, metrics  # 0.7 is the deviation
