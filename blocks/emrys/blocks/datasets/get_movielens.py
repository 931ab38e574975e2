"""MovieLens with features, for training of ranking models."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from emrys.blocks.datasets.movielens import load_movielens
from emrys.blocks.datasets.movielens_archive import ARCHIVES, fetch_movielens
from emrys.blocks.datasets.rating_features import RatingFeatures
from emrys.blocks.errors import ConfigError

if TYPE_CHECKING:  # Merlin imports TensorFlow if it is installed
    from merlin.io import Dataset

_VALID_FRACTION = 0.2


def get_movielens(
    variant: str = "ml-100k", path: str | os.PathLike[str] | None = None, *, seed: int = 42
) -> tuple[Dataset, Dataset]:
    """Reads MovieLens, splits it at random (80 % train, 20 % valid), and computes the features of `RatingFeatures`.

    Args:
        variant: `ml-100k` or `ml-1m`.
        path: The zip archive or the extracted folder. Default: downloaded from GroupLens into the cache folder, see
            `fetch_movielens`.
        seed: Seed of the split and of the folds of the target encodings. Default: 42.

    Returns:
        The train and the valid split: userId, movieId, title, genres (a list), gender, age, occupation, zipcode, the
        target encodings `TE_age_rating`, `TE_gender_rating`, `TE_occupation_rating`, `TE_zipcode_rating`,
        `TE_movieId_rating`, `TE_userId_rating`, and the targets `rating_binary` (rating > 3) and `rating`; with their
        schema.

    Raises:
        ConfigError: if the variant is unknown.
        DataError: if the data at `path` is damaged or not MovieLens.
        EmrysError: if the download fails.

    Example:
        >>> train, valid = get_movielens("ml-100k", path="ml-100k.zip")  # doctest: +SKIP
        >>> train.num_rows, valid.num_rows  # doctest: +SKIP
        (80000, 20000)
    """
    if variant not in ARCHIVES:
        raise ConfigError("unknown MovieLens data set", expected=" or ".join(ARCHIVES), got=repr(variant))
    table = load_movielens(fetch_movielens(variant) if path is None else path)
    order = np.random.default_rng(seed).permutation(table.num_rows)
    size = round(table.num_rows * _VALID_FRACTION)
    train, valid = (table.take(pa.array(np.sort(rows))) for rows in (order[size:], order[:size]))
    features = RatingFeatures(train, seed=seed)
    return features.train(), features.transform(valid)
