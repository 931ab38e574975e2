import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.evaluate.config import EvaluateConfig


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("k", 0, "k cannot be used; expected a whole number of at least 1, got 0"),
        ("k", 2.5, "k cannot be used; expected a whole number of at least 1, got 2.5"),
        ("bins", 1, "bins cannot be used; expected a whole number of at least 2, got 1"),
        ("batch_size", -4, "batch_size cannot be used; expected a whole number of at least 1, got -4"),
        ("folds", True, "folds cannot be used; expected a whole number of at least 2, got True"),
        ("smoothing", -1.0, "smoothing cannot be used; expected a number of at least 0, got -1.0"),
        ("smoothing", float("nan"), "smoothing cannot be used; expected a number of at least 0, got nan"),
        ("smoothing", "5", "smoothing cannot be used; expected a number, got '5'"),
        ("target", "", "target cannot be used; expected the name of a column, got ''"),
    ],
)
def test_a_bad_value_is_named(name, value, text):
    with pytest.raises(ConfigError) as caught:
        EvaluateConfig(**{name: value})
    assert str(caught.value) == text
