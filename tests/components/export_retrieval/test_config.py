from __future__ import annotations

import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.export_retrieval.config import ExportRetrievalConfig


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("k", 0, "at least 1, got 0"),
        ("name", "../evil", "letters, digits, _ and -, a letter first, got '../evil'"),
        ("parity_rows", 0, "at least 1, got 0"),
    ],
)
def test_a_value_out_of_range_is_refused(field, value, expected):
    with pytest.raises(ConfigError) as caught:
        ExportRetrievalConfig(**{field: value})
    assert str(caught.value).startswith(f"ExportRetrievalConfig.{field} ")
    assert str(caught.value).endswith(f"expected {expected}")
