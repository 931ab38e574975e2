"""How frequent items are."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from emrys.blocks.errors import ConfigError


def as_probabilities(frequencies: Any, is_prob_distribution: bool, owner: str, number: int | None = None) -> Any:
    """Probabilities, from frequencies or as they are.

    Args:
        frequencies: (N,), by id: counts, or probabilities with sum 1.
        is_prob_distribution: Whether they are probabilities.
        owner: Who needs them, for errors.
        number: N, where it is known.

    Returns:
        (N,), float32.

    Raises:
        ConfigError: if they are no frequencies, no distribution where one is due, or not `number`.
    """
    if keras.ops.is_tensor(frequencies):
        frequencies = keras.ops.convert_to_numpy(frequencies)
    values = np.asarray(frequencies)
    what = f"{owner}: item_freq_probs"
    if values.ndim != 1 or not len(values) or values.dtype.kind not in "iuf":
        raise ConfigError(what, expected="numbers (N,), one for each id", got=f"{values.dtype} {values.shape}")
    if number is not None and len(values) != number:
        raise ConfigError(what, expected=f"{number} numbers, one for each id", got=str(len(values)))
    if not np.isfinite(values).all() or values.min() < 0 or not values.any():
        raise ConfigError(what, expected="finite numbers from 0, not all 0", got=f"{values.min()} to {values.max()}")
    total = values.sum(dtype="float64")
    if is_prob_distribution and abs(total - 1.0) > 1e-4:
        raise ConfigError(what, expected="probabilities with sum 1", got=f"sum {total:g}")
    return (values if is_prob_distribution else values / total).astype("float32")
