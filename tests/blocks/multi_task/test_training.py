"""Models with several tasks."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from tests import golden
from tests.blocks.checks import small_batch, small_schema

CLICK, RATING = "click/binary_output", "rating/regression_output"
BLOCKS = {
    "mmoe": lambda outputs, **options: mm.MMOEBlock(outputs, mm.MLPBlock([8]), num_experts=3, **options),
    "cgc": lambda outputs, **options: mm.CGCBlock(outputs, mm.MLPBlock([8]), num_task_experts=2, **options),
    "ple": lambda outputs, **options: mm.PLEBlock(2, outputs, mm.MLPBlock([8]), **options),
}


def _model(make, outputs=None, **options):
    schema = small_schema()
    outputs = mm.OutputBlock(schema) if outputs is None else outputs
    inputs = mm.InputBlockV2(schema.excluding_by_name(["click", "rating"]))
    return mm.Model(inputs, mm.MLPBlock([8]), make(outputs, **options), outputs)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.slow
def test_two_tasks_are_learned_and_come_back_from_a_file(kind, tmp_path):
    model = _model(BLOCKS[kind], enable_gate_weights_metrics=True)
    features, targets = small_batch(rows=24)
    model.compile(mm.LazyAdam(0.02), metrics=[])
    history = model.fit(features, targets, batch_size=24, epochs=40, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    for name in (CLICK, RATING):
        assert history[f"{name}_loss"][-1] < history[f"{name}_loss"][0]
        prefix = "layer_1/" if kind == "ple" else ""
        weights = [values[-1] for key, values in history.items() if key.startswith(f"{prefix}gate_{name}_weight_")]
        assert len(weights) == (2 if kind == "ple" else 3)
        assert sum(weights) == pytest.approx(1.0, abs=1e-5)
    expected = model.predict(features, batch_size=24, verbose=0)
    model.save(tmp_path / "model.keras")
    results = mm.Model.load(tmp_path / "model.keras").predict(features, batch_size=24, verbose=0)
    for name in (CLICK, RATING):
        np.testing.assert_array_equal(results[name], expected[name])


def _golden_model(text, schema):
    """The model of a golden case, built from the public API."""
    if "PredictionTasks" in text:
        with pytest.warns(DeprecationWarning, match="PredictionTasks"):
            outputs = mm.PredictionTasks(schema)
    else:
        outputs = mm.OutputBlock(schema)
    body = text.split(", ", 1)[1]
    options = {"enable_gate_weights_metrics": True} if "enable_gate_weights_metrics=True" in text else {}
    expert = mm.MLPBlock([4])
    if body.startswith("MMOEBlock"):
        gate = {"gate_block": mm.MLPBlock([2])} if "gate_block" in text else {}
        block = mm.MMOEBlock(outputs, expert, num_experts=3 if "num_experts=3" in text else 2, **gate, **options)
    elif body.startswith("CGCBlock"):
        block = mm.CGCBlock(outputs, expert, num_task_experts=2, num_shared_experts=1, **options)
    elif "num_layers=2" in text:
        block = mm.PLEBlock(2, outputs, expert, num_task_experts=2, num_shared_experts=1, **options)
    else:
        block = mm.PLEBlock(1, outputs, expert, num_task_experts=1, num_shared_experts=2, **options)
    return mm.Model(mm.InputBlockV2(schema), block, outputs)


def _has_block(case):
    text = case.args["model"]
    return any(name in text for name in ("MMOEBlock(", "CGCBlock(", "PLEBlock("))


@pytest.mark.parametrize("case", golden.cases("conventions", "model keys", where=_has_block))
@pytest.mark.slow
def test_golden_names_and_sizes(case):
    schema = golden.schema(case.args["schema"])
    model = _golden_model(case.args["model"], schema)
    draw = np.random.default_rng(0)
    features = {
        column.name: (
            draw.random((24, 1), dtype="float32")
            if column.int_domain is None
            else draw.integers(0, column.int_domain.max + 1, (24, 1))
        )
        for column in schema
        if column.name not in ("click", "rating")
    }
    for column in schema:
        if column.is_list:
            flat = draw.integers(0, column.int_domain.max + 1, 48)
            features[column.name] = tf.RaggedTensor.from_row_lengths(flat, [2] * 24)
    targets = {"click": draw.integers(0, 2, (24, 1)).astype("float32"), "rating": draw.random((24, 1), "float32")}
    data = tf.data.Dataset.from_tensors((features, targets))
    model.compile()
    history = model.fit(data, verbose=0).history
    evaluated = model.evaluate(data, return_dict=True, verbose=0)
    assert sorted(history) == case.outputs["fit_history_keys"]
    assert sorted(evaluated) == case.outputs["evaluate_keys"]
    sizes = sorted(list(weight.shape) for weight in model.trainable_weights)
    assert sizes == case.outputs["trainable_weight_shapes"]


@pytest.mark.slow
def test_a_task_is_scored_on_its_sample_space_alone():
    def outputs():
        space = mm.ColumnBasedSampleWeight(weight_column_name="click")
        return mm.OutputBlock(small_schema(), model_outputs=[mm.RegressionOutput("rating", post=space)])

    model = _model(BLOCKS["mmoe"], outputs())
    model.compile(metrics=[], loss_weights={"click": 0.5, "rating": 2.0})
    features, targets = small_batch(rows=8)
    data = tf.data.Dataset.from_tensors((features, targets))
    results = model.evaluate(data, return_dict=True, verbose=0)
    said = model.predict(features, batch_size=8, verbose=0)
    squares = (said[RATING] - targets["rating"]) ** 2 * (targets["click"] > 0)
    assert results[f"{RATING}_loss"] == pytest.approx(float(squares.mean()), rel=1e-4)
    assert results["loss"] == pytest.approx(0.5 * results[f"{CLICK}_loss"] + 2.0 * results[f"{RATING}_loss"], rel=1e-4)

    outside = targets["click"] == 0
    assert outside.any()
    changed = {**targets, "rating": np.where(outside, 100.0, targets["rating"]).astype("float32")}
    again = model.evaluate(tf.data.Dataset.from_tensors((features, changed)), return_dict=True, verbose=0)
    assert again[f"{RATING}_loss"] == pytest.approx(results[f"{RATING}_loss"])


def test_gate_metrics_are_the_mean_weights():
    gate = mm.ExpertsGate(2, enable_gate_weights_metrics=True, name="gate_a/b")
    inputs = {"shortcut": tf.constant([[1.0], [-1.0], [0.0]]), "experts": tf.ones((3, 2, 1))}
    gate(inputs)
    gate.gate_final.set_weights([np.array([[np.log(3.0), 0.0]])])
    gate(inputs, training=True)
    gate(inputs)  # neither training nor testing: not counted
    # Weights of the first expert: 3 / 4, 1 / 4 and 1 / 2.
    assert {metric.name: float(metric.result()) for metric in gate.gate_weights_metrics} == pytest.approx(
        {"gate_a/b_weight_0": 0.5, "gate_a/b_weight_1": 0.5}
    )
