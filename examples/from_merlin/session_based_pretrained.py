"""Sessions for a transformer with everything that an event has: ids, numbers, and vectors trained elsewhere.

The vectors are no part of the model: `EmbeddingOperator` looks them up when batches are loaded. Merlin has it in
`merlin.dataloader.ops.embeddings`.

Calls:
    mm.EmbeddingOperator(_, lookup_key=_, embedding_name=_)
    mm.Loader(_, batch_size=_, transforms=_)
    mm.PretrainedEmbeddings(_, output_dims=_, sequence_combiner=_, normalizer=_)
    mm.Embeddings(_, sequence_combiner=_, dim=_)
    mm.Continuous(_)
    mm.InputBlockV2(_, categorical=_, continuous=_, pretrained_embeddings=_)
    mm.MLPBlock(_, activation=_, no_activation_last_layer=_)
    mm.XLNetBlock(d_model=_, n_head=_, n_layer=_)
    mm.BertBlock(d_model=_, n_head=_, n_layer=_)
    mm.CategoricalOutput(to_call=_)
    mm.Model(_, _, _, _)
    mm.TopKMetricsAggregator.default_metrics(top_ks=_)
    mm.SequenceMaskRandom(schema=_, target=_, masking_prob=_, transformer=_)
    mm.SequenceMaskLast(schema=_, target=_, transformer=_)
    model.compile(run_eagerly=_, optimizer=_, loss=_, metrics=_)
    model.fit(_, epochs=_, pre=_)
    model.evaluate(_, batch_size=_, pre=_, return_dict=_)
"""

import os

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 26)))
ITEMS, SIZE, D_MODEL = 24, 12, 16
random = np.random.default_rng(26)
vectors = random.normal(size=(ITEMS + 1, SIZE)).astype("float32")  # a row for each id from 0


def sessions(rows, seed):
    """Item i is followed by item i + 1 most of the time; the price of an event is that of its item."""
    random = np.random.default_rng(seed)
    items = []
    for length in random.integers(4, 9, rows):
        steps = np.where(random.random(length) < 0.9, 1, random.integers(0, ITEMS, length))
        items.append((random.integers(ITEMS) + np.cumsum(steps)) % ITEMS + 1)
    prices = [(row / ITEMS).astype("float32") for row in items]
    return Dataset(pd.DataFrame({"item_id": items, "price": prices}), schema=schema)


lists = {"domain": {"min": 0, "max": ITEMS, "name": "item_id"}, "value_count": {"min": 0, "max": 20}}
schema = Schema(
    [
        ColumnSchema(
            "item_id",
            dtype="int64",
            tags=[Tags.CATEGORICAL, Tags.SEQUENCE, Tags.ITEM, Tags.ITEM_ID],
            properties=lists,
            is_list=True,
            is_ragged=True,
        ),
        ColumnSchema(
            "price",
            dtype="float32",
            tags=[Tags.CONTINUOUS, Tags.SEQUENCE],
            properties={"value_count": {"min": 0, "max": 20}},
            is_list=True,
            is_ragged=True,
        ),
    ]
)
target = "item_id"


def loader_of(data):
    return mm.Loader(
        data,
        batch_size=128,
        transforms=[mm.EmbeddingOperator(vectors, lookup_key="item_id", embedding_name="item_vector")],
    )


train_loader, valid_loader = loader_of(sessions(1536, 1)), loader_of(sessions(256, 2))
features, _ = next(iter(train_loader))
np.testing.assert_allclose(features["item_vector"].flat_values, vectors[features["item_id"].flat_values], rtol=1e-6)

model_schema = train_loader.output_schema
pretrained = model_schema.select_by_tag(Tags.EMBEDDING)
assert pretrained.column_names == ["item_vector"]
sequence_schema = model_schema.select_by_tag(Tags.SEQUENCE)
input_block = mm.InputBlockV2(
    model_schema,
    categorical=mm.Embeddings(model_schema.select_by_tag(Tags.CATEGORICAL), sequence_combiner=None, dim=D_MODEL),
    continuous=mm.Continuous(model_schema.select_by_tag(Tags.CONTINUOUS)),
    pretrained_embeddings=mm.PretrainedEmbeddings(
        pretrained, output_dims=8, sequence_combiner=None, normalizer="l2-norm"
    ),
)
mlp_block = mm.MLPBlock([32, D_MODEL], activation="relu", no_activation_last_layer=True)
message = ""
try:
    mm.XLNetBlock(d_model=D_MODEL, n_head=2, n_layer=1)
except AttributeError as error:  # the one block that is not there; the page says what to use
    message = str(error)
assert "docs/coming-from-merlin-models.md" in message, message
bert_block = mm.BertBlock(d_model=D_MODEL, n_head=2, n_layer=1)
model = mm.Model(input_block, mlp_block, bert_block, mm.CategoricalOutput(to_call=input_block["categorical"][target]))
model.compile(
    run_eagerly=False,
    optimizer=tf.keras.optimizers.Adam(learning_rate=0.02),
    loss="categorical_crossentropy",
    metrics=mm.TopKMetricsAggregator.default_metrics(top_ks=[4]),
)
mask_random = mm.SequenceMaskRandom(schema=sequence_schema, target=target, masking_prob=0.3, transformer=bert_block)
mask_last = mm.SequenceMaskLast(schema=sequence_schema, target=target, transformer=bert_block)
model.fit(train_loader, epochs=12, pre=mask_random, verbose=0)
metrics = model.evaluate(valid_loader, batch_size=128, pre=mask_last, return_dict=True, verbose=0)
print(f"recall at 4: {metrics['recall_at_4']:.4f}")
print(f"mrr at 4: {metrics['mrr_at_4']:.4f}")
assert metrics["recall_at_4"] > 0.5, metrics  # 4 of 25 by chance are 0.16
