import json

import pytest

from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.artifact import Artifact


class Letters(Artifact):
    kind = "letters"
    version = 2
    required = ("a.txt",)


class Numbers(Artifact):
    kind = "numbers"


def write(path, files, metadata=None, kind=Letters):
    with kind.create(path, {} if metadata is None else metadata) as folder:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    return path


def test_round_trip(tmp_path):
    metadata = {}
    with Letters.create(tmp_path / "x", metadata) as folder:
        (folder / "a.txt").write_text("abc")
        metadata["count"] = 3  # filled while the block runs
    opened = Letters.open(tmp_path / "x")
    assert opened.metadata == {"count": 3}
    # echo -n abc | sha256sum
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert opened.files == {"a.txt": {"bytes": 3, "sha256": digest}}


def test_files_in_sub_folders_belong_to_it(tmp_path):
    write(tmp_path / "x", {"a.txt": "a", "deep/b.txt": "bb"})
    assert sorted(Letters(tmp_path / "x").files) == ["a.txt", "deep/b.txt"]


def test_the_fingerprint_is_that_of_the_files(tmp_path):
    first = Letters(write(tmp_path / "1", {"a.txt": "a", "b.txt": "b"}, {"run": 1})).fingerprint
    again = Letters(write(tmp_path / "2", {"b.txt": "b", "a.txt": "a"}, {"run": 2})).fingerprint
    other = Letters(write(tmp_path / "3", {"a.txt": "a", "b.txt": "c"})).fingerprint
    renamed = Letters(write(tmp_path / "4", {"a.txt": "a", "c.txt": "b"})).fingerprint
    assert first == again
    assert len({first, other, renamed}) == 3


def test_a_missing_artifact(tmp_path):
    with pytest.raises(ArtifactError) as error:
        Letters(tmp_path / "x")
    assert str(error.value) == f"{tmp_path}/x: the artifact is missing; expected a folder of kind 'letters'"


def test_a_folder_without_a_manifest(tmp_path):
    with pytest.raises(ArtifactError) as error:
        Letters(tmp_path)
    assert str(error.value) == f"{tmp_path}/manifest.json: the file is missing"


def test_another_kind_or_version_is_refused(tmp_path):
    path = write(tmp_path / "x", {"a.txt": "a"})
    with pytest.raises(ArtifactError) as error:
        Numbers(path)
    assert str(error.value) == (
        f"{path}: the artifact is of another kind; expected 'numbers' version 1, got 'letters' version 2"
    )
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "version": 1}))
    with pytest.raises(ArtifactError, match="expected 'letters' version 2, got 'letters' version 1"):
        Letters(path)


def test_a_file_that_was_taken_away(tmp_path):
    path = write(tmp_path / "x", {"a.txt": "a", "b.txt": "b"})
    (path / "b.txt").unlink()
    with pytest.raises(ArtifactError) as error:
        Letters(path)
    assert str(error.value) == f"{path}/b.txt: a file of the artifact is missing"


def test_a_truncated_file(tmp_path):
    path = write(tmp_path / "x", {"a.txt": "abcdef"})
    (path / "a.txt").write_text("abc")
    with pytest.raises(ArtifactError) as error:
        Letters(path)
    assert str(error.value) == (
        f"{path}/a.txt: a file of the artifact is damaged; expected 6 bytes, got 3. Run the step that wrote it again."
    )


def test_a_step_that_forgets_a_file_leaves_nothing(tmp_path):
    with pytest.raises(ArtifactError) as error:
        write(tmp_path / "x", {"b.txt": "b"})
    assert str(error.value) == f"{tmp_path}/x: the step wrote no a.txt"
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_fails_leaves_what_was_there(tmp_path):
    path = write(tmp_path / "x", {"a.txt": "old"})

    def fail():
        with Letters.create(path, {}) as folder:
            (folder / "a.txt").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (path / "a.txt").read_text() == "old"
    Letters(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_metadata_that_is_no_json_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path / "x", {"a.txt": "a"}, {"auc": float("nan")})
    assert list(tmp_path.iterdir()) == []
