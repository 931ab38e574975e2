import dataclasses

import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.settings import column_settings, suggestion
from emrys.components.infer_schema.config import ColumnOverride
from emrys.components.validate.config import ValidateConfig


@dataclasses.dataclass(frozen=True)
class Limits:
    least: float = 0.0
    most: float = 1.0

    def __post_init__(self):
        if self.least > self.most:
            raise ConfigError("least lies above most")


def test_the_nearest_name():
    known = ["drift", "null_drift", "rows"]
    assert suggestion(["drift", "drfit", "rwos"], known) == "Did you mean 'drift'?"
    assert suggestion(["drift", "rows"], known) is None
    assert suggestion(["xyz"], known) is None
    assert suggestion([3], known) is None


def test_settings_of_a_column():
    assert column_settings(Limits, "the limits", "age", {"most": 5}) == Limits(0.0, 5)
    assert column_settings(Limits, "the limits", "age", Limits(1.0)) == Limits(1.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"mots": 3},
            "column 'age': the limits cannot be used; expected some of least, most, got {'mots': 3}."
            " Did you mean 'most'?",
        ),
        ([3], "column 'age': the limits cannot be used; expected some of least, most, got [3]"),
        ({"least": 2}, "column 'age': least lies above most"),
    ],
)
def test_settings_that_cannot_be(value, text):
    with pytest.raises(ConfigError) as caught:
        column_settings(Limits, "the limits", "age", value)
    assert str(caught.value) == text


def test_settings_by_column_and_by_check():
    with pytest.raises(ConfigError, match=r"Did you mean 'max_nulls'\?$"):
        ValidateConfig(columns={"age": {"max_nul": 0.1}})
    with pytest.raises(ConfigError, match=r"Did you mean 'age'\?$"):
        ValidateConfig(columns={"agee": {"max_nulls": 0.1}}).check_columns(["age", "zip"])
    with pytest.raises(
        ConfigError, match=r"validate: severity; expected one of .*, got 'drfit'\. Did you mean 'drift'\?$"
    ):
        ValidateConfig(severity={"drfit": "off"})
    with pytest.raises(ConfigError, match=r"column 'age': the override cannot be used; .* Did you mean 'tags'\?$"):
        ColumnOverride.of("age", {"tag": ["user"]})
