"""File store in a local folder or on a shared disk."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from emrys.blocks.io import atomic_file, file_sha256
from emrys.components.storage.store import ConflictError, StorageError, Store, Stored


class FileStore(Store):
    """Files in a folder that several processes may use at the same time.

    Args:
        root: The folder; it is created with the first file.
        uri: Name of the root in messages. Default: its path.
    """

    def __init__(self, root: Path, uri: str | None = None) -> None:
        self._root = root
        self.uri = (uri or str(root)).rstrip("/")

    def names(self, prefix: str = "") -> list[str]:
        """Names of all files that begin with `prefix`, sorted."""
        # Files that are being written have names that begin with a dot.
        files = (file.relative_to(self._root) for file in self._root.rglob("*") if file.is_file())
        names = (file.as_posix() for file in files if not file.name.startswith("."))
        return sorted(name for name in names if name.startswith(prefix))

    def checksums(self, prefix: str = "") -> list[tuple[str, str]]:
        """Names and checksums of the files that begin with `prefix`."""
        return [(name, file_sha256(self._root / name)) for name in self.names(prefix)]

    def versions(self, prefix: str = "") -> list[tuple[str, str]]:
        """Names and tokens of the files that begin with `prefix`; the token is the checksum."""
        return self.checksums(prefix)

    def read(self, name: str) -> Stored | None:
        """Content and token of a file, or None if it does not exist."""
        try:
            content = (self._root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Stored(content, hashlib.sha256(content).hexdigest())

    def create(self, name: str, content: bytes) -> None:
        """Writes a file that must not exist yet."""
        with self._locked():
            present = self.read(name)
            if present is not None and present.content != content:
                raise ConflictError("a different file of this name exists already", path=self.location(name))
            self._write(name, content)

    def replace(self, name: str, content: bytes, token: str | None) -> None:
        """Writes a file if it has not changed since it was read."""
        with self._locked():
            present = self.read(name)
            if (present.token if present else None) != token:
                raise _changed(self.location(name))
            self._write(name, content)

    def upload(self, file: Path, name: str) -> None:
        """Copies a local file to a name that is free or already holds the same bytes."""
        target = self._root / name
        if target.exists():
            if file_sha256(target) != file_sha256(file):
                raise ConflictError("a different file of this name exists already", path=self.location(name))
            return
        with atomic_file(target) as work:
            shutil.copyfile(file, work)

    def download(self, name: str, file: Path, token: str | None = None) -> None:
        """Copies a file, or one version of it, to a local path."""
        try:
            with atomic_file(file) as work:
                shutil.copyfile(self._root / name, work)
                if token not in (None, file_sha256(work)):
                    raise _changed(self.location(name))
        except FileNotFoundError:
            raise StorageError("the file is missing", path=self.location(name)) from None

    def remove(self, name: str) -> None:
        """Removes a file, and the folders that become empty."""
        target = self._root / name
        target.unlink(missing_ok=True)
        for folder in target.relative_to(self._root).parents[:-1]:
            with contextlib.suppress(OSError):
                (self._root / folder).rmdir()

    def _write(self, name: str, content: bytes) -> None:
        with atomic_file(self._root / name) as work:
            work.write_bytes(content)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds an exclusive lock on the folder; the lock ends with the process."""
        self._root.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._root / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _changed(location: str) -> ConflictError:
    return ConflictError("another writer changed the file", path=location, fix="Try again.")
