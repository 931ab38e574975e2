"""Ids drawn as if the n-th most frequent item had the n-th id."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from emrys.blocks.errors import ConfigError


def draw_log_uniform(number: int, min_id: int, max_id: int, unique: bool, seed: int | None) -> Any:
    """Draws ids from `min_id` to `max_id - 1`, low ones more often.

    Returns:
        (number,), int64.
    """
    ids, _, _ = tf.random.log_uniform_candidate_sampler(
        true_classes=tf.zeros((1, 1), "int64"),
        num_true=1,
        num_sampled=number,
        unique=unique,
        range_max=max_id - min_id,
        seed=seed,
    )
    return tf.stop_gradient(ids + min_id)


def probabilities(number: int) -> Any:
    """Probability of the first `number` ids, (number,): `ln((i + 2) / (i + 1)) / ln(number + 1)`, with sum 1."""
    logs = np.log(np.arange(1, number + 2, dtype="float64"))
    return (logs[1:] - logs[:-1]) / logs[-1]


def check_range(owner: str, number: int, min_id: int, max_id: int, unique: bool) -> None:
    """Refuses ranges that hold fewer ids than are drawn.

    Raises:
        ConfigError: naming what was asked for.
    """
    if not 0 <= min_id < max_id:
        raise ConfigError(f"{owner}: min_id and max_id", expected="0 <= min_id < max_id", got=f"{min_id} and {max_id}")
    if unique and number > max_id - min_id:
        raise ConfigError(
            f"{owner}: max_num_samples",
            expected=f"at most {max_id - min_id}, the number of ids from {min_id} to {max_id - 1}",
            got=str(number),
        )
