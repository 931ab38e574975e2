import enum

import jinja2
import pytest

from emrys.components.reporting.rendering import count, number, percent, render, setting

DASH = "\N{EN DASH}"


class Colour(enum.Enum):
    RED = "red"


def test_numbers():
    assert (number(0.123456), number(-2.5, 1), number(None)) == ("0.1235", "-2.5", DASH)
    assert (count(1234567), count(0), count(None)) == ("1,234,567", "0", DASH)
    assert (percent(0.12345), percent(None)) == ("12.3 %", DASH)


def test_settings():
    assert setting([64, 32]) == "64, 32"
    assert setting({"tags": ["user", "id"], "min": None, "kind": Colour.RED}) == "tags: user, id, kind: red"
    assert [setting(value) for value in ("", None, [], {}, 0, False)] == [DASH, DASH, DASH, DASH, "0", "False"]


def test_a_missing_template_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="'page' is undefined"):
        render("validation.html.j2")
