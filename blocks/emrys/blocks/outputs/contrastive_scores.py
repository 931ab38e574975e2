"""Arithmetic on the scores of positives and negatives."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.sampling.candidate import Candidate, ids_as_column
from emrys.blocks.sampling.candidate_sampler import CandidateSampler

#: Added to a probability before its logarithm is taken.
EPSILON = 1e-16


def log_probabilities(candidate: Candidate, owner: str) -> Any:
    """Logarithm of the probability of each item to be drawn, (M, 1).

    Raises:
        ConfigError: if it is unknown.
    """
    if candidate.sampling_prob is None:
        raise ConfigError(
            f"{owner}: logq_sampling_correction",
            expected="a sampler that says how probable items are, and a column of ids with a domain",
            got="no probabilities",
        )
    return tf.math.log(tf.reshape(tf.cast(candidate.sampling_prob, "float32"), (-1, 1)) + EPSILON)


def down_score(scores: Any, positive_ids: Any, negative_ids: Any, value: float) -> Any:
    """The scores (B, M) with `value` where the negative is the row's positive.

    Args:
        scores: (B, M)
        positive_ids: (B, 1)
        negative_ids: (M, 1)
        value: What takes their place.
    """
    same = tf.equal(ids_as_column(positive_ids), tf.transpose(ids_as_column(negative_ids)))
    return tf.where(same, tf.constant(value, scores.dtype), scores)


def one_positive(scores: Any) -> Prediction:
    """Scores (B, 1 + M) with targets that are 1 in the first column and 0 in the others."""
    first = tf.ones_like(scores[:, :1])
    return Prediction(scores, tf.concat([first, tf.zeros_like(scores[:, 1:])], axis=1))


def keep_chosen(
    found: Prediction, drawn: list[Candidate], samplers: list[CandidateSampler], with_ids: bool
) -> Prediction:
    """Leaves each row those negatives that the samplers choose for it.

    Args:
        found: Scores (B, 1 + M) of the positives and of what all samplers drew.
        drawn: What each sampler drew.
        samplers: The samplers; those that do not choose keep all.
        with_ids: Whether the ids are given on.

    Returns:
        Scores (B, 1 + K), ids (B, K).
    """
    scores, rows = found.outputs, tf.shape(found.outputs)[0]
    kept, ids, start = [scores[:, :1]], [], 1
    for sampler, candidate in zip(samplers, drawn, strict=True):
        number = candidate.id.shape[0] or tf.shape(candidate.id)[0]
        part = scores[:, start : start + number]
        own = tf.repeat(tf.transpose(candidate.id), rows, axis=0)
        if sampler.chooses:
            chosen = sampler.choose(part)
            part, own = tf.gather(part, chosen, batch_dims=1), tf.gather(own, chosen, batch_dims=1)
        kept.append(part)
        ids.append(own)
        start += number
    found = one_positive(tf.concat(kept, axis=1))
    return found._replace(negative_candidate_ids=tf.concat(ids, axis=1)) if with_ids else found
