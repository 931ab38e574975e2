"""The last item of a session from those before it, averaged; against all items, and against sampled ones.

Calls:
    mm.Embeddings(_, dim=_, sequence_combiner=_)
    mm.InputBlockV2(_, categorical=_)
    mm.MLPBlock(_)
    mm.CategoricalOutput(_)
    mm.ContrastiveOutput(_, negative_samplers=_, logq_sampling_correction=_)
    mm.PopularityBasedSamplerV2(max_id=_, max_num_samples=_)
    mm.SequencePredictLast(schema=_, target=_)
    mm.Model(_, _, _)
    model.compile(optimizer=_, metrics=_)
    model.fit(_, batch_size=_, epochs=_, pre=_)
    model.evaluate(_, batch_size=_, pre=_, return_dict=_)
"""

import os

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 8)))
ITEMS, GROUP = 40, 5
random = np.random.default_rng(8)
groups = random.integers(0, ITEMS // GROUP, 2048)  # a session stays within one group of items
frame = pd.DataFrame(
    {
        "item_id": [group * GROUP + random.integers(1, GROUP + 1, random.integers(3, 7)) for group in groups],
        "country": random.integers(1, 6, len(groups)),
    }
)
schema = Schema(
    [
        ColumnSchema(
            "item_id",
            dtype="int64",
            tags=[Tags.CATEGORICAL, Tags.SEQUENCE, Tags.ITEM, Tags.ITEM_ID],
            properties={"domain": {"min": 0, "max": ITEMS, "name": "item_id"}, "value_count": {"min": 0, "max": 10}},
        ),
        ColumnSchema(
            "country", dtype="int64", tags=[Tags.CATEGORICAL, Tags.USER], properties={"domain": {"min": 0, "max": 5}}
        ),
    ]
)
train, valid = Dataset(frame[:1792], schema=schema), Dataset(frame[1792:].reset_index(drop=True), schema=schema)
item_schema = schema.select_by_tag(Tags.ITEM_ID)
predict_last = mm.SequencePredictLast(schema=schema.select_by_tag(Tags.SEQUENCE), target="item_id")


def network(output):
    embeddings = mm.Embeddings(
        schema.select_by_tag(Tags.CATEGORICAL), dim={"item_id": 16, "country": 4}, sequence_combiner="mean"
    )
    return mm.Model(mm.InputBlockV2(schema, categorical=embeddings), mm.MLPBlock([32, 16]), output)


outputs = {
    "all items": mm.CategoricalOutput(item_schema),
    "sampled": mm.ContrastiveOutput(
        item_schema,
        negative_samplers=mm.PopularityBasedSamplerV2(max_id=ITEMS, max_num_samples=20),
        logq_sampling_correction=True,
    ),
}
for name, output in outputs.items():
    model = network(output)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(0.02), metrics=[mm.RecallAt(5), mm.NDCGAt(5), mm.AvgPrecisionAt(5)]
    )
    losses = model.fit(train, batch_size=128, epochs=6, pre=predict_last, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0], (name, losses)
    metrics = model.evaluate(valid, batch_size=128, pre=predict_last, return_dict=True, verbose=0)
    print(f"{name}, recall at 5: {metrics['recall_at_5']:.4f}")
    print(f"{name}, ndcg at 5: {metrics['ndcg_at_5']:.4f}")
    assert metrics["recall_at_5"] > 0.5, (name, metrics)
    assert metrics["map_at_5"] <= metrics["ndcg_at_5"] <= metrics["recall_at_5"]
