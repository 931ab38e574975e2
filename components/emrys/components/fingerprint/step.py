"""Fingerprint of the data, computed from checksums of their files without reading their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyarrow import fs

from emrys.blocks.io import file_sha256
from emrys.components.events import emit, step_events
from emrys.components.recipe.reading import recipe_of
from emrys.components.sources.listing import SourceFile, list_files
from emrys.components.sources.open_source import DATASET_NAMES
from emrys.components.storage.hashing import combined_digest
from emrys.components.storage.open_store import open_store

STEP = "fingerprint"


def run(dataset: str, recipe: Mapping[str, Any] | None = None) -> str:
    """Computes the fingerprint of the data.

    Kubeflow reuses the result of a step for equal arguments, and a path stays equal when the files behind it change.
    With this fingerprint among its arguments, ingest runs again exactly when the data has changed.

    Files on a disk are known by their SHA-256, those of Cloud Storage by the checksums that it keeps, those of S3 by
    size and time of the last change.

    Args:
        dataset: A name, a file, a folder or a glob, also `gs://` or `s3://`; ignored with a recipe.
        recipe: The recipe, as JSON values; its side tables count as well. Default: none.

    Returns:
        16 hexadecimal digits, or the name itself: a name always stands for the same rows.

    Raises:
        DataError: if there is nothing at a path.
        StorageError: if a bucket cannot be read.
    """
    with step_events(STEP):
        paths: list[str | Sequence[str]] = [dataset]
        if recipe:
            checked = recipe_of(recipe)
            paths = [checked.data.path or checked.data.reader, *(table.path for table in checked.tables.values())]
        names = [path for path in paths if path in DATASET_NAMES]
        if names and len(paths) == 1:
            return str(names[0])
        files = {file.name: file for path in paths if path not in DATASET_NAMES for file in list_files(path)}
        digest = combined_digest([*((str(name), "") for name in names), *_checksums(list(files.values()))])[:16]
        emit(STEP, "message", text=f"{len(files)} files, {digest}")
        return digest


def _checksums(files: Sequence[SourceFile]) -> list[tuple[str, str]]:
    """Name below its base and checksum of each file."""
    stored: dict[str, dict[str, str]] = {}
    found = []
    for file in files:
        below = file.path.removeprefix(file.base).lstrip("/")
        if isinstance(file.system, fs.LocalFileSystem):
            found.append((below, file_sha256(Path(file.path))))
        elif file.name.startswith("gs://"):
            folder = f"gs://{file.base}"
            if folder not in stored:
                stored[folder] = dict(open_store(folder).checksums())
            found.append((below, stored[folder][below]))
        else:
            found.append((below, file.version))
    return found
