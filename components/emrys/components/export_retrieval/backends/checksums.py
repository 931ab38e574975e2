"""Checksums of the files that a step reads, looked at before it reads them."""

from __future__ import annotations

from pathlib import Path

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import file_sha256, read_json, write_json

CHECKSUMS = "checksums.json"


def write_checksums(folder: Path) -> None:
    """Writes the SHA-256 of every file in a folder into `checksums.json` there."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != CHECKSUMS)
    write_json(folder / CHECKSUMS, {file.relative_to(folder).as_posix(): file_sha256(file) for file in files})


def check_checksums(folder: Path) -> None:
    """Holds the files of a folder against its `checksums.json`.

    Raises:
        ArtifactError: naming the first file that is missing or another one.
    """
    for name, expected in read_json(folder / CHECKSUMS).items():
        file = folder / name
        if not file.is_file():
            raise ArtifactError("a file of the model is missing", path=file, fix="Export it again.")
        found = file_sha256(file)
        if found != expected:
            raise ArtifactError(
                "a file of the model is damaged",
                path=file,
                expected=f"SHA-256 {expected}",
                got=found,
                fix="Export it again.",
            )
