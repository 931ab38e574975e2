"""The interface of a file store: a local folder or a bucket."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import NamedTuple

from emrys.blocks.errors import EmrysError


class StorageError(EmrysError):
    """Reading or writing a stored file failed."""


class ConflictError(StorageError):
    """Another writer changed the file in the meantime."""


class Stored(NamedTuple):
    """Content of a file, and a token that changes whenever the file changes."""

    content: bytes
    token: str


class Store(abc.ABC):
    """Files by name under one root; `/` in a name separates folders.

    Writes are atomic. When two writers call `create` or `replace` at the same time, one succeeds and the other gets a
    `ConflictError`.
    """

    #: The root as the user wrote it, without a trailing slash.
    uri: str

    @abc.abstractmethod
    def names(self, prefix: str = "") -> list[str]:
        """Names of all files that begin with `prefix`, sorted."""

    @abc.abstractmethod
    def checksums(self, prefix: str = "") -> list[tuple[str, str]]:
        """Names and checksums of all files that begin with `prefix`, sorted; a bucket keeps the checksums itself."""

    @abc.abstractmethod
    def versions(self, prefix: str = "") -> list[tuple[str, str]]:
        """Names and tokens of all files that begin with `prefix`, sorted; see `Stored`."""

    @abc.abstractmethod
    def read(self, name: str) -> Stored | None:
        """Content and token of a file, or None if it does not exist."""

    @abc.abstractmethod
    def create(self, name: str, content: bytes) -> None:
        """Writes a file that must not exist yet.

        Raises:
            ConflictError: if it exists with other content.
        """

    @abc.abstractmethod
    def replace(self, name: str, content: bytes, token: str | None) -> None:
        """Writes a file if it has not changed since it was read.

        Args:
            name: The file.
            content: New content.
            token: Token that `read` returned; None if the file did not exist.

        Raises:
            ConflictError: if the file has changed since then.
        """

    @abc.abstractmethod
    def upload(self, file: Path, name: str) -> None:
        """Copies a local file to a name that is free or already holds the same bytes.

        Raises:
            ConflictError: if the name holds other bytes.
        """

    @abc.abstractmethod
    def download(self, name: str, file: Path, token: str | None = None) -> None:
        """Copies a file to a local path and creates its folder if necessary.

        Args:
            name: The file.
            file: Local path.
            token: Token of the version to copy, of `versions`. Default: the latest.

        Raises:
            ConflictError: if the file is not of that version any more.
            StorageError: if the file does not exist, or was damaged on the way.
        """

    @abc.abstractmethod
    def remove(self, name: str) -> None:
        """Removes a file if it exists."""

    def location(self, name: str) -> str:
        """URI of a file, for messages."""
        return f"{self.uri}/{name}"
