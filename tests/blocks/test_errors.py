import pytest

from emrys.blocks.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    EmrysError,
    ParityError,
    SchemaError,
    ServingError,
)


def test_every_part_has_its_place_in_one_line():
    error = DataError(
        "wrong value\nin line 3",
        step="ingest",
        path="ratings.dat",
        column="rating",
        expected="a number",
        got="'x'",
        fix="Correct the line.",
    )
    assert str(error) == (
        "ingest: ratings.dat: column 'rating': wrong value in line 3; expected a number, got 'x'. Correct the line."
    )


def test_parts_that_are_not_given_leave_no_trace():
    assert str(EmrysError("the disk is full")) == "the disk is full"
    assert str(EmrysError("no rows", got="0")) == "no rows; got 0"
    assert str(EmrysError("no rows", expected="some")) == "no rows; expected some"
    assert str(EmrysError("no rows", column="age")) == "column 'age': no rows"


@pytest.mark.parametrize("kind", [DataError, SchemaError, ConfigError, ArtifactError])
def test_a_mistake_of_the_user_ends_with_status_2(kind):
    assert kind("wrong").exit_status == 2


@pytest.mark.parametrize("kind", [EmrysError, ParityError, ServingError])
def test_a_failure_ends_with_status_1(kind):
    assert kind("failed").exit_status == 1
