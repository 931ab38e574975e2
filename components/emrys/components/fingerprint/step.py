"""Names the content of a data set without reading its rows."""

from __future__ import annotations

import hashlib
from pathlib import Path

from emrys.blocks.errors import DataError
from emrys.components.events import emit, running
from emrys.components.storage.open_store import open_store

STEP = "fingerprint"

#: Data sets that are made or fetched: the same name gives the same rows, since downloads are held against checksums.
NAMED = ("synthetic", "ml-100k", "ml-1m")


def run(dataset: str) -> str:
    """Names the content of what a data set's name or path stands for.

    Kubeflow reuses what a step gave for equal arguments. A path says nothing of what is in it today; with this
    fingerprint among the arguments of ingest, equal data is not ingested again and changed data is.

    Args:
        dataset: A name, a file, a folder, or `gs://bucket/folder`.

    Returns:
        16 hexadecimal digits; for a named data set its name.

    Raises:
        DataError: if there is nothing at the path.
        StorageError: if the bucket cannot be read.
    """
    with running(STEP):
        if dataset in NAMED:
            return dataset
        described = _objects(dataset) if "://" in dataset else _files(Path(dataset).expanduser())
        if not described:
            raise DataError(
                "there is no such data set", path=dataset, expected=f"{', '.join(NAMED)} or the path of a data set"
            )
        digest = hashlib.sha256("".join(f"{name}\0{what}\0" for name, what in described).encode()).hexdigest()[:16]
        emit(STEP, "message", text=f"{len(described)} files, {digest}")
        return digest


def _objects(uri: str) -> list[tuple[str, str]]:
    folder, _, last = uri.rstrip("/").rpartition("/")
    found = open_store(uri).described() or [one for one in open_store(folder).described(last) if one[0] == last]
    return sorted(found)


def _files(path: Path) -> list[tuple[str, str]]:
    if path.is_file():
        return [(path.name, _digest(path))]
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name[0] not in "._")
    return [(file.relative_to(path).as_posix(), _digest(file)) for file in files]


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
