"""Four stages: a two-tower model retrieves, seen items are filtered, a DLRM scores, and the best are ordered.

Calls:
    mm.DLRMModel(_, embedding_dim=_, bottom_block=_, top_block=_, prediction_tasks=_)
    mm.BinaryOutput(_)
    mm.TwoTowerModel(_, query_tower=_, samplers=_, embedding_options=_)
    mm.MLPBlock(_, no_activation_last_layer=_)
    mm.InBatchSampler()
    mm.EmbeddingOptions(infer_embedding_sizes=_)
    mm.RecallAt(_)
    mm.NDCGAt(_)
    mm.unique_rows_by_features(_, _, _)
    model.compile(optimizer=_, run_eagerly=_, metrics=_)
    model.compile(optimizer=_, run_eagerly=_, loss=_, metrics=_)
    model.fit(_, validation_data=_, batch_size=_)
    model.fit(_, validation_data=_, batch_size=_, epochs=_)
    model.retrieval_block.query_block()
    query_tower.save(_)
    model.item_embeddings(_, batch_size=_)
    model.save(_)
    ops.Filter(f=_)
    schema.select_by_tag(_)
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

tf.keras.utils.set_random_seed(int(os.environ.get("SEED", 28)))
USERS, ITEMS, GROUPS, K = 60, 80, 4, 20


def log(rows, seed):
    """A user is shown any item, and clicks on items of the user's own group, the cheaper the more often."""
    random = np.random.default_rng(seed)
    user, item = random.integers(0, USERS, rows), random.integers(0, ITEMS, rows)
    price = (item // GROUPS) / (ITEMS // GROUPS)
    click = (user % GROUPS == item % GROUPS) & (random.random(rows) > price)
    columns = {"user_id": 100 + user, "user_age": 20 + user % 7, "item_id": 500 + item, "item_category": item % GROUPS}
    return pd.DataFrame({**columns, "item_price": price, "click": click.astype("int64")})


with tempfile.TemporaryDirectory() as folder:
    categories = os.path.join(folder, "categories")
    user_id = ["user_id"] >> ops.Categorify(dtype="int32", out_path=categories) >> ops.TagAsUserID()
    item_id = ["item_id"] >> ops.Categorify(dtype="int32", out_path=categories) >> ops.TagAsItemID()
    category = ["item_category"] >> ops.Categorify(dtype="int32", out_path=categories) >> ops.TagAsItemFeatures()
    price = ["item_price"] >> ops.Normalize() >> ops.TagAsItemFeatures()
    age = ["user_age"] >> ops.Categorify(dtype="int32", out_path=categories) >> ops.TagAsUserFeatures()
    targets = ["click"] >> ops.AddMetadata(tags=[Tags.BINARY_CLASSIFICATION, "target"])
    features = user_id + item_id + category + price + age + targets
    positives = features >> ops.Filter(f=lambda df: df["click"] == 1)
    raw = {"train": nvt.Dataset(log(16384, 1)), "valid": nvt.Dataset(log(4096, 2))}
    for name, graph in (("ranking", features), ("retrieval", positives)):
        workflow = nvt.Workflow(graph)
        workflow.fit(raw["train"])
        for part, data in raw.items():
            workflow.transform(data).to_parquet(os.path.join(folder, name, part))

    # the ranking model
    train = Dataset(os.path.join(folder, "ranking", "train", "*.parquet"))
    valid = Dataset(os.path.join(folder, "ranking", "valid", "*.parquet"))
    ranking = mm.DLRMModel(
        train.schema,
        embedding_dim=16,
        bottom_block=mm.MLPBlock([32, 16]),
        top_block=mm.MLPBlock([32, 16]),
        prediction_tasks=mm.BinaryOutput(train.schema.select_by_tag(Tags.TARGET).column_names[0]),
    )
    ranking.compile(optimizer="adam", run_eagerly=False, metrics=[tf.keras.metrics.AUC(name="auc")])
    for _ in range(2):
        history = ranking.fit(train, validation_data=valid, batch_size=64, verbose=0).history
    print(f"ranking, auc: {history['val_auc'][-1]:.4f}")
    assert history["val_auc"][-1] > 0.85, history
    ranking.save(os.path.join(folder, "dlrm"))

    # the retrieval model
    train_tt = Dataset(os.path.join(folder, "retrieval", "train", "*.parquet"))
    valid_tt = Dataset(os.path.join(folder, "retrieval", "valid", "*.parquet"))
    schema = train_tt.schema.select_by_tag([Tags.ITEM_ID, Tags.USER_ID, Tags.ITEM, Tags.USER])
    train_tt.schema = valid_tt.schema = schema
    model = mm.TwoTowerModel(
        schema,
        query_tower=mm.MLPBlock([32, 16], no_activation_last_layer=True),
        samplers=[mm.InBatchSampler()],
        embedding_options=mm.EmbeddingOptions(infer_embedding_sizes=True),
    )
    model.compile(
        optimizer=tf.keras.optimizers.Adam(0.005),
        run_eagerly=False,
        loss="categorical_crossentropy",
        metrics=[mm.RecallAt(K), mm.NDCGAt(K)],
    )
    history = model.fit(train_tt, validation_data=valid_tt, batch_size=128, epochs=6, verbose=0).history
    print(f"retrieval, recall at {K} in a batch: {history[f'val_recall_at_{K}'][-1]:.4f}")
    query_tower = model.retrieval_block.query_block()
    query_tower.save(os.path.join(folder, "query_tower"))

    # what a feature store and an index of vectors get
    user_rows = mm.unique_rows_by_features(train, Tags.USER, Tags.USER_ID)
    item_rows = mm.unique_rows_by_features(train, Tags.ITEM, Tags.ITEM_ID)
    user_features = user_rows.compute().reset_index(drop=True)
    item_features = item_rows.compute().set_index("item_id", drop=False)
    item_embeddings = model.item_embeddings(Dataset(item_features, schema=schema), batch_size=128).compute()
    vectors = item_embeddings[[name for name in item_embeddings.columns if str(name).isdigit()]].to_numpy()
    assert vectors.shape == (ITEMS, 16)

    # answer for users: retrieve, filter, score, order
    towers = mm.Model.load(os.path.join(folder, "query_tower"))
    scorer = mm.Model.load(os.path.join(folder, "dlrm"))
    seen = train.to_ddf().compute().groupby("user_id")["item_id"].apply(set)
    unseen_clicks = 0.0
    for number in range(10):
        user = user_features.iloc[[number]]
        query = towers({name: user[name].to_numpy()[:, None] for name in ("user_id", "user_age")})
        order = np.argsort(-(vectors @ np.asarray(query)[0]))[: 2 * K]
        candidates = item_embeddings["item_id"].to_numpy()[order]
        bought = train.to_ddf().compute().query(f"user_id == {user['user_id'].item()} and click == 1")["item_id"]
        candidates = [item for item in candidates if item not in set(bought)][:K]
        rows = item_features.loc[candidates].reset_index(drop=True)
        batch = {name: rows[name].to_numpy()[:, None] for name in rows.columns if name in scorer.schema.column_names}
        batch |= {name: np.repeat(user[name].to_numpy()[:, None], len(rows), axis=0) for name in user.columns}
        scores = np.ravel(scorer({name: batch[name] for name in scorer.input_schema.column_names}))
        ordered = rows.iloc[np.argsort(-scores)]
        assert (np.diff(np.sort(-scores)) >= 0).all()
        group = train.to_ddf().compute().query(f"user_id == {user['user_id'].item()} and click == 1")["item_category"]
        unseen_clicks += (ordered["item_category"].head(5) == group.mode()[0]).mean() / 10
    print(f"all stages, share of the right group: {unseen_clicks:.4f}")
    assert unseen_clicks > 0.7, unseen_clicks  # 0.25 by chance: the best five are of the user's own group
