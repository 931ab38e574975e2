import dataclasses

import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.ingest.config import IngestConfig, SplitMethod


def test_the_method_may_be_given_by_its_value():
    assert IngestConfig(split="per_user").split is SplitMethod.PER_USER
    assert IngestConfig(split=SplitMethod.RANDOM) == IngestConfig(split="random")


def test_a_configuration_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        IngestConfig().seed = 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": ""}, "dataset cannot be used; expected a name or a path, got ''"),
        (
            {"split": "user"},
            "split cannot be used; expected time, per_user, last_per_user, session, random, random_user, column, "
            "given, got 'user'",
        ),
        ({"valid_fraction": 0}, "valid_fraction cannot be used; expected a number between 0 and 1, got 0"),
        ({"test_fraction": 1.0}, "test_fraction cannot be used; expected a number between 0 and 1, got 1.0"),
        ({"test_fraction": "0.1"}, "test_fraction cannot be used; expected a number between 0 and 1, got '0.1'"),
        (
            {"valid_fraction": 0.5, "test_fraction": 0.5},
            "valid_fraction and test_fraction leave nothing for train; expected a sum below 1, got 0.5 + 0.5",
        ),
        ({"seed": -1}, "seed cannot be used; expected a whole number of at least 0, got -1"),
        ({"synthetic_rows": 0}, "synthetic_rows cannot be used; expected a whole number of at least 1, got 0"),
        ({"synthetic_rows": 10.0}, "synthetic_rows cannot be used; expected a whole number of at least 1, got 10.0"),
    ],
)
def test_settings_that_cannot_be(arguments, message):
    with pytest.raises(ConfigError) as error:
        IngestConfig(**arguments)
    assert str(error.value) == message
    assert error.value.exit_status == 2
