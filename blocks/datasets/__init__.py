"""Data sets: MovieLens as published, and a seeded log of the same shape whose best reachable AUC is known.

All of them come as one Arrow table with the columns of `LOG_SCHEMA`, one row per rating.
"""

from blocks.datasets.log_schema import LOG_SCHEMA, REQUIRED_COLUMNS
from blocks.datasets.movielens import load_movielens
from blocks.datasets.movielens_archive import fetch_movielens
from blocks.datasets.movielens_like import MovieLensLike, movielens_like

__all__ = [
    "LOG_SCHEMA",
    "REQUIRED_COLUMNS",
    "MovieLensLike",
    "fetch_movielens",
    "load_movielens",
    "movielens_like",
]
