"""Files that appear whole or not at all: written beside their place, then renamed."""

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
    """Gives a fresh folder to fill; it takes the place of `path` when the block ends without an error.

    Until then nothing is seen at `path` but what was there before; after an error the fresh folder is gone. A folder
    that stands at `path` already is replaced.

    Args:
        path: Where the folder shall stand. Its parent is made when it is missing.

    Yields:
        The folder to write into, on the same file system as `path`.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        yield work
        # mkdtemp makes it private; artifacts are read by pods of other users.
        os.chmod(work, 0o755)  # noqa: S103
        if target.is_dir() and not target.is_symlink():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
            os.replace(target, old / "was")
            os.replace(work, target)
            shutil.rmtree(old)
        elif target.exists() or target.is_symlink():
            raise ArtifactError("a file stands where a folder has to be written", path=target, fix="Move it away.")
        else:
            os.replace(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a path to write a file to; it becomes `path` when the block ends without an error.

    The temporary name keeps the suffix of `path`, which some writers (Keras' for one) read the format from.
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


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes `value` as JSON, keys sorted, whole or not at all; NaN and infinities are refused."""
    with atomic_file(path) as work:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        work.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file; says which file it is when that fails."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError("the file is missing", path=path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"not a JSON file ({error})", path=path) from None
