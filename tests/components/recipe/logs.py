"""Logs of five jobs, made with a seed, with names that no step knows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

START = 1_790_812_800  # 2026-10-01


def clicks(rows: int = 400) -> pa.Table:
    """The layout of Criteo: a label, 13 counts with blanks, 26 hashed values with blanks."""
    random = np.random.default_rng(1)
    columns = {"label": pa.array(random.integers(0, 2, rows))}
    for number in range(1, 14):
        columns[f"I{number}"] = pa.array(random.integers(0, 900, rows), mask=random.random(rows) < 0.1)
    for number in range(1, 27):
        names = np.array([f"{value:08x}" for value in random.integers(0, 2**32, 40)])
        columns[f"C{number}"] = pa.array(names[random.integers(0, 40, rows)], mask=random.random(rows) < 0.1)
    return pa.table(columns)


def reviews(rows: int = 400) -> pa.Table:
    """Implicit feedback with string ids."""
    random = np.random.default_rng(2)
    return pa.table(
        {
            "reviewerID": pa.array([f"A{code:05d}" for code in random.integers(0, 30, rows)]),
            "asin": pa.array([f"B{code:05d}" for code in random.integers(0, 60, rows)]),
            "unixReviewTime": pa.array(START + np.sort(random.integers(0, 86_400 * 50, rows))),
        }
    )


def shop(rows: int = 600) -> pa.Table:
    """A shop's events with sessions, prices and three event types; times in ms."""
    random = np.random.default_rng(3)
    sku = random.integers(0, 50, rows)
    visitor = random.integers(0, 40, rows)
    return pa.table(
        {
            "visitor": pa.array([f"v{code}" for code in visitor]),
            "session": pa.array(np.arange(rows) // 6),
            "sku": pa.array([f"sku-{code}" for code in sku]),
            "ts": pa.array((START + np.sort(random.integers(0, 86_400 * 14, rows))) * 1_000),
            "event_type": pa.array(np.array(["show", "view", "buy"])[random.choice(3, rows, p=[0.6, 0.3, 0.1])]),
            "category": pa.array([f"category {code % 7}" for code in sku]),
            "price": pa.array(np.round(5 + sku * 1.37, 2)),
            "member_since": pa.array([2000 + code % 20 for code in visitor]),
        }
    )


def houses(rows: int = 400) -> pa.Table:
    """A regression without users, items or times."""
    random = np.random.default_rng(4)
    return pa.table(
        {
            "district": pa.array([f"d{code}" for code in random.integers(0, 9, rows)]),
            "rooms": pa.array(random.integers(1, 8, rows)),
            "area": pa.array(np.round(random.uniform(20, 200, rows), 1)),
            "target": pa.array(np.round(random.lognormal(5, 0.4, rows), 2)),
        }
    )


def four_columns(rows: int = 400) -> pa.Table:
    """Four columns and nothing else."""
    random = np.random.default_rng(5)
    return pa.table(
        {
            "listener": pa.array(random.integers(0, 30, rows).astype(np.uint32)),
            "song": pa.array(random.integers(0, 50, rows).astype(np.int16)),
            "stars": pa.array(random.integers(1, 6, rows).astype(np.float64)),
            "heard_at": pa.array((START + np.sort(random.integers(0, 86_400 * 30, rows))).astype("datetime64[s]")),
        }
    )
