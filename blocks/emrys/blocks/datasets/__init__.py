"""Data sets: MovieLens, a synthetic rating log of the same shape with a known best AUC, and random rows for a schema.

Rating logs are Arrow tables with the columns of `LOG_SCHEMA`, one row per rating. `get_movielens` computes features for
training from them; `synthetic` samples rows for any schema.
"""

from emrys.blocks.datasets.get_movielens import get_movielens
from emrys.blocks.datasets.log_schema import LOG_SCHEMA, REQUIRED_COLUMNS
from emrys.blocks.datasets.movielens import load_movielens
from emrys.blocks.datasets.movielens_archive import fetch_movielens
from emrys.blocks.datasets.movielens_like import MovieLensLike, movielens_like
from emrys.blocks.datasets.rating_features import RatingFeatures
from emrys.blocks.datasets.synthetic import synthetic

__all__ = [
    "LOG_SCHEMA",
    "REQUIRED_COLUMNS",
    "MovieLensLike",
    "RatingFeatures",
    "fetch_movielens",
    "get_movielens",
    "load_movielens",
    "movielens_like",
    "synthetic",
]
