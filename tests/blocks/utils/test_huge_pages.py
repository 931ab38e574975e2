"""Pages of 2 MiB for large variables."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.utils.huge_pages import huge_page_size, prefer_huge_pages, prefer_huge_pages_for_training

ROWS = 200_000  # of 16 values: 12.2 MiB

needs_huge_pages = pytest.mark.skipif(not huge_page_size(), reason="this kernel gives no pages of 2 MiB")


def _advised(variable) -> bool:
    """Whether Linux was asked for huge pages for the memory in the middle of a variable: the flag `hg` of smaps."""
    memory = np.asarray(variable.value.read_value())
    place, inside = memory.ctypes.data + memory.nbytes // 2, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first = line.split()[0]
        if "-" in first:
            start, end = (int(each, 16) for each in first.split("-"))
            inside = start <= place < end
        elif inside and first == "VmFlags:":
            return "hg" in line.split()
    raise AssertionError(f"no memory is mapped at {place:#x}")


@needs_huge_pages
def test_a_variable_is_advised_and_keeps_its_values():
    values = tf.random.stateless_uniform([ROWS, 16], [1, 2])
    variable = keras.Variable(values + 0)
    assert not _advised(variable)
    prefer_huge_pages(variable)
    assert _advised(variable)
    np.testing.assert_array_equal(variable, values)


@needs_huge_pages
def test_tables_and_optimizer_slots_of_a_model_are_advised():
    schema = Schema([mm.create_categorical_column("item", ROWS - 1)])
    inputs = mm.Embeddings(schema, dim=16, aggregation="concat")
    model = mm.Model(inputs, mm.BinaryOutput("click"))
    model.compile(mm.LazyAdam())
    model.build({"item": (None, 1)})
    table = inputs["item"].embeddings
    assert not _advised(table)
    prefer_huge_pages_for_training(model)
    (slots,) = [each for each in model.optimizer.variables if each.shape == (ROWS, 32)]
    assert _advised(table)
    assert _advised(slots)


def test_small_variables_are_left_alone():
    variable = keras.Variable(np.arange(6.0))
    prefer_huge_pages(variable)
    np.testing.assert_array_equal(variable, np.arange(6.0))


@pytest.mark.parametrize(
    ("enabled", "expected"),
    [("[always] madvise never", 2097152), ("always [madvise] never", 2097152), ("always madvise [never]", 0)],
)
def test_the_kernel_is_obeyed(tmp_path, enabled, expected):
    (tmp_path / "enabled").write_text(enabled + "\n")
    (tmp_path / "hpage_pmd_size").write_text("2097152\n")
    assert huge_page_size(tmp_path) == expected


def test_a_system_without_them_has_none(tmp_path):
    assert huge_page_size(tmp_path / "absent") == 0
