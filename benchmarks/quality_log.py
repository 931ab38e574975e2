"""A made click log whose best reachable AUC is known.

A row's chance of a click is the sigmoid of

    biases of user, item, device and hour + u · v + 0.8 price · age - 0.4 price - 1

where `u` and `v` are hidden vectors of 4 values. No model can rank rows better than their chances do, so that the AUC
of the chances is the best reachable one. A logistic regression knows the biases and the linear effects alone.

Used by `benchmarks/quality_defaults.py`; runs in the environment of released Merlin Models too, and imports no part of
this project.
"""

from pathlib import Path

import numpy as np
import pandas as pd

USERS, ITEMS, DEVICES, HOURS = 1_000, 500, 6, 24
#: Number of the ids of each column, 0 (unknown) included.
CARDINALITIES = {"user_id": USERS + 1, "item_id": ITEMS + 1, "device": DEVICES + 1, "hour": HOURS + 1}
HIDDEN = 4


def write_log(folder: Path, rows: int, test_rows: int, seed: int = 0) -> None:
    """Writes `train.parquet` and `test.parquet`; the test rows have their `chance` too, which no model is given.

    Columns: `user_id`, `item_id`, `device`, `hour` int64, from 1; `price`, `age` float32; `click` int64, 0 or 1.
    """
    random = np.random.default_rng(seed)
    biases = {name: random.normal(0, 0.5, size) for name, size in CARDINALITIES.items()}
    user_vectors = random.normal(0.2, 0.8, (USERS + 1, HIDDEN))
    item_vectors = random.normal(0.2, 0.8, (ITEMS + 1, HIDDEN))
    popularity = 1 / np.arange(1, ITEMS + 1) ** 0.7
    for name, count in (("train", rows), ("test", test_rows)):
        columns = {
            "user_id": random.integers(1, USERS + 1, count),
            "item_id": 1 + random.choice(ITEMS, count, p=popularity / popularity.sum()),
            "device": random.integers(1, DEVICES + 1, count),
            "hour": random.integers(1, HOURS + 1, count),
        }
        price, age = random.normal(size=(2, count))
        logit = sum(biases[name][ids] for name, ids in columns.items()) - 1
        logit += np.einsum("nd,nd->n", user_vectors[columns["user_id"]], item_vectors[columns["item_id"]])
        logit += 0.8 * price * age - 0.4 * price
        chance = 1 / (1 + np.exp(-logit))
        frame = pd.DataFrame({key: ids.astype("int64") for key, ids in columns.items()})
        frame["price"], frame["age"] = price.astype("float32"), age.astype("float32")
        frame["click"] = (random.random(count) < chance).astype("int64")
        if name == "test":
            frame["chance"] = chance
        frame.to_parquet(folder / f"{name}.parquet", index=False)
