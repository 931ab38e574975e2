"""NDCG@10 and Recall@50 of the retrieval models on MovieLens 100K, over the whole catalogue.

    python benchmarks/quality_retrieval.py ml-100k.zip

Without a path, ml-100k.zip is read from the folder that the environment variable EMRYS_DATA names.

Trained on the ratings above 3 among the first 80 % of each user's, in time; evaluated on those among the rest, over all
1,682 movies without those that the user has rated in the first part. Prints a row for each model and seed, and the mean
over the seeds. Takes a quarter of an hour on two busy cores.

With `--valid`, the last fifth of the training part takes the place of the test part: settings are compared so without
looking at the ratings that the table is about.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.datasets import load_movielens

#: MovieLens 100K in the folder that EMRYS_DATA names, relative to the repository.
ARCHIVE = Path(__file__).resolve().parents[1] / (os.environ.get("EMRYS_DATA") or "../shared/data") / "ml-100k.zip"
POSITIVE, SHARE = 3, 0.8
METRICS = {"NDCG@10": "ndcg_at_10", "Recall@50": "recall_at_50"}


@dataclasses.dataclass(frozen=True)
class Split:
    """The rows to train on and the items to find."""

    schema: Schema
    train: pd.DataFrame  #: A row for each positive: user and item, with their features.
    users: pd.DataFrame  #: A row for each user: the id, its features, `history`, the positives.
    items: pd.DataFrame  #: A row for each item.
    seen: mm.SeenItems
    right: pd.Series  #: Lists of the positives to find, by user.


def schema() -> Schema:
    """The columns of users, of items, and the history."""
    ids = {"user_id": (943, Tags.USER), "item_id": (1682, Tags.ITEM)}
    columns = [
        mm.create_categorical_column(name, number, tags=[tag, getattr(Tags, name.upper())], dtype="int64")
        for name, (number, tag) in ids.items()
    ]
    history = mm.create_categorical_column(
        "history", 1682, domain_name="item_id", tags=[Tags.USER, Tags.SEQUENCE], dtype="int64", min_value_count=0
    )
    return Schema([*columns, history])


def split(log: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first 80 % of each user's rows, in time, and the rest; rows of one moment in the order of the items."""
    log = log.sort_values(["user_id", "timestamp", "item_id"])
    place = log.groupby("user_id").cumcount()
    first = place < np.ceil(SHARE * log.groupby("user_id")["user_id"].transform("size"))
    return log[first], log[~first]


def prepared(path: str | Path, valid: bool) -> Split:
    """Reads and splits the ratings."""
    log = load_movielens(path).select(["userId", "movieId", "rating", "timestamp"]).to_pandas()
    log = log.rename(columns={"userId": "user_id", "movieId": "item_id"})
    first, rest = split(log)
    if valid:
        first, rest = split(first)
    train = first[first.rating > POSITIVE][["user_id", "item_id"]]
    history = train.groupby("user_id")["item_id"].apply(list).rename("history")
    right = rest[rest.rating > POSITIVE].groupby("user_id")["item_id"].apply(list)
    return Split(
        schema=schema(),
        train=train.merge(history, on="user_id"),
        users=history.reset_index(),
        items=pd.DataFrame({"item_id": np.arange(1, 1683)}),
        seen=mm.SeenItems.from_interactions(first),
        right=right,
    )


def evaluate(encoder: mm.TopKEncoder, data: Split) -> dict[str, float]:
    """NDCG@10 and Recall@50 of the users who have positives to find."""
    users = data.right.index
    rows = data.users.set_index("user_id").reindex(users).reset_index()
    lists = [found if isinstance(found, list) else [] for found in rows.history]
    features = {
        "user_id": tf.constant(users.to_numpy()[:, None]),
        "history": tf.ragged.constant(lists, dtype=tf.int64),
    }
    most = max(map(len, data.right))
    right = np.array([[*items, *[-1] * (most - len(items))] for items in data.right])
    encoder.compile(metrics=[mm.NDCGAt(10), mm.RecallAt(50)])
    batches = tf.data.Dataset.from_tensor_slices((features, right)).batch(256)
    found = encoder.evaluate(batches, seen_items=data.seen, verbose=0, return_dict=True)
    return {name: found[key] for name, key in METRICS.items()}


