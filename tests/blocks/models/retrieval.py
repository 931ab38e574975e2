"""A small log of users and items, as the golden cases describe it, and models of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import Schema, Tags

import emrys.blocks as mm

SCHEMA = Schema(
    [
        mm.create_categorical_column("user_id", 9, tags=[Tags.USER_ID, Tags.USER], dtype="int64"),
        mm.create_categorical_column("user_country", 4, tags=[Tags.USER], dtype="int64"),
        mm.create_continuous_column("user_age", tags=[Tags.USER]),
        mm.create_categorical_column("item_id", 19, tags=[Tags.ITEM_ID, Tags.ITEM], dtype="int64"),
        mm.create_categorical_column("item_category", 6, tags=[Tags.ITEM], dtype="int64"),
        mm.create_continuous_column("item_price", tags=[Tags.ITEM]),
    ]
)
USERS, ITEMS = SCHEMA.select_by_tag(Tags.USER), SCHEMA.select_by_tag(Tags.ITEM)

HISTORY = Schema(
    [
        mm.create_categorical_column(
            name, number, tags=[*tags, Tags.ITEM, Tags.SEQUENCE], dtype="int64", min_value_count=1, max_value_count=4
        )
        for name, number, tags in (("item_id_seq", 19, [Tags.ITEM_ID]), ("cat_seq", 6, []))
    ]
    + [mm.create_categorical_column("user_country", 4, tags=[Tags.USER], dtype="int64")]
)


def log(rows: int = 24) -> Dataset:
    """Rows of `SCHEMA`; the features of an item are the same in all of its rows."""
    draw = np.random.default_rng(0)
    items = draw.integers(1, 20, rows)
    frame = pd.DataFrame(
        {
            "user_id": draw.integers(0, 10, rows),
            "user_country": draw.integers(0, 5, rows),
            "user_age": draw.random(rows).astype("float32"),
            "item_id": items,
            "item_category": items % 7,
            "item_price": (items / 20).astype("float32"),
        }
    )
    return Dataset(frame, schema=SCHEMA)


def catalogue() -> Dataset:
    """All 19 items, with the features that they have in the log."""
    items = np.arange(1, 20)
    frame = pd.DataFrame({"item_id": items, "item_category": items % 7, "item_price": (items / 20).astype("float32")})
    return Dataset(frame, schema=ITEMS)


def histories(rows: int = 24) -> Dataset:
    """Rows of `HISTORY`, with lists of 2 to 4."""
    draw = np.random.default_rng(1)
    sizes = draw.integers(2, 5, rows)
    frame = pd.DataFrame(
        {
            "item_id_seq": [draw.integers(0, 20, size).tolist() for size in sizes],
            "cat_seq": [draw.integers(0, 7, size).tolist() for size in sizes],
            "user_country": draw.integers(0, 5, rows),
        }
    )
    return Dataset(frame, schema=HISTORY)


def first(data: Dataset, rows: int = 4) -> dict[str, tf.Tensor]:
    """The features of the first rows."""
    return next(iter(mm.Loader(data, rows, shuffle=False)))[0]


def two_tower(**kwargs: object) -> mm.RetrievalModelV2:
    """A two-tower model of `SCHEMA`."""
    return mm.TwoTowerModelV2(mm.Encoder(USERS, mm.MLPBlock([4])), mm.Encoder(ITEMS, mm.MLPBlock([4])), **kwargs)
