from __future__ import annotations

import numpy as np
import pytest

from emrys.blocks.errors import DataError
from emrys.components.serving.columns import Column
from emrys.components.serving.packing import pack

COLUMNS = (
    Column("id", "int64"),
    Column("price", "float32"),
    Column("name", "string"),
    Column("tags", "string", is_list=True),
    Column("recent", "int64", is_list=True),
)
ROW = {"id": 1, "price": 2.5, "name": "tea", "tags": ["a"], "recent": [1]}


def test_rows_become_arrays():
    rows = [
        {"id": 1, "price": 2.5, "name": "tea", "tags": ["a", "b"], "recent": [7]},
        {"id": np.int64(2), "price": 3, "name": b"\xc3\xa9t\xc3\xa9", "tags": [], "recent": np.array([8, 9])},
        {"id": None, "price": None, "name": None, "tags": None, "recent": None, "more": "is ignored"},
        {"id": float("nan"), "price": float("nan"), "name": float("nan"), "tags": ["é", None], "recent": ()},
    ]
    packed = pack(rows, COLUMNS)
    null = -(2**63)
    assert list(packed) == ["id", "price", "name", "tags", "recent"]
    assert packed["id"].tolist() == [[1], [2], [null], [null]]
    np.testing.assert_array_equal(packed["price"], np.array([[2.5], [3], [np.nan], [np.nan]], np.float32))
    assert packed["name"].tolist() == [[b"tea"], [b"\xc3\xa9t\xc3\xa9"], [b""], [b""]]
    assert packed["tags"].tolist() == [[b"a", b"b"], [b"", b""], [b"", b""], [b"\xc3\xa9", b""]]
    assert packed["recent"].tolist() == [[7, null], [8, 9], [null, null], [null, null]]
    assert {name: str(values.dtype) for name, values in packed.items()} == {
        "id": "int64",
        "price": "float32",
        "name": "object",
        "tags": "object",
        "recent": "int64",
    }


def test_columns_become_the_same_arrays():
    rows = [ROW, {**ROW, "id": 5, "tags": ["x", "y"]}]
    by_column = {name: [row[name] for row in rows] for name in ROW}
    for name, values in pack(rows, COLUMNS).items():
        np.testing.assert_array_equal(pack(by_column, COLUMNS)[name], values)


def test_empty_lists_have_a_length_of_1():
    assert pack([{**ROW, "tags": []}], COLUMNS)["tags"].tolist() == [[b""]]


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({"id": 1.5}, "column 'id': expected int64, got 1.5 (float)"),
        ({"id": True}, "column 'id': expected int64, got True (bool)"),
        ({"id": 2**63}, "column 'id': expected int64, got 9223372036854775808 (int)"),
        ({"price": "2"}, "column 'price': expected float32, got '2' (str)"),
        ({"name": 3}, "column 'name': expected string, got 3 (int)"),
        ({"tags": "a|b"}, "column 'tags': expected a list of string, got 'a|b' (str)"),
        ({"recent": [1, "2"]}, "column 'recent': expected int64, got '2' (str)"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(change, facts):
    with pytest.raises(DataError) as caught:
        pack([ROW, {**ROW, **change}], COLUMNS)
    column, values = facts.split(": ")
    assert str(caught.value).startswith(f"{column}: row 1 ")
    assert str(caught.value).endswith(values)


def test_a_missing_column_is_refused():
    incomplete = {name: value for name, value in ROW.items() if name != "name"}
    with pytest.raises(DataError, match=r"column 'name': row 1 .*; got id, price, tags, recent\."):
        pack([ROW, incomplete], COLUMNS)
    with pytest.raises(DataError, match=r"column 'name': .*; got id, price, tags, recent"):
        pack({name: [value] for name, value in incomplete.items()}, COLUMNS)


def test_columns_of_different_length_are_refused():
    with pytest.raises(DataError, match="length; got 1, 2"):
        pack({**{name: [value] for name, value in ROW.items()}, "id": [1, 2]}, COLUMNS)
