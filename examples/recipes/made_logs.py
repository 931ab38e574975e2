"""Logs to try the recipes of this folder on, made with a seed; each has something to learn.

`python examples/recipes/made_logs.py CASE FOLDER [--rows N] [--seed N]` writes the files that the case's recipes read.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

Random = np.random.Generator
Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

DAY = 86_400
#: 2026-01-01, in seconds since 1970.
START = 1_767_225_600


def clicks(folder: Path, rows: int, random: Random) -> None:
    """A click log in the layout of Criteo: a label, 13 counts and 26 hashed values, all with blanks.

    The label depends on the values of seven columns, on a pair of them together, and on three counts.
    """
    logit = np.full(rows, -1.0)
    columns: dict[str, pa.Array] = {}
    for number in range(1, 14):
        counts = np.floor(random.lognormal(1.5, 1.2, rows))
        if number <= 3:
            logit += 0.35 * (np.log1p(counts) - 1.6)
        blank = random.random(rows) < 0.05 * (number % 5)
        columns[f"I{number}"] = pa.array(counts, mask=blank)
    pair = np.zeros(rows, np.int64)
    for number in range(1, 27):
        size = (20, 50, 200, 1_000, 5_000)[number % 5]
        codes = _popular(random, size, rows)
        if size <= 200 and number <= 11:
            logit += random.normal(0, 0.5, size)[codes]
        if number in (7, 8):
            pair = pair * 7 + codes % 7
        hashed = np.array([f"{value:08x}" for value in random.integers(0, 2**32, size)])[codes]
        blank = random.random(rows) < 0.08 * (number % 4)
        columns[f"C{number}"] = pa.array(hashed, mask=blank)
    logit += random.normal(0, 0.8, 49)[pair]
    label = pa.array(_drawn(random, logit).astype(np.int8))
    _csv(pa.table({"label": label, **columns}), folder / "clicks.csv")


def reviews(folder: Path, rows: int, random: Random) -> None:
    """Implicit feedback with string ids: who bought what and when, and nothing else.

    Every user likes one of twelve groups of items, and the group's items follow each other in a fixed order.
    """
    users, items, groups = max(50, rows // 20), max(60, min(1_200, rows // 40)), 12
    user = random.integers(0, users, rows)
    time = np.sort(START + random.integers(0, 60 * DAY, rows))
    likes = random.integers(0, groups, users)
    group = np.where(random.random(rows) < 0.85, likes[user], random.integers(0, groups, rows))
    per_group = items // groups
    item = np.empty(rows, np.int64)
    last = _popular(random, per_group, users)
    for row in range(rows):  # each purchase goes on from the last one, most of the time
        step = 1 if random.random() < 0.7 else int(random.integers(1, per_group))
        last[user[row]] = (last[user[row]] + step) % per_group
        item[row] = group[row] * per_group + last[user[row]]
    table = {
        "reviewerID": pa.array([f"A{code:07X}" for code in user]),
        "asin": pa.array([f"B{code:06d}" for code in item]),
        "unixReviewTime": pa.array(time),
    }
    _csv(pa.table(table), folder / "reviews.csv")


def shop(folder: Path, rows: int, random: Random) -> None:
    """A shop's events, one folder per day: visitors, sessions, three types of events; items in a file of their own.

    A visitor has a taste for some categories and a limit to what they spend; a purchase needs a click.
    """
    visitors, skus, categories = max(40, rows // 300), max(50, min(800, rows // 200)), 6
    category = random.integers(0, categories, skus)
    price = np.round(random.lognormal(3, 0.7, skus), 2)
    taste = random.normal(0, 1.5, (visitors, categories))
    budget = random.lognormal(3.2, 0.5, visitors)
    length = 6
    sessions = rows // length + 1
    visitor = np.repeat(random.integers(0, visitors, sessions), length)[:rows]
    session = np.repeat(np.arange(sessions), length)[:rows]
    begin = np.sort(random.integers(0, 14 * DAY, sessions))
    time = np.repeat(begin, length)[:rows] + np.tile(np.arange(length) * 40, sessions)[:rows]
    first = np.repeat(random.integers(0, skus, sessions), length)[:rows]
    walk = np.where(
        random.random(rows) < 0.75, np.tile(np.arange(length), sessions)[:rows] * 3, random.integers(0, skus, rows)
    )
    sku = (first + walk) % skus
    affinity = taste[visitor, category[sku]]
    clicked = _drawn(random, affinity - 0.3)
    bought = clicked & _drawn(random, 1.2 * affinity + 2.0 * np.log(budget[visitor] / price[sku]) - 1.0)
    event = np.where(bought, "buy", np.where(clicked, "view", "impression"))
    table = pa.table(
        {
            "visitor": pa.array([f"v{code}" for code in visitor]),
            "session": pa.array([f"s{code}" for code in session]),
            "sku": pa.array([f"sku-{code}" for code in sku]),
            "ts": pa.array((START + time) * 1_000),
            "event_type": pa.array(event),
        }
    )
    _by_day(table, time // DAY, folder / "events", "dt")
    catalogue = {
        "sku": pa.array([f"sku-{code}" for code in range(skus)]),
        "category": pa.array([f"category {code}" for code in category]),
        "price": pa.array(price),
    }
    pq.write_table(pa.table(catalogue), folder / "items.parquet")


def ratings(folder: Path, rows: int, random: Random) -> None:
    """Ratings from 1 to 5 of people and things, with a weight for each row and three vectors' worth of taste."""
    readers, books, size = max(60, rows // 60), max(40, rows // 120), 3
    reader, book = random.integers(0, readers, rows), _popular(random, books, rows)
    vectors = random.normal(0, 1, (books, size))
    score = 3.2 + (random.normal(0, 0.7, (readers, size))[reader] * vectors[book]).sum(1)
    score += random.normal(0, 0.4, readers)[reader] + random.normal(0, 0.4, books)[book] + random.normal(0, 0.5, rows)
    table = {
        "reader": pa.array([f"reader {code}" for code in reader]),
        "book": pa.array(book + 9_000_000_000),
        "when": pa.array((START + np.sort(random.integers(0, 90 * DAY, rows))), pa.timestamp("s")),
        "stars": pa.array(np.clip(np.round(score), 1, 5).astype(np.int64)),
        "trust": pa.array(random.choice([0.5, 1.0, 2.0], rows)),
        "pages": pa.array((100 + 40 * (book % 12)).astype(np.float64), mask=random.random(rows) < 0.03),
    }
    pq.write_table(pa.table(table), folder / "ratings.parquet")
    noisy = vectors + random.normal(0, 0.1, vectors.shape)
    table = {
        "book": pa.array(np.arange(books) + 9_000_000_000),
        "vector": pa.array(list(noisy.astype(np.float32)), pa.list_(pa.float32(), size)),
    }
    pq.write_table(pa.table(table), folder / "vectors.parquet")


def days(folder: Path, rows: int, random: Random) -> None:
    """Plays of songs, one folder per day: one of the days is empty, and the device is known from the fifth on."""
    listeners, songs = max(50, rows // 40), max(40, rows // 100)
    listener, song = random.integers(0, listeners, rows), _popular(random, songs, rows)
    device = random.integers(0, 3, rows)
    time = np.sort(random.integers(0, 8 * DAY, rows))
    taste = (random.normal(0, 1, (listeners, 4))[listener] * random.normal(0, 1, (songs, 4))[song]).sum(1)
    table = pa.table(
        {
            "listener": pa.array(listener.astype(np.uint32)),
            "song": pa.array(song.astype(np.int32)),
            "started": pa.array(START + time, pa.timestamp("s")).cast(pa.timestamp("us")),
            "finished": pa.array(_drawn(random, 1.2 * taste + 0.5 * (device - 1))),
            "device": pa.array(np.array(["phone", "car", "speaker"])[device]),
        }
    )
    day = time // DAY
    _by_day(
        table.filter(pa.array((day != 3) & (day < 4))).drop_columns(["device"]),
        day[(day != 3) & (day < 4)],
        folder / "plays",
        "day",
    )
    _by_day(table.filter(pa.array(day >= 4)), day[day >= 4], folder / "plays", "day")
    _by_day(table.slice(0, 0), np.zeros(0, np.int64), folder / "plays", "day", empty=3)


def four_columns(folder: Path, rows: int, random: Random) -> None:
    """Four columns and nothing else: `userId, movieId, rating, timestamp`."""
    users, movies = max(50, rows // 50), max(40, rows // 100)
    user, movie = random.integers(0, users, rows), _popular(random, movies, rows)
    score = 3.3 + (random.normal(0, 0.7, (users, 3))[user] * random.normal(0, 1, (movies, 3))[movie]).sum(1)
    score += random.normal(0, 0.5, movies)[movie] + random.normal(0, 0.4, rows)
    table = {
        "userId": pa.array(user),
        "movieId": pa.array(movie),
        "rating": pa.array(np.clip(np.round(2 * score) / 2, 0.5, 5)),
        "timestamp": pa.array(np.sort(START + random.integers(0, 90 * DAY, rows))),
    }
    _csv(pa.table(table), folder / "ratings.csv")


#: The maker of each case.
CASES: dict[str, Callable[[Path, int, Random], None]] = {
    "clicks": clicks,
    "reviews": reviews,
    "shop": shop,
    "ratings": ratings,
    "days": days,
    "four_columns": four_columns,
}


def make(case: str, folder: Path, rows: int, seed: int = 1) -> None:
    """Writes the files of a case into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    CASES[case](folder, rows, np.random.default_rng(seed))


def _popular(random: Random, size: int, rows: int) -> Codes:
    """Codes from 0 of which some are frequent and most are rare."""
    weights = 1 / np.arange(1, size + 1) ** 0.7
    return random.choice(size, rows, p=weights / weights.sum())


def _drawn(random: Random, logit: Numbers) -> npt.NDArray[np.bool_]:
    return random.random(len(logit)) < 1 / (1 + np.exp(-logit))


def _csv(table: pa.Table, path: Path) -> None:
    pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(quoting_style="needed"))


def _by_day(table: pa.Table, day: Codes, folder: Path, name: str, empty: int | None = None) -> None:
    for number in np.unique(day) if empty is None else [empty]:
        part = folder / f"{name}={np.datetime64(START, 's').astype('datetime64[D]') + int(number)}"
        part.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.filter(pa.array(day == number)), part / "part-0.parquet")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    make(arguments.case, arguments.folder, arguments.rows, arguments.seed)
