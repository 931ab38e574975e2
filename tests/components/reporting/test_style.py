"""Colours: what is written can be read on what it stands on, in light, in the dark and on paper."""

import re
from pathlib import Path

import pytest

import emrys.components.reporting

CSS = (Path(emrys.components.reporting.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
THEMES = [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in re.findall(r":root \{([^}]*)\}", CSS)]


def luminance(colour):
    # Relative luminance of WCAG 2.
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_measure():
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the example of WCAG's own tools


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark", "print"])
@pytest.mark.parametrize("ink", ["ink", "soft", "model", "second", "third", "good", "bad"])
def test_texts_and_lines_stand_out(theme, ink):
    for ground in ("page", "card", "tint"):
        assert contrast(theme[ink], theme[ground]) >= 4.5, ground


def test_there_is_a_theme_for_each_of_them():
    assert len(THEMES) == 3
    assert all(set(theme) == set(THEMES[0]) for theme in THEMES)
