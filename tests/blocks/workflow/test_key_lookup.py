from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from emrys.blocks.workflow.key_lookup import create_lookup

EXTREMES = [-(2**63) + 1, -1, 0, 1, 2**53 + 1, 2**63 - 1]


@pytest.mark.parametrize(
    "keys",
    [
        [5, 3, 9],  # small range: a table
        [-(2**63) + 1, -(2**63) + 3],  # beside the value that says null
        [2**63 - 1, 2**63 - 4],
        [0, 10**15, -(10**15)],  # large range: a search
        EXTREMES,
        [],
    ],
)
def test_integers_as_a_dictionary_would_find_them(keys: list[int]) -> None:
    rng = np.random.default_rng(0)
    asked = [*EXTREMES, *keys, *(key + 1 for key in keys if key < 2**63 - 1), *rng.integers(-20, 20, 50).tolist()]
    expected = [2 + keys.index(value) if value in keys else 0 for value in asked]
    values = np.array([*asked, -(2**63)], dtype=np.int64)
    before = values.copy()
    result = create_lookup("x", pa.array(keys, pa.int64())).find(values)
    assert result.tolist() == [*expected, 1]
    assert (values == before).all()


def test_strings_as_text_and_as_bytes() -> None:
    lookup = create_lookup("x", pa.array(["ä", "b"]))
    asked = ["ä", "ä".encode(), b"b", "c", b"\xff", "", b"", None, float("nan"), np.str_("b")]
    assert lookup.find(np.array(asked, dtype=object)).tolist() == [2, 2, 3, 0, 0, 1, 1, 1, 1, 3]
    assert lookup.find(np.array(["b", "ä"])).tolist() == [3, 2]
