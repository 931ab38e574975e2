"""Atomic writes of files and folders, JSON files, and checksums."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emrys.blocks.errors import ArtifactError


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Writes a folder atomically: a temporary folder replaces `path` when the block ends without an error.

    Until then `path` is unchanged; after an error the temporary folder is deleted. An existing folder is replaced.

    Args:
        path: Path of the folder. Its parent is created if it is missing.

    Yields:
        The temporary folder, on the same file system as `path`.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        yield work
        # mkdtemp creates a private folder; artifacts are read by pods of other users.
        os.chmod(work, 0o755)  # noqa: S103
        if target.is_dir() and not target.is_symlink():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
            os.replace(target, old / "was")
            os.replace(work, target)
            shutil.rmtree(old)
        elif target.exists() or target.is_symlink():
            raise ArtifactError("a file is in the way of the folder", path=target, fix="Move it away.")
        else:
            os.replace(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Writes a file atomically: a temporary file is renamed to `path` when the block ends without an error.

    It has the suffix of `path`, because some writers (such as that of Keras) infer the format from it.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    work = Path(name)
    try:
        yield work
        os.chmod(work, 0o644)
        os.replace(work, target)
    finally:
        work.unlink(missing_ok=True)


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Writes `value` as JSON with sorted keys, atomically; NaN and infinities are errors."""
    with atomic_file(path) as work:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        work.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file; errors show its path."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError("the file is missing", path=path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"not a JSON file ({error})", path=path) from None
