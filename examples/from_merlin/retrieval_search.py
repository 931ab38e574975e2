"""A search over the sizes and learning rates of retrieval models: matrix factorization, then two towers.

Calls:
    mm.MatrixFactorizationModel(_, _)
    mm.TwoTowerModel(_, query_tower=_, samplers=_, embedding_options=_)
    mm.EmbeddingOptions(embedding_dim_default=_)
    mm.MLPBlock(_)
    mm.InBatchSampler()
    tf.keras.losses.CategoricalCrossentropy(from_logits=_, label_smoothing=_)
    model.compile(_, loss=_)
    model.fit(_, validation_data=_, batch_size=_, epochs=_)
    model.to_top_k_recommender(_, _)
    mm.Loader(_, _, shuffle=_, schema=_)
    top_k_rec.predict(_)
"""

import itertools
import os

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

SEED = int(os.environ.get("SEED", 24))
CUSTOMERS, ARTICLES, GROUPS, K = 60, 80, 8, 10


def purchases(rows, seed):
    random = np.random.default_rng(seed)
    customer = random.integers(1, CUSTOMERS + 1, rows)
    article = 1 + customer % GROUPS + GROUPS * random.integers(0, ARTICLES // GROUPS, rows)
    return pd.DataFrame({"customer_id": customer, "article_id": article})


schema = Schema(
    [
        ColumnSchema(
            name, dtype="int64", tags=[Tags.CATEGORICAL, *tags], properties={"domain": {"min": 0, "max": size}}
        )
        for name, size, tags in (
            ("customer_id", CUSTOMERS, [Tags.USER, Tags.USER_ID]),
            ("article_id", ARTICLES, [Tags.ITEM, Tags.ITEM_ID]),
        )
    ]
)
train, valid = Dataset(purchases(4096, 1), schema=schema), Dataset(purchases(512, 2), schema=schema)


def hit_rate(model):
    """Share of the purchases of the validation set that are among the candidates of their customer."""
    item_features = train.schema.select_by_tag(Tags.ITEM_ID).column_names
    item_dataset = Dataset(train.to_ddf()[item_features].drop_duplicates().compute())
    top_k_rec = model.to_top_k_recommender(item_dataset, K)
    users_schema = train.schema.select_by_tag(Tags.USER_ID)
    unique_users = train.to_ddf()[users_schema.column_names].drop_duplicates().compute().reset_index(drop=True)
    users_dataset = Dataset(unique_users, schema=users_schema)
    _, candidates = top_k_rec.predict(mm.Loader(users_dataset, 16, shuffle=False, schema=users_schema))
    of_customer = {customer: set(row) for customer, row in zip(unique_users["customer_id"], candidates, strict=True)}
    pairs = valid.to_ddf().compute()
    return np.mean([item in of_customer[user] for user, item in pairs.itertuples(index=False)])


def objective(learning_rate, num_epochs, embedding_dim, two_towers):
    tf.keras.utils.set_random_seed(SEED)
    if two_towers:
        model = mm.TwoTowerModel(
            train.schema,
            query_tower=mm.MLPBlock([embedding_dim], no_activation_last_layer=True),
            samplers=[mm.InBatchSampler()],
            embedding_options=mm.EmbeddingOptions(embedding_dim_default=embedding_dim),
        )
    else:
        model = mm.MatrixFactorizationModel(train.schema, embedding_dim)
    optimizer = tf.keras.optimizers.Adam(learning_rate=learning_rate)
    loss = tf.keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0)
    model.compile(optimizer, loss=loss)
    model.fit(train, validation_data=valid, batch_size=256, epochs=num_epochs, verbose=0)
    return hit_rate(model)


search_space = {"learning_rate": [0.02, 1e-4], "num_epochs": [3], "embedding_dim": [16]}
for two_towers in (False, True):
    trials = list(itertools.product(*search_space.values()))
    scores = [objective(*trial, two_towers) for trial in trials]
    best = dict(zip(search_space, trials[int(np.argmax(scores))], strict=True))
    assert best["learning_rate"] == 0.02, (two_towers, scores)
    print(f"{'two towers' if two_towers else 'matrix factorization'}, hit rate: {max(scores):.4f}")
    assert max(scores) > 0.6, (two_towers, scores)  # 10 of 80 by chance are 0.125
