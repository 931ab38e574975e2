"""The folder of the real data sets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import real_data

ROOT = Path(__file__).resolve().parents[1]


def test_a_data_set_is_read_from_the_folder_that_the_variable_names(tmp_path, monkeypatch):
    monkeypatch.setenv("EMRYS_DATA", str(tmp_path))
    (tmp_path / "ml-100k.zip").write_bytes(b"")
    assert real_data.path("ml-100k.zip") == real_data.find("ml-100k.zip") == tmp_path / "ml-100k.zip"


def test_a_relative_folder_starts_at_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMRYS_DATA", "runs/data")
    assert real_data.folder() == ROOT / "runs" / "data"


@pytest.mark.parametrize("value", [None, ""])
def test_the_default_folder_lies_beside_the_repository(monkeypatch, value):
    monkeypatch.delenv("EMRYS_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("EMRYS_DATA", value)
    assert os.path.relpath(real_data.folder(), ROOT) == "../shared/data"


def test_a_test_without_its_data_set_is_skipped_and_says_how_to_run_it(tmp_path, monkeypatch):
    monkeypatch.setenv("EMRYS_DATA", str(tmp_path))
    assert real_data.find("ml-100k.zip") is None
    with pytest.raises(pytest.skip.Exception) as skipped:
        real_data.path("ml-100k.zip")
    assert str(skipped.value) == f"ml-100k.zip is not in {tmp_path}: set EMRYS_DATA to the folder that holds it"
