"""Finds the real data sets that tests read.

Their licences keep them out of the repository. `EMRYS_DATA` names the folder that holds them, absolute or relative to
the repository; by default `../shared/data`. A test that needs one is skipped where it is absent:

    def test_the_real_100k():
        table = load_movielens(real_data.path("ml-100k.zip"))

No other test file may read outside of the repository: `test_self_contained.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "EMRYS_DATA"
DEFAULT = "../shared/data"

_ROOT = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """The folder of the real data sets, whether it exists or not."""
    return Path(os.path.abspath(_ROOT / (os.environ.get(VARIABLE) or DEFAULT)))


def find(name: str) -> Path | None:
    """The path of a data set, such as `ml-100k.zip`; None where it is absent."""
    path = folder() / name
    return path if path.exists() else None


def path(name: str) -> Path:
    """The path of a data set; skips the test where it is absent."""
    found = find(name)
    if found is None:
        pytest.skip(f"{name} is not in {folder()}: set {VARIABLE} to the folder that holds it")
    return found
