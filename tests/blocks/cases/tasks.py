"""Tasks of the first generation."""

import warnings

import numpy as np
import tensorflow as tf

import emrys.blocks as mm
from tests.blocks.checks import small_schema

_INPUT = tf.constant(np.random.default_rng(1).random((4, 3)), "float32")


def _warned(make):
    """Makes a block without showing the warning that it is deprecated."""

    def quiet():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return make()

    return quiet


CASES = {
    name: (_warned(make), _INPUT)
    for name, make in {
        "BinaryClassificationTask": lambda: mm.BinaryClassificationTask("click", task_block=mm.MLPBlock([2])),
        "RegressionTask": lambda: mm.RegressionTask("rating", pre=mm.MLPBlock([2])),
        "MultiClassClassificationTask": lambda: mm.MultiClassClassificationTask.from_schema(
            small_schema(), "item_id", extra_pre=mm.LogitsTemperatureScaler(2.0), target_name="item_id"
        ),
        "PredictionTask": lambda: mm.PredictionTask("rating", pre=mm.Dense(1), task_block=mm.Dense(2)),
        "PredictionTasks": lambda: mm.PredictionTasks(small_schema(), task_weight_dict={"click": 2.0}),
        "ParallelPredictionBlock": lambda: mm.ParallelPredictionBlock(
            mm.BinaryClassificationTask("click"),
            mm.RegressionTask("rating"),
            task_blocks=mm.MLPBlock([2]),
            bias_block=mm.MLPBlock([2]),
        ),
    }.items()
}
