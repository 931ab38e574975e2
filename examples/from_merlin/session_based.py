"""The next item of a session: transformers, causal and masked, and a plain network with sampled negatives.

Calls:
    mm.Embeddings(_, dim=_, sequence_combiner=_)
    mm.InputBlockV2(_, categorical=_)
    mm.MLPBlock(_, no_activation_last_layer=_)
    mm.GPT2Block(d_model=_, n_head=_, n_layer=_)
    mm.BertBlock(d_model=_, n_head=_, n_layer=_)
    mm.CategoricalOutput(_, logits_temperature=_)
    mm.Model(_, _, _, _)
    mm.Loader(_, batch_size=_)
    mm.SequencePredictNext(schema=_, target=_, transformer=_)
    mm.SequencePredictLast(schema=_, target=_, transformer=_)
    mm.SequenceMaskRandom(schema=_, target=_, masking_prob=_, transformer=_)
    mm.SequenceMaskLast(schema=_, target=_, transformer=_)
    model.compile(optimizer=_, loss=_, metrics=_, run_eagerly=_)
    model.fit(_, epochs=_, pre=_)
    model.evaluate(_, batch_size=_, pre=_, return_dict=_)
    model.save(_)
"""

import os
import tempfile

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 7)))
ITEMS, CATEGORIES, D = 24, 4, 16


def sessions(rows, seed):
    """Item i is followed by item i + 1, most of the time."""
    random = np.random.default_rng(seed)
    items = []
    for length in random.integers(4, 9, rows):
        steps = np.where(random.random(length) < 0.9, 1, random.integers(0, ITEMS, length))
        items.append((random.integers(ITEMS) + np.cumsum(steps)) % ITEMS + 1)
    return pd.DataFrame({"item_id": items, "category": [row % CATEGORIES + 1 for row in items]})


def sequence(name, size, *tags):
    return ColumnSchema(
        name,
        dtype="int64",
        tags=[Tags.CATEGORICAL, Tags.SEQUENCE, *tags],
        properties={"domain": {"min": 0, "max": size, "name": name}, "value_count": {"min": 0, "max": 20}},
    )


schema = Schema([sequence("item_id", ITEMS, Tags.ITEM_ID, Tags.ITEM), sequence("category", CATEGORIES)])
train, valid = Dataset(sessions(1024, 1), schema=schema), Dataset(sessions(256, 2), schema=schema)
target = schema.select_by_tag(Tags.ITEM_ID).column_names[0]


def session_model(transformer, tied):
    inputs = mm.InputBlockV2(
        schema,
        categorical=mm.Embeddings(schema.select_by_tag(Tags.CATEGORICAL), dim=D, sequence_combiner=None),
    )
    to_call = inputs["categorical"][target] if tied else schema.select_by_name(target)
    return mm.Model(
        inputs,
        mm.MLPBlock([2 * D, D], no_activation_last_layer=True),
        transformer,
        mm.CategoricalOutput(to_call, logits_temperature=0.5),
    )


# GPT-2, which learns every next item of a session at once; its output shares the table of the items
transformer = mm.GPT2Block(d_model=D, n_head=2, n_layer=1, dropout=0.1, max_position_embeddings=20)
model = session_model(transformer, tied=True)
model.compile(
    optimizer=tf.keras.optimizers.Adam(learning_rate=0.01),
    loss="categorical_crossentropy",
    metrics=[mm.NDCGAt(4), mm.RecallAt(4)],
    run_eagerly=False,
)
predict_next = mm.SequencePredictNext(schema=schema, target=target, transformer=transformer)
predict_last = mm.SequencePredictLast(schema=schema, target=target, transformer=transformer)
loader = mm.Loader(train, batch_size=128)
history = model.fit(loader, epochs=4, pre=predict_next, verbose=0).history
assert history["loss"][-1] < 0.8 * history["loss"][0], history["loss"]
metrics = model.evaluate(valid, batch_size=128, pre=predict_last, return_dict=True, verbose=0)
assert {"loss", "ndcg_at_4", "recall_at_4"} <= set(metrics)
print(f"GPT-2, recall at 4: {metrics['recall_at_4']:.4f}")
print(f"GPT-2, ndcg at 4: {metrics['ndcg_at_4']:.4f}")
assert metrics["recall_at_4"] > 0.6, metrics  # 4 of 24 by chance are 0.17
scores = model.predict(mm.Loader(valid, batch_size=128, shuffle=False))
assert scores.shape == (256, ITEMS + 1)
with tempfile.TemporaryDirectory() as folder:
    model.save(os.path.join(folder, "gpt2"))
    loaded = mm.Model.load(os.path.join(folder, "gpt2"))
again = loaded.predict(mm.Loader(valid, batch_size=128, shuffle=False))
np.testing.assert_allclose(again, scores, rtol=1e-4, atol=1e-5)

# BERT, which guesses hidden items
transformer = mm.BertBlock(d_model=D, n_head=2, n_layer=1, dropout=0.1)
model = session_model(transformer, tied=False)
model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=0.01), metrics=[mm.RecallAt(4), mm.MRRAt(4)])
mask_random = mm.SequenceMaskRandom(schema=schema, target=target, masking_prob=0.3, transformer=transformer)
mask_last = mm.SequenceMaskLast(schema=schema, target=target, transformer=transformer)
history = model.fit(loader, epochs=20, pre=mask_random, verbose=0).history
assert history["loss"][-1] < history["loss"][0], history["loss"]
metrics = model.evaluate(valid, batch_size=128, pre=mask_last, return_dict=True, verbose=0)
print(f"BERT, recall at 4: {metrics['recall_at_4']:.4f}")
print(f"BERT, mrr at 4: {metrics['mrr_at_4']:.4f}")
assert metrics["recall_at_4"] > 0.4, metrics
assert 0 <= metrics["mrr_at_4"] <= metrics["recall_at_4"]
