"""Files in a folder."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from emrys.blocks.io import atomic_file
from emrys.components.storage.store import ConflictError, StorageError, Store, Stored


class FileStore(Store):
    """Files in a folder, which several processes on one machine or a shared disk may use.

    Args:
        root: The folder; it is made with the first file.
        uri: How messages call it. Default: its path.
    """

    def __init__(self, root: Path, uri: str | None = None) -> None:
        self._root = root
        self.uri = (uri or str(root)).rstrip("/")

    def names(self, prefix: str = "") -> list[str]:
        """Names of all files that begin with `prefix`, sorted."""
        # What is being written has a name that begins with a dot.
        found = (file.relative_to(self._root) for file in self._root.rglob("*") if file.is_file())
        names = (file.as_posix() for file in found if not file.name.startswith("."))
        return sorted(name for name in names if name.startswith(prefix))

    def described(self, prefix: str = "") -> list[tuple[str, str]]:
        """Names and checksums of the files that begin with `prefix`."""
        return [(name, _digest(self._root / name)) for name in self.names(prefix)]

    def read(self, name: str) -> Stored | None:
        """A file's content and token; None where there is no such file."""
        try:
            content = (self._root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Stored(content, hashlib.sha256(content).hexdigest())

    def create(self, name: str, content: bytes) -> None:
        """Writes a file that must not be there yet."""
        with self._alone():
            present = self.read(name)
            if present is not None and present.content != content:
                raise ConflictError("a file stands there already", path=self.location(name))
            self._write(name, content)

    def replace(self, name: str, content: bytes, token: str | None) -> None:
        """Writes a file, provided that it is still the one that was read."""
        with self._alone():
            present = self.read(name)
            if (present.token if present else None) != token:
                raise ConflictError("somebody else changed the file", path=self.location(name), fix="Try again.")
            self._write(name, content)

    def upload(self, file: Path, name: str) -> None:
        """Copies a local file to a name that must not be taken yet, or holds the same bytes."""
        target = self._root / name
        if target.exists():
            if _digest(target) != _digest(file):
                raise ConflictError("another file stands there already", path=self.location(name))
            return
        with atomic_file(target) as work:
            shutil.copyfile(file, work)

    def download(self, name: str, file: Path) -> None:
        """Copies a file to a local path."""
        try:
            with atomic_file(file) as work:
                shutil.copyfile(self._root / name, work)
        except FileNotFoundError:
            raise StorageError("the file is missing", path=self.location(name)) from None

    def remove(self, name: str) -> None:
        """Removes a file, and the folders that are empty without it."""
        target = self._root / name
        target.unlink(missing_ok=True)
        for folder in target.relative_to(self._root).parents[:-1]:
            with contextlib.suppress(OSError):
                (self._root / folder).rmdir()

    def _write(self, name: str, content: bytes) -> None:
        with atomic_file(self._root / name) as work:
            work.write_bytes(content)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other processes from checking and writing at the same time; a kill ends it."""
        self._root.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._root / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
