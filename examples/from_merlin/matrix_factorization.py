"""Matrix factorization with negatives drawn by popularity, and from the batch; then the best items of all.

Calls:
    mm.unique_rows_by_features(_, _, _)
    mm.MatrixFactorizationModelV2(_, dim=_, negative_samplers=_, embeddings_l2_batch_regularization=_)
    mm.MatrixFactorizationModel(_, dim=_, samplers=_, embeddings_l2_reg=_)
    mm.RetrievalModelV2(query=_, output=_)
    mm.EmbeddingEncoder(_, dim=_)
    mm.ContrastiveOutput(_, negative_samplers=_, logq_sampling_correction=_)
    mm.PopularityBasedSamplerV2(max_id=_, max_num_samples=_)
    mm.InBatchSampler()
    mm.ToTarget(_, _)
    mm.TopKEncoder(_, candidates=_, k=_)
    model.compile(optimizer=_, metrics=_)
    model.fit(_, batch_size=_, epochs=_, pre=_)
    model.candidate_embeddings()
    model.to_top_k_encoder(_, k=_, batch_size=_)
    top_k.evaluate(_, return_dict=_)
    model.evaluate(_, item_corpus=_, batch_size=_, return_dict=_)
"""

import os

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 12)))
USERS, ITEMS, GROUPS = 40, 50, 5


def views(rows, seed):
    """Users look at items of their group, at those with a low id the most: the ids are sorted by popularity."""
    random = np.random.default_rng(seed)
    user = random.integers(1, USERS + 1, rows)
    item = (user % GROUPS) + GROUPS * np.floor(ITEMS // GROUPS * random.random(rows) ** 2).astype("int64") + 1
    return Dataset(pd.DataFrame({"user_id": user, "item_id": item}), schema=schema)


schema = Schema(
    [
        ColumnSchema(
            name, dtype="int64", tags=[Tags.CATEGORICAL, *tags], properties={"domain": {"min": 0, "max": size}}
        )
        for name, size, tags in (
            ("user_id", USERS, [Tags.USER, Tags.USER_ID]),
            ("item_id", ITEMS, [Tags.ITEM, Tags.ITEM_ID]),
        )
    ]
)
train, valid = views(4096, 1), views(512, 2)
items = mm.unique_rows_by_features(train, Tags.ITEM, Tags.ITEM_ID)

# second generation: users and items each have a table
model = mm.MatrixFactorizationModelV2(
    schema, dim=16, negative_samplers="in-batch", embeddings_l2_batch_regularization=1e-6
)

# the items in the output, against negatives drawn by popularity
sampled = mm.RetrievalModelV2(
    query=mm.Encoder(mm.EmbeddingEncoder(schema.select_by_name("user_id"), dim=16)),
    output=mm.ContrastiveOutput(
        schema.select_by_tag(Tags.ITEM_ID),
        negative_samplers=mm.PopularityBasedSamplerV2(max_id=ITEMS, max_num_samples=30),
        logq_sampling_correction=True,
    ),
)


def trained(model, pre=None):
    model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=0.05), metrics=[mm.RecallAt(10), mm.MRRAt(10)])
    losses = model.fit(train, batch_size=512, epochs=5, pre=pre, verbose=0).history["loss"]
    assert losses[-1] < losses[0], losses
    return model


to_target = mm.ToTarget(schema, "item_id")
trained(model)
trained(sampled, pre=to_target)
for name, top_k in {
    "negatives of the batch": model.to_top_k_encoder(items, k=10, batch_size=64),
    "negatives by popularity": mm.TopKEncoder(sampled.query_encoder, candidates=sampled.candidate_embeddings(), k=10),
}.items():
    top_k.compile(metrics=[mm.RecallAt(10), mm.NDCGAt(10)])
    loader = mm.Loader(valid, batch_size=128, shuffle=False).map(to_target)
    metrics = top_k.evaluate(loader, return_dict=True, verbose=0)
    print(f"{name}, recall at 10: {metrics['recall_at_10']:.4f}")
    print(f"{name}, ndcg at 10: {metrics['ndcg_at_10']:.4f}")
    assert metrics["recall_at_10"] > 0.5, metrics  # 10 of 50 by chance are 0.2
    output = top_k.predict(mm.Loader(valid, batch_size=128, shuffle=False).map(to_target))
    assert output.scores.shape == output.identifiers.shape == (512, 10)
    assert set(np.ravel(output.identifiers)) <= set(range(ITEMS + 1))

# first generation
model = trained(mm.MatrixFactorizationModel(schema, dim=16, samplers=[mm.InBatchSampler()], embeddings_l2_reg=1e-6))
metrics = model.evaluate(valid, item_corpus=items, batch_size=128, return_dict=True, verbose=0)
print(f"first generation, recall at 10: {metrics['recall_at_10']:.4f}")
print(f"first generation, mrr at 10: {metrics['mrr_at_10']:.4f}")
assert metrics["recall_at_10"] > 0.4, metrics
