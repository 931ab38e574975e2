"""A small retrieval ensemble without Keras, with string ids of users and films, and the same in NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.workflow import Categorify, FillNormalize, FittedWorkflow
from emrys.components.export_retrieval.config import ExportRetrievalConfig
from emrys.components.export_retrieval.offline import OfflineRecommendations
from emrys.components.retrieval.ragged_array import RaggedArray
from emrys.components.serving.retrieval_repository import Recommender

CONFIG = ExportRetrievalConfig(
    name="words", k=4, max_batch_size=64, preferred_batch_sizes=(32,), parity_rows=40, start_timeout=90.0
)

USERS = ["ann", "bob", "cid"]  # ids 3, 4, 5
FILMS = [f"film {letter}" for letter in "abcdefgh"]  # ids 3 to 10
#: Film c has no positive interaction and is not in the catalogue.
CATALOGUE = [film for film in FILMS if film != "film c"]
IDS = [3 + FILMS.index(film) for film in CATALOGUE]
#: Bob has seen the whole catalogue but film h.
SEEN = {"ann": ["film a", "film d"], "bob": CATALOGUE[:-1]}

_RANDOM = np.random.default_rng(3)
USER = _RANDOM.normal(size=(6, 5)).astype(np.float32)
HISTORY = _RANDOM.normal(size=(11, 5)).astype(np.float32)
AGE = _RANDOM.normal(size=5).astype(np.float32)
ITEMS = _RANDOM.normal(size=(len(CATALOGUE), 5)).astype(np.float32)

SCHEMA = pa.schema({"user": pa.string(), "age": pa.float32(), "history": pa.list_(pa.string()), "film": pa.string()})


def row(user: str | None, history: list[str] | None = None, age: float | None = 30.0) -> dict[str, Any]:
    return {"user": user, "age": age, "history": history or [], "film": "film a"}


#: Users who have seen some items, all items but one, no items, and unknown users, with and without a history.
ROWS = [
    row("ann"),
    row("bob"),
    row("cid", ["film h"]),
    row("dan", ["film a", "film b", "film c", "film zzz"]),
    row(None, age=None),
]


def make_workflow() -> FittedWorkflow:
    users = pa.table({"value": USERS, "count": [5, 3, 2]})
    films = pa.table({"value": FILMS, "count": list(range(9, 1, -1))})
    return FittedWorkflow(
        [
            Categorify("user", "string", users),
            FillNormalize("age", fill=30.0, mean=25.0, std=10.0),
            Categorify("history", "string", films, is_list=True, ids_of="film"),
            Categorify("film", "string", films),
        ],
        targets=("liked",),
    )


QUERY = ["user", "age", "history"]


class Tower(tf.Module):
    """The user's vector, age times a vector, and the vectors of the history."""

    def __init__(self) -> None:
        super().__init__()
        self.user, self.age, self.history = (tf.Variable(values) for values in (USER, AGE, HISTORY))

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, 1), tf.int64, name="user"),
            tf.TensorSpec((None, 1), tf.float32, name="age"),
            tf.TensorSpec((None,), tf.int64, name="history__values"),
            tf.TensorSpec((None,), tf.int32, name="history__offsets"),
        ]
    )
    def serve(self, user, age, history__values, history__offsets):
        history = tf.RaggedTensor.from_row_splits(tf.gather(self.history, history__values), history__offsets)
        return {"vectors": tf.gather(self.user, user[:, 0]) + age * self.age + tf.reduce_sum(history, axis=1)}


def make_recommender(folder: Path, items: np.ndarray = ITEMS, seen: dict[str, list[str]] | None = None) -> Recommender:
    """Saves the tower into a folder and returns the recommender."""
    tower = Tower()
    tf.saved_model.save(tower, str(folder / "tower"), signatures={"serving_default": tower.serve})
    known = SEEN if seen is None else seen
    lists = [[3 + FILMS.index(film) for film in films] for films in known.values()]
    return Recommender(
        tower=folder / "tower",
        index=mm.BruteForce(k=CONFIG.k).index(items, np.array(IDS)),
        items=pa.table({"id": pa.array(IDS, pa.int64()), "key": CATALOGUE}),
        seen=mm.SeenItems(
            pa.table({"user": pa.array(list(known), pa.string()), "film": pa.array(lists, pa.list_(pa.int64()))})
        ),
        user="user",
        histories={"history": "history"},
    )


def raw_table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def held_out(count: int = 40) -> pa.Table:
    random = np.random.default_rng(1)
    films = [*FILMS, "film zzz"]
    return raw_table(
        [
            row(
                ["ann", "bob", "cid", "dan", None][random.integers(5)],
                [films[number] for number in random.integers(0, 9, random.integers(0, 4))],
                float(random.integers(18, 80)),
            )
            for _ in range(count)
        ]
    )


def expected_lists(rows: list[dict[str, Any]], items: np.ndarray = ITEMS) -> list[list[tuple[str, float]]]:
    """The expected items of each row, by a loop over rows and films."""
    lists = []
    for one in rows:
        user = 3 + USERS.index(one["user"]) if one["user"] in USERS else 1 if not one["user"] else 2
        age = 30.0 if one["age"] is None or np.isnan(one["age"]) else one["age"]
        vector = USER[user] + (age - 25.0) / 10.0 * AGE
        history = [film for film in one["history"] or [] if film]
        for film in history:
            vector = vector + HISTORY[3 + FILMS.index(film) if film in FILMS else 2]
        had = {*SEEN.get(one["user"] or "", []), *history}
        scored = [(film, float(vector @ item)) for film, item in zip(CATALOGUE, items, strict=True) if film not in had]
        lists.append(sorted(scored, key=lambda pair: -pair[1])[: CONFIG.k])
    return lists


def offline_recommend(rows: pa.Table, transformed: pa.Table) -> OfflineRecommendations:
    """The expected items as the offline path returns them."""
    lists = expected_lists(rows.to_pylist())
    indices = np.full((len(lists), CONFIG.k), -1)
    scores = np.full((len(lists), CONFIG.k), -np.inf, np.float32)
    for number, recommended in enumerate(lists):
        indices[number, : len(recommended)] = [CATALOGUE.index(film) for film, _ in recommended]
        scores[number, : len(recommended)] = [score for _, score in recommended]
    seen = [
        sorted({*SEEN.get(one["user"] or "", []), *(one["history"] or [])} & set(CATALOGUE)) for one in rows.to_pylist()
    ]
    numbers = np.repeat(np.arange(len(seen)), [len(films) for films in seen])
    return OfflineRecommendations(
        indices,
        scores,
        RaggedArray.of(numbers, np.array([CATALOGUE.index(f) for films in seen for f in films], int), len(seen)),
    )
