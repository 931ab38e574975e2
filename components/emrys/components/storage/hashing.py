"""Checksums of files and of listings of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from emrys.blocks.io import file_sha256


class FileChecksum(TypedDict):
    """Size and checksum of a file, as manifests list them."""

    bytes: int
    sha256: str


def checksum(file: Path) -> FileChecksum:
    """Size in bytes and SHA-256 of a file."""
    return {"bytes": file.stat().st_size, "sha256": file_sha256(file)}


def combined_digest(checksums: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the names and checksums of several files.

    Args:
        checksums: Name and checksum of each file; the order counts.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256("".join(f"{name}\0{value}\0" for name, value in checksums).encode()).hexdigest()
