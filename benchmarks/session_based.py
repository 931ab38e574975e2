"""Next-item prediction on MovieLens 100K: a transformer beside popularity and the last item's neighbours.

    python benchmarks/session_based.py ml-100k.zip [--epochs 40]

Without a path, ml-100k.zip is read from the folder that the environment variable EMRYS_DATA names.

Every user's films in the order of rating; the last one is left out to be predicted, the one before it to choose the
epoch by, and the model is trained on the others. NDCG@10 and recall@10 over all films; and over those that the user has
not rated before, since nobody rates a film twice. Films of one user with the same time stay in the order of the file,
which is random.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.datasets import load_movielens

#: MovieLens 100K in the folder that EMRYS_DATA names, relative to the repository.
ARCHIVE = Path(__file__).resolve().parents[1] / (os.environ.get("EMRYS_DATA") or "../shared/data") / "ml-100k.zip"
LENGTH = 100
K = 10


def histories(path: str | Path) -> list[np.ndarray]:
    """The films of every user in the order of time; ids as published, from 1."""
    ratings = load_movielens(path).select(["userId", "movieId", "timestamp"]).to_pandas()
    ratings = ratings.sort_values("timestamp", kind="stable")
    return [films.to_numpy() for _, films in ratings.groupby("userId")["movieId"] if len(films) >= 5]


def ranks(scores: np.ndarray, targets: np.ndarray, seen: list[np.ndarray] | None = None) -> np.ndarray:
    """Rank of the right film: the number of others with at least its score, without those in `seen`."""
    scores = scores.astype("float64")
    scores[:, 0] = -np.inf  # id 0 is padding
    for row, films in enumerate(seen or []):
        scores[row, films] = -np.inf
    right = scores[np.arange(len(targets)), targets]
    return (scores >= right[:, None]).sum(axis=1) - 1


def ndcg(places: np.ndarray) -> float:
    """NDCG@10 with one right film a row: 1 / log2(place + 2)."""
    return float(np.where(places < K, 1 / np.log2(places + 2), 0).mean())


def popularity(train: list[np.ndarray], items: int) -> np.ndarray:
    """Number of ratings of every film."""
    return np.bincount(np.concatenate(train), minlength=items)


def together(train: list[np.ndarray], items: int) -> np.ndarray:
    """Number of users who rated both of two films."""
    rated = np.zeros((len(train), items), "float32")
    for row, films in enumerate(train):
        rated[row, films] = 1
    both = rated.T @ rated
    np.fill_diagonal(both, 0)
    return both


def following(train: list[np.ndarray], items: int) -> np.ndarray:
    """Number of times that a film was rated right after another."""
    counts = np.zeros((items, items), "float32")
    for films in train:
        np.add.at(counts, (films[:-1], films[1:]), 1)
    return counts


def ragged(rows: list[np.ndarray]) -> tf.RaggedTensor:
    """Rows of films as one tensor."""
    return tf.RaggedTensor.from_row_lengths(np.concatenate(rows).astype("int64"), [len(row) for row in rows])


def pieces(films: np.ndarray) -> list[np.ndarray]:
    """A history in pieces of at most `LENGTH`, from its end, each with the film before it."""
    ends = range(len(films), 1, -LENGTH)
    return [films[max(0, end - LENGTH - 1) : end] for end in ends]


def make_model(schema: Schema, kind: str, size: int) -> tuple[mm.Model, keras.layers.Layer, keras.layers.Layer]:
    """The model, the transform that it is trained by, and the one that it is tested by."""
    inputs = mm.InputBlockV2(schema, categorical=mm.Embeddings(schema, dim=size, sequence_combiner=None))
    options: dict[str, Any] = {"d_model": size, "n_head": 2, "n_layer": 2, "max_position_embeddings": LENGTH + 1}
    options |= {"layer_norm_eps": 1e-6, "dropout": 0.3, "initializer_range": 0.02}
    transformer: keras.layers.Layer
    if kind == "causal":
        transformer = mm.GPT2Block(**options, predicts="next")
        ahead, test = mm.SequencePredictNext(schema, "items"), mm.SequencePredictLast(schema, "items")
    else:
        transformer = mm.BertBlock(**options, predicts="masked")
        ahead, test = mm.SequenceMaskRandom(schema, "items", masking_prob=0.3), mm.SequenceMaskLast(schema, "items")
    output = mm.CategoricalOutput(inputs.select_by_name("items"), default_metrics_fn=only_ndcg)
    return mm.Model(inputs, transformer, output), ahead, test


@keras.saving.register_keras_serializable("session_based")
def only_ndcg() -> list[keras.metrics.Metric]:
    """The one metric that the epoch is chosen by."""
    return [mm.NDCGAt(K)]


def trained(kind: str, users: list[np.ndarray], items: int, epochs: int, size: int) -> mm.Model:
    """Trains a model without the last film of every user; keeps the epoch that predicts the one before it best."""
    column = mm.create_categorical_column(
        "items", items - 1, tags=[Tags.ITEM_ID, Tags.SEQUENCE], dtype="int64", min_value_count=0, max_value_count=LENGTH
    )
    model, ahead, test = make_model(Schema([column]), kind, size)
    rows = ragged([piece for films in users for piece in pieces(films[:-2]) if len(piece) > 1])
    data = tf.data.Dataset.from_tensor_slices({"items": rows}).shuffle(10_000).batch(64).cache()
    held = tf.data.Dataset.from_tensor_slices({"items": ragged([films[:-1][-LENGTH:] for films in users])}).batch(256)
    model.compile(keras.optimizers.Adam(2e-3))
    best = keras.callbacks.EarlyStopping(
        "val_ndcg_at_10", mode="max", patience=10, restore_best_weights=True, start_from_epoch=epochs // 3
    )
    model.fit(
        data.map(lambda batch: tuple(ahead(batch)[:2])),
        validation_data=held.map(lambda batch: tuple(test(batch)[:2])),
        epochs=epochs,
        callbacks=[best],
        train_metrics_steps=0,
        verbose=2,
    )
    return model


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "path", nargs="?", default=ARCHIVE, help="ml-100k.zip, or the folder in it (default: %(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--size", type=int, default=64, help="size of the vectors")
    parser.add_argument("--kinds", nargs="*", default=["causal", "masked"])
    arguments = parser.parse_args()
    keras.utils.set_random_seed(1)
    users = histories(arguments.path)
    items = max(int(films.max()) for films in users) + 1
    known, targets = [films[:-1] for films in users], np.array([films[-1] for films in users])
    last = np.array([films[-1] for films in known])
    print(f"{len(users)} users, {items - 1} films, {sum(map(len, users))} ratings")
    scores = {
        "popularity": np.tile(popularity(known, items), (len(users), 1)),
        "rated with the last film": together(known, items)[last],
        "rated right after the last film": following(known, items)[last],
    }
    for kind in arguments.kinds:
        started = time.time()
        model = trained(kind, users, items, arguments.epochs, arguments.size)
        batch = {"items": ragged([films[-LENGTH:] for films in known])}
        scores[f"transformer, {kind}"] = model.predict(batch, batch_size=256, verbose=0)
        print(f"  {kind}: {time.time() - started:.0f} s")
    print(f"\n{'':34}{'all films':^20}{'unrated films':^20}")
    print(f"{'':34}{'NDCG@10':>10}{'recall@10':>10}{'NDCG@10':>10}{'recall@10':>10}")
    for name, values in scores.items():
        every, new = ranks(values, targets), ranks(values, targets, known)
        figures = (ndcg(every), (every < K).mean(), ndcg(new), (new < K).mean())
        print(f"{name:34}" + "".join(f"{figure:10.4f}" for figure in figures))


if __name__ == "__main__":
    main()
