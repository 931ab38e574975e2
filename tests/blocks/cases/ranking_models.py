"""Cases of the shared check for the ranking models and the transforms of wide ones."""

import numpy as np
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from tests.blocks.checks import small_batch, small_schema

_FEATURES = small_schema().excluding_by_name(["click", "rating"])
_IDS = _FEATURES.select_by_name(["user_id", "country", "item_id"])
_BATCH = small_batch()[0]
_LISTS = {
    "user_id": tf.constant([[1, 2], [3, 3], [0, 9]], tf.int64),
    "country": tf.constant([[1], [2], [4]], tf.int64),
}
_PAIR = _FEATURES.select_by_name(["user_id", "country"])

CASES = {
    "CategoryEncoding": (lambda: mm.CategoryEncoding(_IDS).connect(mm.Dense(2)), _BATCH),
    "CategoryEncoding multi_hot": (
        lambda: mm.CategoryEncoding(_FEATURES, output_mode="multi_hot").connect(mm.Dense(2)),
        _BATCH,
    ),
    "CategoryEncoding weighted": (
        lambda: mm.CategoryEncoding(
            Schema([_FEATURES["user_id"]]), output_mode="count", count_weights=np.full((3, 2), 0.5)
        ).connect(mm.Dense(2)),
        _LISTS,
    ),
    "CategoryEncoding sparse": (
        lambda: mm.CategoryEncoding(_IDS, sparse=True).connect(mm.ConcatFeatures(), mm.Dense(2)),
        _BATCH,
    ),
    "HashedCross": (lambda: mm.HashedCross(_IDS, num_bins=7).connect(mm.Dense(2)), _BATCH),
    "HashedCross multi_hot": (
        lambda: mm.HashedCross(_PAIR, num_bins=7, output_mode="multi_hot").connect(mm.Dense(2)),
        _LISTS,
    ),
    "HashedCross sparse": (
        lambda: mm.HashedCross(_PAIR, infer_num_bins=True, max_num_bins=20, sparse=True, output_name="pair").connect(
            mm.ConcatFeatures(), mm.ValueDropout(0.1), mm.Dense(2)
        ),
        _BATCH,
    ),
    "HashedCrossAll": (lambda: mm.HashedCrossAll(_IDS, num_bins=5, max_level=3).connect(mm.Dense(2)), _BATCH),
    "ranking input": (lambda: mm.DCNModel(_schema(), 1, mm.MLPBlock([4])).blocks[0], _BATCH),
    "DeepFM body": (lambda: mm.DeepFMModel(_schema(), embedding_dim=2).blocks[0], _BATCH),
    "Wide & deep body": (
        lambda: mm.WideAndDeepModel(_schema(), mm.MLPBlock([4]), wide_schema=_IDS).blocks[0],
        _BATCH,
    ),
    "NCF body": (lambda: mm.NCFModel(_schema(), 2, mm.MLPBlock([3])).blocks[0], _BATCH),
}


def _schema():
    return small_schema().excluding_by_name(["rating"])