class Ones(mm.Block):
    """A query of 1, whatever the user."""

    def call(self, inputs: Any) -> Any:
        """Gives (B, 1)."""
        return tf.ones((tf.shape(inputs["user_id"])[0], 1))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(B, 1)."""
        return (input_shape["user_id"][0], 1)


def popularity(data: Split) -> dict[str, float]:
    """Metrics of the most popular items as answers."""
    counts = data.train.item_id.value_counts().reindex(data.items.item_id, fill_value=0)
    return evaluate(mm.TopKEncoder(Ones(), candidates=counts.to_frame("0").astype("float32"), k=50), data)


def fit(model: mm.Model, frame: pd.DataFrame, columns: Schema, seed: int, **options: Any) -> None:
    """Trains on the rows of a frame."""
    loader = mm.Loader(
        Dataset(frame[columns.column_names], schema=columns),
        options.pop("batch_size"),
        seed_fn=lambda: seed,
    )
    model.fit(loader, train_metrics_steps=0, verbose=0, **options)


def matrix_factorization(data: Split, seed: int, epochs: int = 16) -> mm.RetrievalModelV2:
    """Ids alone, against the other items of the batch."""
    columns = data.schema.select_by_name(["user_id", "item_id"])
    model = mm.MatrixFactorizationModelV2(columns, dim=128, embeddings_l2_batch_regularization=3e-5)
    model.compile(keras.optimizers.Adam(3e-3))
    fit(model, data.train, columns, seed, batch_size=1024, epochs=epochs)
    return model


def two_tower(data: Split, seed: int, epochs: int = 12) -> mm.RetrievalModelV2:
    """The id and the history of the user, the id of the item."""
    columns = data.schema
    dropped = mm.MapValues(keras.layers.Dropout(0.3))
    user = mm.Embeddings(columns.select_by_tag(Tags.USER), dim=64, post=dropped)
    model = mm.TwoTowerModelV2(
        mm.Encoder(mm.InputBlockV2(categorical=user), mm.MLPBlock([64], activation="linear")),
        mm.Encoder(columns.select_by_name("item_id"), mm.MLPBlock([64], activation="linear")),
    )
    model.compile(keras.optimizers.Adam(3e-3))
    fit(model, data.train, columns, seed, batch_size=1024, epochs=epochs)
    return model


def youtube_dnn(data: Split, seed: int, epochs: int = 100) -> mm.RetrievalModelV2:
    """The history alone, against all items."""
    history = data.schema.select_by_name("history")
    model = mm.YoutubeDNNRetrievalModelV2(
        history,
        inputs=mm.InputBlockV2(history, categorical=mm.Embeddings(history, dim=64)),
        top_block=mm.NoOp(),
        outputs=mm.CategoricalOutput(mm.EmbeddingTable(64, data.schema["item_id"], name="candidates")),
    )
    model.compile(keras.optimizers.Adam(6e-3))
    hold_out = mm.HoldOutItems(history, "history", target="item_id")
    fit(model, data.users, history, seed, batch_size=100, epochs=epochs, pre=hold_out)
    return model


MODELS: dict[str, Callable[[Split, int], mm.RetrievalModelV2]] = {
    "MatrixFactorization": matrix_factorization,
    "TwoTower": two_tower,
    "YoutubeDNN": youtube_dnn,
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "path", nargs="?", default=ARCHIVE, help="ml-100k.zip, or the folder in it (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0 (default: 3)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--valid", action="store_true", help="evaluate on the last fifth of the training part")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    data = prepared(arguments.path, arguments.valid)
    print(f"{len(data.train)} positives to train on, {len(data.right)} users to evaluate on", flush=True)
    print(f"{'model':<20} {'seed':>4} {'NDCG@10':>8} {'Recall@50':>9} {'seconds':>7}", flush=True)
    print(_row("popularity", "", popularity(data)), flush=True)
    for name in arguments.models:
        found = []
        for seed in range(arguments.seeds):
            start = time.perf_counter()
            keras.utils.set_random_seed(seed)
            model = MODELS[name](data, seed)
            items = Dataset(data.items, schema=data.schema.select_by_name("item_id"))
            found.append(evaluate(model.to_top_k_encoder(items, k=50), data))
            print(_row(name, str(seed), found[-1], time.perf_counter() - start), flush=True)
        print(_row(name, "mean", {key: float(np.mean([each[key] for each in found])) for key in METRICS}), flush=True)


def _row(name: str, seed: str, found: dict[str, float], seconds: float | None = None) -> str:
    took = "" if seconds is None else f"{seconds:>7.0f}"
    return f"{name:<20} {seed:>4} {found['NDCG@10']:>8.4f} {found['Recall@50']:>9.4f} {took}"


if __name__ == "__main__":
    main()
