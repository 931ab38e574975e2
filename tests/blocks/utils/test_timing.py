from __future__ import annotations

import io
import logging
import re

import pytest

from emrys.blocks.utils.timing import Timing


def test_one_line():
    file = io.StringIO()
    with Timing("Reading...", file=file) as timing:
        assert file.getvalue() == "Reading..."
    assert re.fullmatch(r"Reading\.\.\. Done in \d+\.\d{3}s\n", file.getvalue())
    assert f"{timing.seconds:.3f}s" in file.getvalue()


def test_two_lines():
    file = io.StringIO()
    with Timing("Reading", file=file, one_line=False):
        file.write("(body)\n")
    assert re.fullmatch(r"Reading\n\(body\)\nReading Done in \d+\.\d{3}s\n", file.getvalue())


def test_standard_output_of_the_moment(capsys):
    with Timing("Reading"):
        pass
    assert re.fullmatch(r"Reading Done in \d+\.\d{3}s\n", capsys.readouterr().out)


def test_logger(caplog, capsys):
    with caplog.at_level(logging.INFO, "a.logger"), Timing("Reading", logger=logging.getLogger("a.logger")):
        pass
    first, second = caplog.records
    assert (first.getMessage(), first.levelname) == ("Reading", "INFO")
    assert re.fullmatch(r"Reading Done in \d+\.\d{3}s", second.getMessage())
    assert capsys.readouterr().out == ""


def test_an_error_passes_and_is_not_called_done():
    file = io.StringIO()
    with pytest.raises(KeyError, match="reason"), Timing("Reading", file=file):
        raise KeyError("reason")
    assert re.fullmatch(r"Reading Failed after \d+\.\d{3}s\n", file.getvalue())
