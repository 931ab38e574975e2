"""Optimizers that update only the rows of a batch."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.core.gather import use_gather_nd
from emrys.blocks.errors import ConfigError
from emrys.blocks.optimizers import lazy_optimizer
from tests import golden

ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
WRITE = "ResourceScatterUpdate"


def _slices(gradients, rows, shape):
    gradients, rows = tf.convert_to_tensor(gradients, "float32"), tf.convert_to_tensor(rows, "int64")
    return tf.IndexedSlices(gradients, rows, tf.constant(list(shape), "int64"))


def _table(values=ROWS):
    return keras.Variable(np.array(values, "float32"), name="embeddings")


def _apply(optimizer, table, gradients, rows):
    optimizer.apply_gradients([(_slices(gradients, rows, table.shape), table)])


@pytest.mark.parametrize("case", golden.cases("optimizer", "LazyAdam", where=lambda case: "steps" in case.inputs))
@pytest.mark.parametrize("compiled", [False, True])
def test_golden_rows(case, compiled):
    table = keras.Variable(golden.array(case.inputs["variable"]))
    optimizer = mm.LazyAdam(**case.args)
    optimizer.build([table])
    steps = zip(case.inputs["steps"], case.outputs["variable_after_step"], strict=True)
    apply = tf.function(lambda *given: _apply(optimizer, table, *given)) if compiled else _apply
    for step, expected in steps:
        given = (step["gradients"], step["rows"])
        apply(*given) if compiled else _apply(optimizer, table, *given)
        golden.assert_close(table, expected)


@pytest.mark.parametrize(
    "case", golden.cases("optimizer", "LazyAdam", where=lambda case: "dense_gradients" in case.inputs)
)
def test_golden_dense(case):
    variable = keras.Variable(np.array(case.inputs["variable"], "float32"))
    optimizer = mm.LazyAdam(**case.args)
    steps = zip(case.inputs["dense_gradients"], case.outputs["variable_after_step"], strict=True)
    for gradient, expected in steps:
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
        golden.assert_close(variable, expected)


@pytest.mark.parametrize(
    "case", golden.cases("optimizer", "LazyAdam", where=lambda case: "embedding_table" in case.inputs)
)
def test_golden_table_of_a_model(case):
    start = golden.array(case.inputs["embedding_table"])
    table = mm.EmbeddingTable(2, mm.create_categorical_column("item", 4), weights=start)
    table.build((None, 1))
    optimizer = mm.LazyAdam(**case.args)
    steps = zip(case.inputs["ids_per_step"], case.outputs["table_after_step"], strict=True)
    for ids, expected in steps:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(table(tf.constant(ids)[:, tf.newaxis])))
        weights = table.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        golden.assert_close(table.embeddings, expected)


@pytest.mark.parametrize("case", golden.cases("optimizer", "tf.keras.optimizers.Adam"))
def test_golden_dense_adam(case):
    # For contrast: what `compile("adam")` gives moves rows of earlier steps too.
    start = case.inputs["variable"]
    variable = keras.Variable(golden.array(start) if isinstance(start, dict) else np.array(start, "float32"))
    optimizer = keras.optimizers.get({"class_name": "adam", "config": case.args})
    steps = case.inputs.get("steps") or case.inputs["dense_gradients"]
    for step, expected in zip(steps, case.outputs["variable_after_step"], strict=True):
        if isinstance(step, dict):  # as a dense gradient: Adam of Keras 3 does not add up what comes for a row twice
            step = tf.convert_to_tensor(_slices(step["gradients"], step["rows"], variable.shape))
        optimizer.apply_gradients([(tf.convert_to_tensor(step), variable)])
        golden.assert_close(variable, expected)


@pytest.mark.parametrize("case", golden.cases("optimizer", "LazyAdam.get_config"))
def test_golden_config(case):
    config = mm.LazyAdam(**case.args).get_config()
    expected = {name: value for name, value in case.outputs.items() if name != "decay"}  # Keras 3 has none
    assert {name: config[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("lazy", "dense"), [("LazyAdam", "Adam"), ("LazySGD", "SGD"), ("LazyAdagrad", "Adagrad")])
def test_plain_variables_of_tensorflow(lazy, dense, compiled):
    table, bias = tf.Variable(ROWS), tf.Variable([1.0, -1.0])
    optimizer = getattr(mm, lazy)(0.1)

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, [2, 0, 2]) ** 2) + tf.reduce_sum(bias**2)
        variables = [table, bias]
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    run = tf.function(step) if compiled else step
    expected, whole = getattr(keras.optimizers, dense)(0.1), [keras.Variable(ROWS), keras.Variable([1.0, -1.0])]
    for _ in range(3):
        run()
        gradients = [np.array([[2.0], [0.0], [4.0]]) * whole[0].numpy(), 2 * whole[1].numpy()]
        expected.apply_gradients(zip(map(tf.convert_to_tensor, gradients), whole, strict=True))
    np.testing.assert_allclose(table, whole[0], rtol=1e-5)
    np.testing.assert_allclose(bias, whole[1], rtol=1e-5)


def test_sgd_adds_up_what_comes_for_a_row_twice():
    table = _table()
    _apply(mm.LazySGD(0.5), table, [[1, 0], [2, 2], [4, 4]], [0, 2, 0])
    # Row 0: [1, 2] - 0.5 [1 + 4, 0 + 4]; row 2: [5, 6] - 0.5 [2, 2].
    np.testing.assert_allclose(table, [[-1.5, 0], [3, 4], [4, 5]])


def test_adagrad_by_hand():
    table = _table()
    optimizer = mm.LazyAdagrad(1.0, initial_accumulator_value=0.0, epsilon=0.0)
    _apply(optimizer, table, [[1, 1], [2, 3]], [0, 0])
    # The sum [3, 4] over its own size, 1: not [1, 1] + [2, 3] over their roots one by one.
    np.testing.assert_allclose(table, [[0, 1], [3, 4], [5, 6]])
    _apply(optimizer, table, [[4, 3]], [0])
    # Squares add up to 9 + 16 = 25 in both places: 4 / 5 and 3 / 5.
    np.testing.assert_allclose(table, [[-0.8, 0.4], [3, 4], [5, 6]], rtol=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_momentum(nesterov):
    table = _table()
    optimizer = mm.LazySGD(0.1, momentum=0.5, nesterov=nesterov)
    _apply(optimizer, table, [[1, 1]], [0])
    _apply(optimizer, table, [[1, 1]], [1])
    _apply(optimizer, table, [[1, 1]], [0])
    # Row 0 moves by m = -0.1, then, its m unchanged by the step of row 1, by m = -0.05 - 0.1.
    # Nesterov: 0.5 (-0.1) - 0.1 = -0.15, then 0.5 (-0.15) - 0.1 = -0.175.
    moved = [-0.325, -0.15] if nesterov else [-0.25, -0.1]
    np.testing.assert_allclose(table, [[1 + moved[0], 2 + moved[0]], [3 + moved[1], 4 + moved[1]], [5, 6]], rtol=1e-6)


@pytest.mark.parametrize(
    ("lazy", "dense"),
    [
        (mm.LazySGD(0.1), keras.optimizers.SGD(0.1)),
        (mm.LazySGD(0.1, momentum=0.9), keras.optimizers.SGD(0.1, momentum=0.9)),
        (mm.LazySGD(0.1, momentum=0.9, nesterov=True), keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)),
        (mm.LazyAdagrad(0.1), keras.optimizers.Adagrad(0.1)),
        (mm.LazyAdam(0.1), keras.optimizers.Adam(0.1)),
        (mm.LazyAdam(0.1, amsgrad=True), keras.optimizers.Adam(0.1, amsgrad=True)),
        (mm.LazyAdam(0.1, weight_decay=0.3, clipnorm=0.5), keras.optimizers.Adam(0.1, weight_decay=0.3, clipnorm=0.5)),
        (mm.LazyAdam(0.1, global_clipnorm=0.5), keras.optimizers.Adam(0.1, global_clipnorm=0.5)),
        (mm.LazyAdam(0.1, clipvalue=0.5), keras.optimizers.Adam(0.1, clipvalue=0.5)),
        (mm.LazyAdam(0.1, use_ema=True), keras.optimizers.Adam(0.1, use_ema=True)),
        (mm.LazyAdam(0.1, gradient_accumulation_steps=2), keras.optimizers.Adam(0.1, gradient_accumulation_steps=2)),
        (mm.LazyAdam(0.1, loss_scale_factor=4.0), keras.optimizers.Adam(0.1, loss_scale_factor=4.0)),
    ],
    ids=lambda optimizer: "",
)
def test_dense_gradients_and_gradients_of_all_rows_do_as_in_keras(lazy, dense):
    draw = np.random.default_rng(0)
    by_rows, whole, expected = _table(), _table(), _table()
    again = type(lazy).from_config(lazy.get_config())
    for _ in range(4):
        gradient = draw.normal(size=(3, 2)).astype("float32")
        _apply(lazy, by_rows, gradient[[2, 0, 1]], [2, 0, 1])
        again.apply_gradients([(tf.constant(gradient), whole)])
        dense.apply_gradients([(tf.constant(gradient), expected)])
    for optimizer, variable in ((lazy, by_rows), (again, whole), (dense, expected)):
        optimizer.finalize_variable_values([variable])
    np.testing.assert_allclose(by_rows, expected, rtol=1e-5)
    np.testing.assert_allclose(whole, expected, rtol=1e-5)


def test_clipping_counts_repeated_rows_as_one():
    table = _table()
    _apply(mm.LazySGD(1.0, clipnorm=1.0), table, [[3, 0], [0, 4]], [0, 0])
    # The gradient of row 0 is [3, 4], of norm 5: clipped to [0.6, 0.8].
    np.testing.assert_allclose(table, [[0.4, 1.2], [3, 4], [5, 6]], rtol=1e-6)
    table = _table()
    _apply(mm.LazySGD(1.0, clipvalue=1.0), table, [[0.6, 0], [0.6, 0.2]], [0, 0])
    np.testing.assert_allclose(table, [[0, 1.8], [3, 4], [5, 6]], rtol=1e-6)


def test_weights_decay_in_the_rows_of_the_batch():
    table, other = _table(), keras.Variable([2.0], name="bias")
    optimizer = mm.LazySGD(0.5, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    gradients = [_slices([[1, 1]], [1], (3, 2)), tf.constant([1.0])]
    optimizer.apply_gradients(zip(gradients, [table, other], strict=True))
    # Row 1: w (1 - 0.5 * 0.1) - 0.5; the bias is left out.
    np.testing.assert_allclose(table, [[1, 2], [3 * 0.95 - 0.5, 4 * 0.95 - 0.5], [5, 6]], rtol=1e-6)
    np.testing.assert_allclose(other, [1.5])


def test_rows_outside_the_batch_stay_with_accumulated_gradients_and_averages():
    for options in ({"gradient_accumulation_steps": 2}, {"use_ema": True}):
        table = _table()
        optimizer = mm.LazyAdam(0.1, **options)
        for row in (0, 0, 1, 1):
            _apply(optimizer, table, [[1, 1]], [row])
        moved_then = np.array(table)
        for _ in range(2):
            _apply(optimizer, table, [[1, 1]], [1])
        assert np.array(table)[0].tolist() == moved_then[0].tolist(), options  # Adam would move it on
        assert np.all(np.array(table)[1] < moved_then[1])
        assert np.array(table)[2].tolist() == ROWS[2]


def test_a_schedule():
    table = _table()
    optimizer = mm.LazySGD(keras.optimizers.schedules.PiecewiseConstantDecay([0], [1.0, 0.25]))
    _apply(optimizer, table, [[1, 1]], [0])
    _apply(optimizer, table, [[1, 1]], [0])
    np.testing.assert_allclose(table, [[-0.25, 0.75], [3, 4], [5, 6]])  # 1 - 1 - 0.25
    again = mm.LazySGD.from_config(optimizer.get_config())
    assert again.get_config()["learning_rate"] == optimizer.get_config()["learning_rate"]


def test_constraints_hold():
    table = keras.Variable(np.array(ROWS, "float32"))
    table.constraint = keras.constraints.NonNeg()
    _apply(mm.LazySGD(1.0), table, [[3, 1]], [0])
    np.testing.assert_allclose(table, [[0, 1], [3, 4], [5, 6]])


@pytest.mark.parametrize("optimizer", [mm.LazyAdam, mm.LazyAdagrad, mm.LazySGD])
def test_no_operation_of_a_step_reads_or_writes_a_whole_table(optimizer):
    table = _table([[1.0, 2.0]] * 7)
    made = optimizer(weight_decay=0.1, clipnorm=1.0, loss_scale_factor=2.0)
    made.build([table])
    with use_gather_nd(True):
        step = tf.function(lambda: _apply(made, table, [[1.0, 1.0], [2.0, 2.0]], [1, 1])).get_concrete_function()
    operations = step.graph.get_operations()
    sizes = {tensor.shape.num_elements() for each in operations for tensor in each.outputs if tensor.shape.rank}
    assert sizes.isdisjoint({7, 14, 28})  # its rows, its weights, and two numbers that are kept of each of these
    assert {each.type for each in operations} >= {"ResourceGatherNd", WRITE}


@pytest.mark.slow
def test_a_table_is_read_when_one_before_it_has_been_written(monkeypatch):
    monkeypatch.setattr(lazy_optimizer, "_TABLES_AT_A_TIME", 2)
    tables, made = [_table() for _ in range(3)], mm.LazyAdam()
    made.build(tables)
    gradients = [_slices([[1.0, 2.0]], [2], table.shape) for table in tables]
    step = tf.function(lambda: made.apply(gradients, tables)).get_concrete_function()
    found = {kind: [each for each in step.graph.get_operations() if each.type == kind] for kind in ("Unique", WRITE)}
    reads, writes = found["Unique"], found[WRITE]
    assert len(reads) == 3
    assert len(writes) == 6
    assert not _before(reads[1]).intersection(writes)
    assert _before(reads[2]).intersection(writes) == set(writes[:2])  # of its weights and of what is kept of them


def _before(operation):
    """All operations that an operation of a graph waits for."""
    found, left = set(), [operation]
    while left:
        each = left.pop()
        new = {*each.control_inputs, *(tensor.op for tensor in each.inputs)} - found
        found |= new
        left += new
    return found


@pytest.mark.parametrize("optimizer", [mm.LazyAdam, mm.LazyAdagrad, mm.LazySGD])
@pytest.mark.slow
def test_xla_compiles_a_step_that_moves_the_same(optimizer):
    tables, apply = [_table(), _table()], []
    for table, by_xla in zip(tables, (False, True), strict=True):
        made = optimizer(0.1)
        made.build([table])
        apply.append(tf.function(functools.partial(_apply, made, table), jit_compile=by_xla))
    for _ in range(2):
        for each in apply:
            each(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([2, 2], "int64"))
    assert np.all(np.array(tables[0])[2] < ROWS[2])
    np.testing.assert_allclose(tables[1], tables[0], rtol=1e-6)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)])
def test_variables_of_any_rank_do_as_in_keras(shape, amsgrad):
    draw = np.random.default_rng(0)
    start = draw.normal(size=shape)
    lazy, dense = mm.LazyAdam(0.1, amsgrad=amsgrad), keras.optimizers.Adam(0.1, amsgrad=amsgrad)
    moved, expected = keras.Variable(start), keras.Variable(start)
    for _ in range(3):
        gradient = tf.constant(draw.normal(size=shape), "float32")
        lazy.apply_gradients([(gradient, moved)])
        dense.apply_gradients([(gradient, expected)])
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-6)


def test_rows_of_rows():
    cubes, flat = _table(np.arange(12).reshape(3, 2, 2)), _table(np.arange(12).reshape(3, 4))
    gradient = np.arange(1, 9, dtype="float32")
    for table in (cubes, flat):
        optimizer = mm.LazyAdam(0.1)
        for _ in range(2):
            _apply(optimizer, table, gradient.reshape(2, *table.shape[1:]), [2, 0])
    np.testing.assert_allclose(np.array(cubes).reshape(3, 4), flat, rtol=1e-6)
    np.testing.assert_allclose(np.array(flat)[0], [-0.2, 0.8, 1.8, 2.8], rtol=1e-5)  # two steps of the learning rate
    assert np.array(flat)[1].tolist() == [4, 5, 6, 7]


def test_dynamic_loss_scaling_looks_at_the_rows_and_skips_what_is_not_finite():
    table = _table()
    optimizer = mm.LazyLossScaleOptimizer(mm.LazySGD(1.0), initial_scale=4.0)
    apply = tf.function(lambda gradients: _apply(optimizer, table, gradients, [0]))
    optimizer.build([table])
    apply(tf.constant([[4.0, 4.0]]))
    np.testing.assert_allclose(table, [[0, 1], [3, 4], [5, 6]])
    apply(tf.constant([[np.inf, 4.0]]))
    np.testing.assert_allclose(table, [[0, 1], [3, 4], [5, 6]])
    assert float(optimizer.dynamic_scale) == 2.0
    apply(tf.constant([[2.0, 0.0]]))
    np.testing.assert_allclose(table, [[-1, 1], [3, 4], [5, 6]])


def test_gradients_that_are_missing():
    table, other = _table(), keras.Variable([2.0])
    optimizer = mm.LazySGD(1.0)
    gradients = [_slices([[1, 1]], [0], (3, 2)), None]
    with pytest.warns(UserWarning, match="no gradients reach .*: the loss does not depend on them"):
        optimizer.apply_gradients(zip(gradients, [table, other], strict=True))
    assert float(other[0]) == 2.0
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.apply_gradients([(None, table)])


def test_bad_arguments():
    with pytest.raises(ConfigError, match=r"LazyAdam: beta_1.*got 1\.5"):
        mm.LazyAdam(beta_1=1.5)


@pytest.mark.parametrize("compiled", [False, True])
def test_averages_of_rows_are_those_of_keras(compiled):
    # Keras averages the whole table in every step; here a row is averaged when it is looked up, or at the end.
    draw = np.random.default_rng(3)
    table, bias = _table(), keras.Variable([1.0, -1.0])
    lazy = mm.LazySGD(0.5, use_ema=True, ema_momentum=0.75)
    whole, whole_bias = _table(), keras.Variable([1.0, -1.0])
    dense = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.75)

    def step(values, rows, gradient):
        pairs = zip([tf.IndexedSlices(values, rows, (3, 2)), gradient], [table, bias], strict=True)
        lazy.apply_gradients(pairs)

    lazy.build([table, bias])
    assert sum(int(np.prod(each.shape)) for each in lazy.variables) == 2 + 3 * 3 + 2 * 2  # rate, step, rows with steps
    run = tf.function(step) if compiled else step
    for rows in ([1], [0], [0, 1], [1], [1]):  # row 2 never, row 0 not in the first and the last steps
        values, gradient = draw.normal(size=(len(rows), 2)).astype("float32"), draw.normal(size=2).astype("float32")
        run(tf.constant(values), tf.constant(rows), tf.constant(gradient))
        all_rows = np.zeros((3, 2), "float32")
        all_rows[rows] = values
        dense.apply_gradients(zip([tf.constant(all_rows), tf.constant(gradient)], [whole, whole_bias], strict=True))
    np.testing.assert_allclose(table, whole, rtol=1e-6)
    kept = np.array(table)
    for optimizer, variables in ((lazy, [table, bias]), (dense, [whole, whole_bias])):
        optimizer.finalize_variable_values(variables)
    assert np.abs(np.array(table) - kept)[:2].min() > 1e-3
    np.testing.assert_allclose(table, whole, rtol=1e-5)
    np.testing.assert_allclose(bias, whole_bias, rtol=1e-5)


def test_averages_by_hand():
    table = _table()
    optimizer = mm.LazySGD(1.0, use_ema=True, ema_momentum=0.5)
    for row in (0, 0, 1):
        _apply(optimizer, table, [[1, 1]], [row])
    optimizer.finalize_variable_values([table])
    # Row 0: weights 0, -1, -1 (first column); the average is 0, then -0.5, then -0.75. Row 1: 3, 3, 2; 3, 3, 2.5.
    np.testing.assert_allclose(table, [[-0.75, 0.25], [2.5, 3.5], [5, 6]], rtol=1e-6)


@pytest.mark.slow
def test_averages_of_rows_go_on_after_loading(tmp_path):
    schema = Schema([mm.create_categorical_column("item", 9)])
    draw = np.random.default_rng(0)
    batches = [({"item": draw.integers(0, 10, (8, 1))}, draw.integers(0, 2, (8, 1))) for _ in range(4)]

    def model():
        keras.utils.set_random_seed(1)
        made = mm.Model(mm.InputBlockV2(schema), mm.MLPBlock([4]), mm.BinaryOutput("click"))
        made.compile(mm.LazyAdam(0.1, use_ema=True, ema_momentum=0.5))
        return made

    whole = model()
    for features, target in batches:
        whole.train_on_batch(features, target)
    first = model()
    for features, target in batches[:2]:
        first.train_on_batch(features, target)
    first.save(tmp_path / "model.keras")
    again = mm.Model.load(tmp_path / "model.keras")
    for features, target in batches[2:]:
        again.train_on_batch(features, target)
    for each in (whole, again):
        each.optimizer.finalize_variable_values(each.trainable_variables)
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
