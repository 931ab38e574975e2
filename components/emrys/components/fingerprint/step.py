"""Fingerprint of a data set, computed from checksums of its files without reading its rows."""

from __future__ import annotations

from pathlib import Path

from emrys.blocks.errors import DataError
from emrys.blocks.io import file_sha256
from emrys.components.events import emit, step_events
from emrys.components.ingest.config import DATASET_NAMES
from emrys.components.storage.hashing import combined_digest
from emrys.components.storage.open_store import open_store

STEP = "fingerprint"


def run(dataset: str) -> str:
    """Computes the fingerprint of a data set.

    Kubeflow reuses the result of a step for equal arguments, and a path stays equal when the files behind it change.
    With this fingerprint among its arguments, ingest runs again exactly when the data has changed.

    Args:
        dataset: A name, a file, a folder, or `gs://bucket/folder`.

    Returns:
        16 hexadecimal digits, or the name itself: a name always stands for the same rows.

    Raises:
        DataError: if there is nothing at the path.
        StorageError: if the bucket cannot be read.
    """
    with step_events(STEP):
        if dataset in DATASET_NAMES:
            return dataset
        checksums = _stored_files(dataset) if "://" in dataset else _local_files(Path(dataset).expanduser())
        if not checksums:
            raise DataError(
                "there is no such data set",
                path=dataset,
                expected=f"{', '.join(DATASET_NAMES)} or the path of a data set",
            )
        digest = combined_digest(checksums)[:16]
        emit(STEP, "message", text=f"{len(checksums)} files, {digest}")
        return digest


def _stored_files(uri: str) -> list[tuple[str, str]]:
    folder, _, last = uri.rstrip("/").rpartition("/")
    return open_store(uri).checksums() or [pair for pair in open_store(folder).checksums(last) if pair[0] == last]


def _local_files(path: Path) -> list[tuple[str, str]]:
    if path.is_file():
        return [(path.name, file_sha256(path))]
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name[0] not in "._")
    return [(file.relative_to(path).as_posix(), file_sha256(file)) for file in files]
