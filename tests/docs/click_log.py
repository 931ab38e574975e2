"""The log of docs/your-data.md: articles that were shown to readers, and whether they clicked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

#: 2025-09-01, in seconds since 1970.
_START = 1_756_684_800
_DAYS = 30


def write_click_log(path: Path, rows: int = 20_000, seed: int = 3) -> None:
    """Writes the log as CSV.

    Readers like some sections more than others, articles differ in how often they are clicked, and telephones are
    clicked on more. Some devices and lengths are blank.

    Args:
        path: The file.
        rows: Number of rows. Default: 20,000.
        seed: Seed of the random numbers. Default: 3.
    """
    random = np.random.default_rng(seed)
    readers, articles = rows // 50, rows // 100
    sections = np.array(["culture", "politics", "science", "sports", "travel"])
    reader, article = random.integers(0, readers, rows), random.integers(0, articles, rows)
    section, device = random.integers(0, len(sections), articles), random.integers(0, 3, rows)
    taste = random.normal(0, 1.5, (readers, len(sections)))[reader, section[article]]
    logit = taste + random.normal(0, 1.0, articles)[article] + np.array([0.8, 0.0, -0.4])[device] - 0.8
    clicked = random.random(rows) < 1 / (1 + np.exp(-logit))
    words = random.integers(150, 2_500, articles)[article]
    table = {
        "reader_id": pa.array([f"r{code:04d}" for code in reader]),
        "article_id": pa.array(article + 100_000),
        "shown_at": pa.array(_START + np.sort(random.integers(0, _DAYS * 86_400, rows)), pa.timestamp("s")),
        "device": pa.array(np.array(["phone", "tablet", "desktop"])[device], mask=random.random(rows) < 0.05),
        "section": pa.array(sections[section[article]]),
        "words": pa.array(words, mask=random.random(rows) < 0.03),
        "clicked": pa.array(clicked.astype(np.int8)),
    }
    pyarrow.csv.write_csv(pa.table(table), path, pyarrow.csv.WriteOptions(quoting_style="needed"))
