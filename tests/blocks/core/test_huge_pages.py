"""Pages of 2 MiB for large variables."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.core.huge_pages import huge_page_size, prefer_huge_pages

ROWS = 200_000  # of 16 values: 12.2 MiB

needs_huge_pages = pytest.mark.skipif(not huge_page_size(), reason="this kernel gives no pages of 2 MiB")


def _advised(variable) -> bool:
    """Whether Linux was told to keep the memory in the middle of a variable in large pages: the flag `hg` of smaps."""
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
@pytest.mark.parametrize("in_a_graph", [False, True])
def test_tables_and_what_optimizers_remember_of_them_are_advised(in_a_graph):
    table = mm.EmbeddingTable(16, mm.create_categorical_column("item", ROWS - 1))
    optimizer = mm.LazyAdam()

    def build():
        if not table.built:
            table.build((None, 1))
        optimizer.build(table.trainable_variables)

    (tf.function(build) if in_a_graph else build)()  # a first step of `fit` builds both
    (slots,) = [each for each in optimizer.variables if each.shape == (ROWS, 32)]
    assert _advised(table.embeddings)
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
