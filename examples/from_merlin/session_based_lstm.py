"""The item bought at the end of a session: a plain network and a recurrent one, whose outputs share the items' table.

Calls:
    mm.Loader(_, batch_size=_, shuffle=_)
    mm.ToTarget(_, _, one_hot=_)
    mm.Embeddings(_, dim=_)
    mm.Embeddings(_, sequence_combiner=_, dim=_)
    mm.InputBlockV2(_, categorical=_)
    mm.MLPBlock(_, no_activation_last_layer=_, dropout=_)
    mm.CategoricalOutput(to_call=_, logits_temperature=_, target=_)
    mm.Model(_, _, _)
    mm.TopKMetricsAggregator.default_metrics(top_ks=_)
    mm.ParallelBlock(_, aggregation=_)
    tf.keras.layers.Bidirectional(_)
    seq_inputs.connect(_)
    tf.keras.losses.CategoricalCrossentropy(from_logits=_, label_smoothing=_)
    tf.keras.optimizers.schedules.ExponentialDecay(_, decay_steps=_, decay_rate=_, staircase=_)
    model.compile(optimizer=_, run_eagerly=_, loss=_, metrics=_)
    model.fit(_, validation_data=_, epochs=_)
    model.evaluate(_, batch_size=_, return_dict=_)
"""

import os

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 25)))
ITEMS, COLORS, DIM, BATCH = 40, 5, 32, 128
random = np.random.default_rng(25)
sessions = []
for _ in range(3072):
    group = random.integers(0, ITEMS // 5)  # a session stays among five items, and ends with one of them
    sessions.append(1 + 5 * group + random.integers(0, 5, random.integers(3, 7)))
frame = pd.DataFrame(
    {
        "item_id_list_seq": [row[:-1] for row in sessions],
        "item_id_last": [row[-2] for row in sessions],
        "color_list_seq": [1 + row[:-1] % COLORS for row in sessions],
        "purchase_id_first": [row[-1] for row in sessions],
    }
)


def column(name, size, domain, *tags, **kwargs):
    properties = {"domain": {"min": 0, "max": size, "name": domain}}
    if kwargs:
        properties["value_count"] = {"min": 0, "max": 10}
    return ColumnSchema(name, dtype="int64", tags=[Tags.CATEGORICAL, *tags], properties=properties, **kwargs)


items = "item_id_purchase_id"  # the columns of items share one domain, and so one table
schema = Schema(
    [
        column("item_id_list_seq", ITEMS, items, Tags.SEQUENCE, Tags.ITEM_ID, is_list=True, is_ragged=True),
        column("item_id_last", ITEMS, items),
        column("color_list_seq", COLORS, "color", Tags.SEQUENCE, is_list=True, is_ragged=True),
        column("purchase_id_first", ITEMS, items),
    ]
)
train = Dataset(frame[:2560], schema=schema)
valid = Dataset(frame[2560:].reset_index(drop=True), schema=schema)
schema_model = schema.select_by_name(["item_id_list_seq", "item_id_last", "color_list_seq"])
loader = mm.Loader(train, batch_size=BATCH, shuffle=False).map(
    mm.ToTarget(train.schema, "purchase_id_first", one_hot=True)
)
val_loader = mm.Loader(valid, batch_size=BATCH, shuffle=False).map(
    mm.ToTarget(train.schema, "purchase_id_first", one_hot=True)
)
manual_dims = {"item_id_list_seq": DIM, "item_id_last": DIM, "color_list_seq": 8}
item_id_name = train.schema.select_by_tag(Tags.ITEM_ID).first.properties["domain"]["name"]


def trained(model, name):
    schedule = tf.keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=1000, decay_rate=0.96, staircase=True)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(learning_rate=schedule),
        run_eagerly=False,
        loss=tf.keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
        metrics=mm.TopKMetricsAggregator.default_metrics(top_ks=[5]),
    )
    model.fit(loader, validation_data=val_loader, epochs=5, verbose=0)
    metrics = model.evaluate(val_loader, batch_size=BATCH, return_dict=True, verbose=0)
    print(f"{name}, recall at 5: {metrics['recall_at_5']:.4f}")
    print(f"{name}, mrr at 5: {metrics['mrr_at_5']:.4f}")
    return metrics


# a plain network on the average of a session
input_block = mm.InputBlockV2(schema_model, categorical=mm.Embeddings(schema_model, dim=manual_dims))
mlp_block = mm.MLPBlock([64, DIM], no_activation_last_layer=True, dropout=0.2)
prediction_task = mm.CategoricalOutput(
    to_call=input_block["categorical"][item_id_name], logits_temperature=2, target="purchase_id_first"
)
metrics = trained(mm.Model(input_block, mlp_block, prediction_task), "average")
assert metrics["recall_at_5"] > 0.7, metrics  # 5 of 41 by chance are 0.12
assert metrics["mrr_at_5"] <= metrics["recall_at_5"]

# both directions of the session, beside the last item
seq_schema = schema_model.select_by_tag(Tags.SEQUENCE)
seq_inputs = mm.InputBlockV2(seq_schema, categorical=mm.Embeddings(seq_schema, sequence_combiner=None, dim=manual_dims))
cat_inputs = mm.InputBlockV2(
    schema_model.select_by_name(["item_id_last"]),
    categorical=mm.Embeddings(schema_model.select_by_name(["item_id_last"]), dim=manual_dims),
)
dense_block = seq_inputs.connect(
    tf.keras.layers.Bidirectional(
        tf.keras.layers.LSTM(
            32, return_sequences=False, dropout=0.05, kernel_regularizer=tf.keras.regularizers.l2(1e-4)
        )
    )
)
concats = mm.ParallelBlock({"dense_block": dense_block, "cat_inputs": cat_inputs}, aggregation="concat")
mlp_block = mm.MLPBlock([64, DIM], no_activation_last_layer=True, dropout=0.2)
prediction_task = mm.CategoricalOutput(
    to_call=seq_inputs["categorical"][item_id_name], logits_temperature=2, target="purchase_id_first"
)
metrics = trained(mm.Model(concats, mlp_block, prediction_task), "LSTM")
assert metrics["recall_at_5"] > 0.7, metrics
