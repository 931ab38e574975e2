"""Gates and experts, number by number."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden

LINEAR = {"activation": "linear", "use_bias": False}


def _expert(case):
    assert case.args["expert_block"] == "MLPBlock([2], activation='relu')"
    return mm.MLPBlock([2], activation="relu")


def _set(layer, weights):
    layer.set_weights([golden.array(weights[name]) for name in ("kernel", "bias") if name in weights])


@pytest.mark.parametrize("case", golden.cases("interactions", "ExpertsGate"))
def test_golden_gate(case):
    if case.raises:
        vectors = tf.ones((2, 3, 2))
        with pytest.raises(ValueError, match="takes a dictionary of 'shortcut' and 'experts'; got 'other', 'shortcut'"):
            mm.ExpertsGate(**case.args)(dict.fromkeys(case.inputs["keys"], vectors))
        return
    options = dict(case.args)
    if "gate_block" in options:
        assert options["gate_block"] == "MLPBlock([2], activation='relu')"
        options["gate_block"] = mm.MLPBlock([2], activation="relu")
    gate, inputs = mm.ExpertsGate(**options), golden.tensors(case.inputs)
    gate.build({name: tuple(value.shape) for name, value in inputs.items()})
    gate.gate_final.set_weights([golden.array(case.weights["gate_final_kernel"])])
    if gate.gate_block is not None:
        _set(gate.gate_block, {name: case.weights[f"gate_block_{name}"] for name in ("kernel", "bias")})
    golden.assert_close(gate(inputs), case.outputs["output"])
    if "gate_weights" in case.outputs:
        golden.assert_close(gate.gate_weights(inputs["shortcut"]), case.outputs["gate_weights"])


@pytest.mark.parametrize("case", golden.cases("interactions", "MMOEBlock"))
def test_golden_mmoe(case):
    block, inputs = mm.MMOEBlock(**{**case.args, "expert_block": _expert(case)}), golden.tensor(case.inputs["inputs"])
    block.build(tuple(inputs.shape))
    for name, weights in case.weights.items():
        if name.startswith("expert"):
            _set(block.experts[name], weights)
        else:
            _set(block.gates[name.removeprefix("gate_")], weights)
    golden.assert_close(block(inputs), case.outputs["output"])
    assert block.count_params() == case.outputs["n_parameters"]


@pytest.mark.parametrize("case", golden.cases("interactions", "CGCBlock"))
def test_golden_cgc(case):
    block, inputs = mm.CGCBlock(**{**case.args, "expert_block": _expert(case)}), golden.tensor(case.inputs["inputs"])
    block.build(tuple(inputs.shape))
    for name, weights in case.weights.items():
        kind, _, owner = name.partition(":")
        _set((block.experts if kind == "expert" else block.gates)[owner], weights)
    golden.assert_close(block(inputs), case.outputs["output"])
    assert block.count_params() == case.outputs["n_parameters"]


def test_a_task_takes_its_own_experts_though_its_name_starts_another():
    block = mm.CGCBlock(["t", "t2"], mm.MLPBlock([1], **LINEAR))
    block.build((None, 1))
    for name, weight in {"t/expert_0": 1.0, "t2/expert_0": 10.0, "shared/expert_0": 100.0}.items():
        block.experts[name].set_weights([np.array([[weight]])])
    for gate in block.gates.values():
        gate.set_weights([np.zeros((1, 2))])
    outputs = block(np.ones((1, 1), "float32"))
    # Even weights: t is the mean of 1 and 100, t2 that of 10 and 100.
    assert {name: float(outputs[name][0, 0]) for name in ("t", "t2")} == {"t": 50.5, "t2": 55.0}


def test_ple_by_hand():
    block = mm.PLEBlock(2, ["a", "b"], mm.MLPBlock([1], **LINEAR))
    block.build((None, 1))
    first, second = block.layers
    for layer, scale in ((first, 1.0), (second, 10.0)):
        for name, weight in {"a/expert_0": 1.0, "b/expert_0": 2.0, "shared/expert_0": 6.0}.items():
            layer.experts[name].set_weights([np.array([[weight * scale]])])
        for gate in layer.gates.values():
            gate.set_weights([np.zeros_like(weight) for weight in gate.get_weights()])
    outputs = block(np.ones((1, 1), "float32"))
    # First layer: a = (1 + 6) / 2, b = (2 + 6) / 2, shared = (1 + 2 + 6) / 3. Second: a = (10 * 3.5 + 60 * 3) / 2,
    # b = (20 * 4 + 60 * 3) / 2.
    assert {name: float(value[0, 0]) for name, value in outputs.items()} == pytest.approx(
        {"shortcut": 1.0, "a": 107.5, "b": 130.0}
    )


def test_gates_of_later_layers_take_the_input():
    # Gates of both layers have 3 inputs; experts 3, then 2. Layer 1: 3 experts of 3 x 2, gates 3 x 2, 3 x 2, 3 x 3;
    # layer 2: 3 experts of 2 x 2, gates 3 x 2, 3 x 2.
    block = mm.PLEBlock(2, ["a", "b"], mm.MLPBlock([2], **LINEAR))
    block.build((None, 3))
    assert block.count_params() == (18 + 12 + 9) + (12 + 12)


def test_experts_are_copies_and_never_the_block_given():
    expert, gate = mm.MLPBlock([2]), mm.MLPBlock([3])
    blocks = [mm.MMOEBlock(["a", "b"], expert, num_experts=2, gate_block=gate) for _ in range(2)]
    for block in blocks:
        block.build((None, 4))
    weights = [id(weight) for block in blocks for weight in block.weights]
    assert len(set(weights)) == len(weights) == 2 * (2 * 2 + 2 * 3)
    assert not expert.weights
    assert not np.allclose(
        blocks[0].experts["expert_0"].get_weights()[0], blocks[0].experts["expert_1"].get_weights()[0]
    )


def test_the_tenth_expert_comes_after_the_second():
    block = mm.MMOEBlock(["a"], mm.MLPBlock([1]), num_experts=11)
    assert block.gate_experts["a"] == [f"expert_{number}" for number in range(11)]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: mm.ExpertsGate(0), "ExpertsGate: num_experts; expected a whole number above 0, got 0"),
        (lambda: mm.ExpertsGate(2, softmax_temperature=0), "softmax_temperature; expected a number above 0, got 0"),
        (lambda: mm.MMOEBlock(["a"], mm.MLPBlock([2]), 0), "MMOEBlock: num_experts; expected a whole number above 0"),
        (lambda: mm.MMOEBlock(["a"], "mlp", 2), "MMOEBlock: expert_block must be a layer; expected a layer, got str"),
        (lambda: mm.MMOEBlock("a", mm.MLPBlock([2]), 2), "outputs; expected outputs, or their names, got str"),
        (lambda: mm.CGCBlock(["a", "shared"], mm.MLPBlock([2])), "none of them 'shared' or 'shortcut'"),
        (lambda: mm.CGCBlock(["a", "a"], mm.MLPBlock([2])), "expected different names"),
        (lambda: mm.CGCBlock(["a"], mm.MLPBlock([2]), num_task_experts=0), "CGCBlock: num_task_experts; expected"),
        (lambda: mm.PLEBlock(0, ["a"], mm.MLPBlock([2])), "PLEBlock: num_layers; expected a whole number above 0"),
    ],
)
def test_bad_arguments(make, text):
    with pytest.raises(ConfigError, match=text):
        make()


def test_inputs_that_do_not_fit():
    with pytest.raises(ConfigError, match=r"the input has no 'shortcut'; got 'x'\. Pass one tensor"):
        mm.CGCBlock(["a"], mm.MLPBlock([2])).build({"x": (None, 2)})
    with pytest.raises(ConfigError, match=r"experts; expected shape \(B, 3, D\), got \(2, 2, 4\)"):
        mm.ExpertsGate(3)({"shortcut": tf.ones((2, 5)), "experts": tf.ones((2, 2, 4))})


class TestTaskNames:
    @pytest.mark.parametrize("kind", [list, tuple, lambda outputs: mm.ParallelBlock(*outputs)])
    def test_of_outputs(self, kind):
        outputs = kind([mm.BinaryOutput("click"), mm.RegressionOutput("rating")])
        assert mm.get_task_names_from_outputs(outputs) == ["click/binary_output", "rating/regression_output"]

    def test_of_one(self):
        assert mm.get_task_names_from_outputs(mm.BinaryOutput("click")) == ["click/binary_output"]

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_of_tasks(self):
        tasks = [mm.BinaryClassificationTask("click"), mm.RegressionTask("rating")]
        expected = ["click/binary_classification_task", "rating/regression_task"]
        assert mm.get_task_names_from_outputs(tasks) == expected
        assert mm.get_task_names_from_outputs(mm.ParallelPredictionBlock(*tasks)) == expected

    @pytest.mark.parametrize("outputs", ["click", ["click"], mm.ParallelBlock({"a": mm.MLPBlock([2])})])
    def test_of_something_else(self, outputs):
        with pytest.raises(
            ConfigError, match=r"get_task_names_from_outputs; expected outputs or tasks, got (str|MLP|Seq)"
        ):
            mm.get_task_names_from_outputs(outputs)


def test_sub_blocks():
    inner, output = mm.MLPBlock([4]), mm.BinaryOutput("click")
    found = mm.get_sub_blocks([mm.SequentialBlock([inner]), output])
    assert {id(inner), id(output), id(output.to_call)} <= {id(layer) for layer in found}
    assert len({id(layer) for layer in found}) == len(found)
    assert mm.get_sub_blocks(inner)[0] is inner


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: mm.MMOEBlock(["a", "b"], mm.MLPBlock([3]), num_experts=2, **more),
        lambda **more: mm.CGCBlock(["a", "b"], mm.MLPBlock([3]), **more),
        lambda **more: mm.PLEBlock(2, ["a", "b"], mm.MLPBlock([3]), **more),
    ],
    ids=["MMOEBlock", "CGCBlock", "PLEBlock"],
)
def test_a_schema_changes_nothing(make):
    schema = Schema([mm.create_categorical_column("item", 3)])
    batch = np.float32([[1, 2], [3, 4]])
    found = {}
    for name, options in (("with", {"schema": schema}), ("without", {})):
        keras.utils.set_random_seed(3)
        found[name] = make(**options)(batch)
    for task in ("a", "b"):
        np.testing.assert_array_equal(found["with"][task], found["without"][task])
