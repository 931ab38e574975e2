"""Ids and vectors of candidates, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emrys.blocks.errors import ConfigError


def ids_and_vectors(data: Any, check_unique_ids: bool = True) -> tuple[NDArray[np.int64] | None, NDArray[np.float32]]:
    """Takes candidates apart.

    Args:
        data: A `merlin.io.Dataset` or a data frame with one row for each candidate, indexed by its id; or a tensor
            (N, D), whose ids are the row numbers.
        check_unique_ids: Whether an id that comes twice is an error. Default: True. Otherwise its first row counts.

    Returns:
        Ids (N,), None for a tensor, and vectors (N, D).

    Raises:
        ConfigError: if the vectors are not finite numbers (N, D), or the ids not integers, each once.
    """
    frame = data.to_ddf().compute(scheduler="synchronous") if hasattr(data, "to_ddf") else data
    if not isinstance(frame, pd.DataFrame):
        return None, checked_vectors(frame)
    if not check_unique_ids:
        frame = frame[~frame.index.duplicated()]
    vectors = checked_vectors(frame.to_numpy())
    return checked_ids(frame.index.to_numpy(), len(vectors)), vectors


def checked_vectors(values: Any) -> NDArray[np.float32]:
    """Vectors of candidates as float32.

    Raises:
        ConfigError: if they are no finite numbers of shape (N, D), with a candidate at least.
    """
    vectors = np.asarray(values)
    if vectors.ndim != 2 or 0 in vectors.shape or vectors.dtype.kind not in "fiu":
        raise ConfigError(
            "the vectors of the candidates do not fit",
            expected="numbers of shape (N, D), one row for each candidate",
            got=f"shape {vectors.shape} of {vectors.dtype}",
        )
    vectors = vectors.astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ConfigError(
            "vectors of candidates are not finite",
            expected="numbers without NaN and infinities",
            got=f"{len(bad)} of {len(vectors)} rows with them, the first is row {bad[0]}",
            fix="Look at what the encoder was trained on.",
        )
    return vectors


def checked_ids(values: Any, rows: int) -> NDArray[np.int64]:
    """Ids of candidates as int64.

    Args:
        values: The ids, (N,) or (N, 1).
        rows: N.

    Raises:
        ConfigError: if they are no integers, are not N, or one comes twice.
    """
    ids = np.asarray(values)
    if ids.dtype.kind not in "iu":
        raise ConfigError("the ids of the candidates do not fit", expected="integers", got=str(ids.dtype))
    ids = ids.reshape(-1).astype(np.int64)
    if len(ids) != rows:
        raise ConfigError("candidates and ids do not go together", expected=f"{rows} ids", got=str(len(ids)))
    if len(ids) and ids.min() < 0:
        raise ConfigError("the ids of the candidates do not fit", expected="0 or above", got=str(ids.min()))
    unique, counts = np.unique(ids, return_counts=True)
    if len(unique) != rows:
        twice = unique[counts > 1]
        raise ConfigError(
            "ids of candidates come more than once",
            expected="each id once",
            got=f"{len(twice)} that do not, such as {twice[0]}",
            fix="Take the unique rows first, as unique_by_tag(dataset, Tags.ITEM, Tags.ITEM_ID) does.",
        )
    return ids
