import pyarrow as pa
import pytest

from emrys.components.ingest.content import fingerprint as fingerprint_of
from emrys.components.ingest.split_table import SplitTable

COLUMNS = {"a": [1, 2, None], "b": ["x", None, "yz"], "c": [["p", "q"], [], None]}


def fingerprint(tables):
    return fingerprint_of({name: SplitTable(table) for name, table in tables.items()})


def of(**replaced):
    return fingerprint({"train": pa.table({**COLUMNS, **replaced})})


def test_chunks_and_slices_do_not_matter():
    table = pa.table(COLUMNS)
    longer = pa.concat_tables([table, table, table])
    assert fingerprint({"train": pa.concat_tables([table.slice(0, 1), table.slice(1)])}) == of()
    assert fingerprint({"train": longer.slice(3, 3)}) == of()
    assert fingerprint({"train": longer.combine_chunks().slice(3, 3)}) == of()


def test_values_under_a_null_do_not_matter():
    hidden = pa.Array.from_buffers(pa.int64(), 3, [pa.py_buffer(bytes([0b011])), pa.array([1, 2, 99]).buffers()[1]])
    assert of(a=hidden) == of()


@pytest.mark.parametrize(
    "replaced",
    [
        {"a": [1, 2, 0]},
        {"a": [1, None, 2]},
        {"a": pa.array([1, 2, None], pa.int32())},
        {"b": ["x", "", "yz"]},
        {"b": ["xy", None, "z"]},
        {"b": ["x", None, "zy"]},
        {"c": [["p", "q"], [], []]},
        {"c": [["p"], ["q"], None]},
        {"c": [["pq"], [], None]},
        {"c": [["p", None], [], None]},
        {"d": [1, 2, 3]},
    ],
)
def test_every_other_difference_shows(replaced):
    assert of(**replaced) != of()


def test_names_and_order_of_tables_and_columns_show():
    table = pa.table(COLUMNS)
    tables = [
        {"train": table},
        {"test": table},
        {"train": table, "test": table},
        {"train": table.select(["b", "a", "c"])},
        {"train": table.take([1, 0, 2])},
        {"train": table.rename_columns(["a", "b", "d"])},
    ]
    assert len({fingerprint(each) for each in tables}) == len(tables)
