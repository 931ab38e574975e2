"""Cases of the multi-task blocks."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

import emrys.blocks as mm

VECTORS = tf.constant(np.random.default_rng(31).random((4, 3)), "float32")
TASKS = ["click/binary_output", "rating/regression_output"]

CASES = {
    "ExpertsGate": (
        lambda: mm.ExpertsGate(2, gate_block=mm.MLPBlock([3]), softmax_temperature=0.5, name="gate_a/b"),
        {"shortcut": VECTORS, "experts": tf.constant(np.random.default_rng(32).random((4, 2, 3)), "float32")},
    ),
    "MMOEBlock": (lambda: mm.MMOEBlock(TASKS, mm.MLPBlock([2]), num_experts=3, gate_block=mm.Dense(2)), VECTORS),
    "MMOEBlock gate metrics": (
        lambda: mm.MMOEBlock(TASKS, mm.MLPBlock([2]), num_experts=2, enable_gate_weights_metrics=True),
        VECTORS,
    ),
    "CGCBlock": (lambda: mm.CGCBlock(TASKS, mm.MLPBlock([2]), num_shared_experts=2, add_shared_gate=True), VECTORS),
    "PLEBlock": (
        lambda: mm.PLEBlock(2, TASKS, mm.MLPBlock([2]), num_task_experts=2, enable_gate_weights_metrics=True),
        VECTORS,
    ),
}
