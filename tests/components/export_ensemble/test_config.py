from __future__ import annotations

import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.export_ensemble.config import ExportConfig


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("name", "../evil", "letters, digits, _ and -, a letter first, got '../evil'"),
        ("version", 0, "at least 1, got 0"),
        ("max_batch_size", 0, "at least 1, got 0"),
        ("instances", -1, "at least 1, got -1"),
        ("threads", 0, "at least 1, got 0"),
        ("parity_rows", 0, "at least 1, got 0"),
        ("tolerance", float("nan"), "more than 0, got nan"),
        ("column_tolerance", 0.0, "more than 0, got 0.0"),
        ("start_timeout", -5.0, "more than 0, got -5.0"),
        ("max_queue_delay", -1, "0 or more microseconds, got -1"),
        ("preferred_batch_sizes", (64, 2000), r"1 to max_batch_size (1024), got (64, 2000)"),
    ],
)
def test_a_value_out_of_range_is_refused(field, value, expected):
    with pytest.raises(ConfigError) as caught:
        ExportConfig(**{field: value})
    assert str(caught.value).startswith(f"ExportConfig.{field} ")
    assert str(caught.value).endswith(f"expected {expected}")
