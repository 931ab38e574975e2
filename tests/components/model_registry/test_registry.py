from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.components.model_registry.registry import Registry
from emrys.components.storage.store import ConflictError

ROOT = Path(__file__).resolve().parents[3]


def _content(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.slow
def test_versions_come_back(registry, make_parts, tmp_path):
    assert registry.versions() == []
    assert registry.current() is None
    version = registry.add(make_parts("a"), {"auc": 0.8})
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}", version.name)
    assert registry.versions() == [version]
    assert version.parts == ["model", "schema"]
    assert version.facts == {"auc": 0.8}
    assert version.size == 1000 + 2 + 1
    assert registry.current() is None, "adding a version does not put it into production"
    registry.fetch(version, tmp_path / "all")
    assert _content(tmp_path / "all") == {
        "model/inner/weights": b"a" * 1000,
        "model/manifest.json": b"{}",
        "schema/schema.pbtxt": b"a",
    }
    registry.fetch(version, tmp_path / "one", part="model")
    assert sorted(_content(tmp_path / "one")) == ["inner/weights", "manifest.json"]


def test_the_same_files_are_one_version(registry, make_parts):
    first = registry.add(make_parts("a"))
    assert registry.add({**make_parts("b"), **_again(first, registry, make_parts)}) == first


def _again(first, registry, make_parts):
    parts = make_parts("c")
    for file in (parts["model"] / "inner" / "weights", parts["schema"]):
        file.write_bytes(file.read_bytes().replace(b"c", b"a"))
    return parts


@pytest.mark.slow
def test_promote_and_roll_back(registry, make_parts, tmp_path):
    one, two, three = (registry.add(make_parts(content)) for content in "abc")
    registry.fetch(one, tmp_path / "before")
    assert registry.promote(one.name).previous == ()
    assert registry.promote(two.name).previous == (one.name,)
    assert registry.promote(two.name).previous == (one.name,), "promoting it twice changes nothing"
    assert registry.promote(three.name, dry_run=True).version == three.name
    assert registry.current() == two, "a dry run changes nothing"
    registry.promote(three.name)
    assert registry.rollback(dry_run=True).version == two.name
    assert registry.current() == three
    assert registry.rollback().version == two.name
    assert registry.rollback().version == one.name
    registry.fetch(registry.current(), tmp_path / "after")
    assert _content(tmp_path / "after") == _content(tmp_path / "before")
    with pytest.raises(ArtifactError, match=f"no earlier version to go back to; got only {one.name}"):
        registry.rollback()


def test_two_that_promote_at_once(registry, make_parts, monkeypatch):
    one, two = registry.add(make_parts("a")), registry.add(make_parts("b"))
    stale = registry._pointer()
    registry.promote(one.name)
    monkeypatch.setattr(registry, "_pointer", lambda: stale)
    with pytest.raises(ConflictError, match=r"current\.json"):
        registry.promote(two.name)
    monkeypatch.undo()
    assert registry.current() == one


def test_an_unknown_version(registry, make_parts):
    with pytest.raises(ArtifactError, match="ranking has no version 'x'; expected a version; there is none yet"):
        registry.promote("x")
    known = registry.add(make_parts("a"))
    with pytest.raises(ArtifactError, match=f"no version 'x'; expected one of {known.name}"):
        registry.promote("x")
    with pytest.raises(ArtifactError, match="has no 'index'; expected one of"):
        registry.fetch(known, Path("nowhere"), part="index")


def test_a_damaged_file(tmp_path, make_parts):
    registry = Registry(tmp_path / "registry", "ranking")
    version = registry.add(make_parts("a"))
    file = tmp_path / "registry" / "ranking" / "versions" / version.name / "model" / "inner" / "weights"
    file.write_bytes(b"b" * 1000)
    with pytest.raises(ArtifactError, match=r"weights: the file is not the one that was added"):
        registry.fetch(version, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_missing_parts(registry, tmp_path):
    with pytest.raises(ArtifactError, match="model is missing or empty"):
        registry.add({"model": tmp_path / "nowhere"})
    with pytest.raises(ConfigError, match="name of the model"):
        Registry(tmp_path, "../elsewhere")


WRITER = """
import sys
from pathlib import Path
from emrys.components.model_registry.registry import Registry
registry = Registry(sys.argv[1], "ranking")
print("ready", flush=True)
for number in range(1000):
    folder = Path(sys.argv[2]) / f"{sys.argv[3]}-{number}"
    folder.mkdir()
    for part in "abcdef":
        (folder / part).write_bytes(f"{number} {part} {sys.argv[3]}".encode() * 20000)
    registry.promote(registry.add({"model": folder}).name)
    if number % 3 == 2:
        registry.rollback()
"""


@pytest.mark.parametrize("kills", [12])
@pytest.mark.slow
def test_a_kill_at_any_moment(registry, tmp_path, kills):
    # Whatever a writer was at: every version that is seen is whole, and the pointer names one of them.
    work = tmp_path / "work"
    work.mkdir()
    for attempt in range(kills):
        root = registry.store.uri.rsplit("/", 1)[0]
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, root, str(work), str(attempt)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(0.01 + (0.07 if root.startswith("gs:") else 0.017) * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        for number, version in enumerate(registry.versions()[-3:]):
            registry.fetch(version, tmp_path / f"{attempt}-{number}")
        pointer = registry.pointer()
        assert pointer is None or registry.current().name == pointer.version
    assert registry.versions(), "the writer never came to write one"
    registry.tidy(older_than=timedelta(0))
    whole = {f"versions/{version.name}" for version in registry.versions()}
    assert {"/".join(name.split("/")[:2]) for name in registry.store.names("versions/")} == whole
    assert registry.current() is None or f"versions/{registry.current().name}" in whole
