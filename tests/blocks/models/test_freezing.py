from __future__ import annotations

import keras
import numpy as np
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests.blocks.models.models import dlrm, rows


@pytest.fixture(autouse=True)
def _same_initial_weights():
    """With unlucky ones no unit of the small model is active, and nothing moves."""
    keras.utils.set_random_seed(1)


def _values(layer):
    return [weight.numpy() for weight in layer.weights]


def _moved(before, layer):
    return [not np.array_equal(old, weight.numpy()) for old, weight in zip(before, layer.weights, strict=True)]


def _trained(model, **options):
    model.compile(keras.optimizers.Adam(0.1), **options)
    model.fit(rows(), epochs=2, verbose=0)
    return model


@pytest.fixture
def model():
    return _trained(dlrm())


def _parts(model):
    (top,) = model.get_blocks_by_name("top")
    (table,) = model.get_blocks_by_name("item_id")
    return top, table


@pytest.mark.slow
def test_frozen_weights_stay_while_the_others_move(model):
    top, table = _parts(model)
    model.freeze_blocks(["top"])
    before, others = _values(top), _values(table)
    _trained(model)
    assert not any(_moved(before, top))
    assert all(_moved(others, table))
    assert model.frozen_blocks == [top]


@pytest.mark.slow
def test_it_holds_without_compiling_again(model):
    top, table = _parts(model)
    model.freeze_blocks(top)
    before, others = _values(top), _values(table)
    model.fit(rows(), verbose=0)
    assert not any(_moved(before, top))
    assert all(_moved(others, table))


@pytest.mark.slow
def test_freezing_before_weights_exist():
    model = dlrm()
    model.freeze_blocks("top")
    top, table = _parts(model)
    model.compile("sgd")
    model.build({name: (None, 1) for name in model.input_schema.column_names})
    before, others = _values(top), _values(table)
    model.fit(rows(), verbose=0)
    assert not any(_moved(before, top))
    assert any(_moved(others, table))


@pytest.mark.slow
def test_unfreezing(model):
    top, table = _parts(model)
    model.freeze_blocks([top, table])
    model.unfreeze_blocks("top")
    assert model.frozen_blocks == [table]
    before, frozen = _values(top), _values(table)
    _trained(model)
    assert all(_moved(before, top))
    assert not any(_moved(frozen, table))
    model.unfreeze_all_frozen_blocks()
    assert model.frozen_blocks == []
    _trained(model)
    assert all(_moved(frozen, table))


@pytest.mark.slow
def test_a_part_of_what_is_frozen_can_be_trained(model):
    body = model.first
    output = model.last
    model.freeze_blocks(body)
    assert model.frozen_blocks == [body]
    model.unfreeze_blocks("item_id")
    top, table = _parts(model)
    before, others = _values(top), _values(table)
    _trained(model)
    assert not any(_moved(before, top))
    assert all(_moved(others, table))
    assert output not in model.frozen_blocks


@pytest.mark.slow
def test_a_saved_model_keeps_it(model, tmp_path):
    model.freeze_blocks(["top", "item_id"])
    _trained(model)
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    assert sorted(block.name for block in loaded.frozen_blocks) == ["item_id", "top"]
    top, table = _parts(loaded)
    before, frozen = _values(top), _values(table)
    loaded.fit(rows(1), verbose=0)
    assert not any([*_moved(before, top), *_moved(frozen, table)])
    assert any(_moved(_values(model.get_blocks_by_name("user_id")[0]), loaded.get_blocks_by_name("user_id")[0]))


@pytest.mark.slow
def test_an_unknown_name(model):
    with pytest.raises(ConfigError, match=r"the model has no block called 'tpo'; expected one of .*, top"):
        model.freeze_blocks(["tpo"])


@pytest.mark.slow
def test_a_block_of_another_model(model):
    with pytest.raises(ConfigError, match="expected blocks of this model, or their names, got mine"):
        model.freeze_blocks(mm.MLPBlock([2], block_name="mine"))


@pytest.mark.slow
def test_outputs_are_found_by_task_name(model):
    assert model.get_blocks_by_name("click/binary_output") == [model.outputs_by_target()["click"]]


def _slots(model):
    return [variable.numpy() for variable in model.optimizer.variables]


@pytest.mark.parametrize("optimizer", [mm.LazyAdam, keras.optimizers.Adam])
@pytest.mark.parametrize("frozen_first", [False, True])
@pytest.mark.slow
def test_the_state_of_the_optimizer_comes_back(optimizer, frozen_first, tmp_path):
    model = dlrm()
    model.compile(optimizer(0.1))
    if frozen_first:
        model.freeze_blocks(["top", "user_id"])
    model.fit(rows(), verbose=0)
    if frozen_first:
        model.unfreeze_blocks("user_id")
        model.compile(optimizer(0.1))  # as the optimizer has no state of the table
        model.fit(rows(), verbose=0)
    model.freeze_blocks("item_id")  # of which it has a state
    model.fit(rows(), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    assert sorted(block.name for block in loaded.frozen_blocks) == sorted(block.name for block in model.frozen_blocks)
    for saved, found in zip(_slots(model), _slots(loaded), strict=True):
        np.testing.assert_array_equal(found, saved)
    for either in (model, loaded):
        either.unfreeze_blocks("item_id")  # without compiling again: the state is there
    again = [either.fit(rows(1), epochs=2, verbose=0).history["loss"] for either in (model, loaded)]
    assert again[0] == again[1]
    table = loaded.get_blocks_by_name("item_id")[0]
    before = _values(table)
    loaded.fit(rows(2), verbose=0)
    assert all(_moved(before, table))
