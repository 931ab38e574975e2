import math
import os
import stat

import pytest

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import atomic_directory, atomic_file, read_json, write_json


class InterruptedWriteError(Exception):
    pass


def half_a_folder(target):
    with atomic_directory(target) as work:
        (work / "new.txt").write_text("new")
        raise InterruptedWriteError


def half_a_file(target):
    with atomic_file(target) as work:
        work.write_text("half")
        raise InterruptedWriteError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_when_it_is_whole(tmp_path):
    target = tmp_path / "new" / "folder"
    with atomic_directory(target) as work:
        (work / "a.txt").write_text("a")
        assert not target.exists()
    assert (target / "a.txt").read_text() == "a"
    assert names(target.parent) == ["folder"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_a_folder_replaces_the_one_before_it(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with atomic_directory(target) as work:
        (work / "new.txt").write_text("new")
        assert names(target) == ["old.txt"]
    assert names(target) == ["new.txt"]
    assert names(tmp_path) == ["folder"]


def test_after_an_error_the_old_folder_stands_and_nothing_else(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with pytest.raises(InterruptedWriteError):
        half_a_folder(target)
    assert names(target) == ["old.txt"]
    assert names(tmp_path) == ["folder"]


def test_a_file_in_the_place_of_a_folder_is_kept(tmp_path):
    target = tmp_path / "folder"
    target.write_text("precious")
    with pytest.raises(ArtifactError, match="a file is in the way of the folder"), atomic_directory(target):
        pass
    assert target.read_text() == "precious"
    assert names(tmp_path) == ["folder"]


def test_a_file_appears_when_it_is_whole(tmp_path):
    target = tmp_path / "model.keras"
    with atomic_file(target) as work:
        assert work.suffix == ".keras"
        work.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert names(tmp_path) == ["model.keras"]


def test_after_an_error_the_old_file_stands_and_nothing_else(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(InterruptedWriteError):
        half_a_file(target)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.json"]


def test_json_is_the_same_whatever_the_order_of_its_keys(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": ["é"]})
    write_json(tmp_path / "b.json", {"a": ["é"], "b": 1})
    text = '{\n  "a": [\n    "é"\n  ],\n  "b": 1\n}\n'
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == text
    assert (tmp_path / "b.json").read_text(encoding="utf-8") == text
    assert read_json(tmp_path / "a.json") == {"a": ["é"], "b": 1}


def test_nan_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"auc": math.nan})
    assert os.listdir(tmp_path) == []


def test_reading_json_names_the_file(tmp_path):
    with pytest.raises(ArtifactError) as missing:
        read_json(tmp_path / "none.json")
    assert str(missing.value) == f"{tmp_path}/none.json: the file is missing"
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(ArtifactError, match=r"half\.json: not a JSON file \(Expecting value: line 1"):
        read_json(tmp_path / "half.json")
