import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.validate.column_limits import ColumnLimits
from emrys.components.validate.config import CHECKS, OnAnomaly, Severity, ValidateConfig


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"on_anomaly": "shout"}, "validate: on_anomaly; expected stop, mark, got 'shout'"),
        ({"js_distance": 1.5}, "validate: js_distance; expected a number of at least 0 and at most 1, got 1.5"),
        ({"l_infinity": float("nan")}, "validate: l_infinity; expected a number of at least 0 and at most 1, got nan"),
        ({"leak_auc": 0.4}, "validate: leak_auc; expected a number of at least 0.5 and at most 1, got 0.4"),
        ({"min_rows": True}, "validate: min_rows; expected a number of at least 1, got True"),
        ({"min_rows": 10.5}, "validate: min_rows; expected a whole number, got 10.5"),
        ({"max_nulls": None}, "validate: max_nulls; expected a number of at least 0 and at most 1, got nan"),
        ({"min_rows": 10, "max_rows": 5}, "validate: max_rows; expected 0, or at least min_rows 10, got 5"),
        ({"columns": []}, "validate: columns; expected a mapping, got []"),
        ({"columns": {"age": {"mx": 3}}}, "column 'age': the limits cannot be used; expected some of min, max,"),
        ({"columns": {"age": {"min": 3, "max": 2}}}, "column 'age': min lies above max; got 3 and 2"),
        ({"columns": {"age": {"max_distinct": 0}}}, "column 'age': validate: max_distinct; expected a number of at"),
        ({"severity": {"drifts": "off"}}, "validate: severity; expected one of columns, new_column, rows,"),
        ({"severity": {"drift": "fatal"}}, "validate: severity; expected error, warning, off, got 'fatal'"),
    ],
)
def test_impossible_values(settings, text):
    with pytest.raises(ConfigError) as error:
        ValidateConfig(**settings)
    assert str(error.value).startswith(text)


def test_limits_of_a_column_come_from_it_then_from_its_meaning_then_from_all():
    config = ValidateConfig(js_distance=0.2, columns={"stars": {"min": 0.5, "max": 10, "l_infinity": 0.5}})
    assert config.limits("stars") == ColumnLimits(0.5, 10, 0.5, None, 0.2, 0.5, 0.05, 0.95)
    assert config.limits("zipcode") == ColumnLimits(None, None, 0.5, None, 0.2, 0.05, 0.05, 0.95)


def test_values_of_a_configuration_file_are_taken():
    config = ValidateConfig(on_anomaly="mark", severity={"drift": "warning"})
    assert config.on_anomaly is OnAnomaly.MARK
    assert config.severity_of("drift") is Severity.WARNING
    assert config.severity_of("label") is CHECKS["label"][1] is Severity.ERROR
