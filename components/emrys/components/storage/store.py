"""What can be done with files wherever they are kept."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import NamedTuple

from emrys.blocks.errors import EmrysError


class StorageError(EmrysError):
    """Files cannot be read or written where they are kept."""


class ConflictError(StorageError):
    """Somebody else wrote the file in the meantime."""


class Stored(NamedTuple):
    """A file's content, and a token that changes whenever the file does."""

    content: bytes
    token: str


class Store(abc.ABC):
    """Files by name under one root; a name holds `/` between folders.

    Every file appears whole or not at all. What two writers do at once is settled by `create` and `replace`: one of
    them wins, the other gets a `ConflictError`.
    """

    #: The root, as the user wrote it, without a slash at the end.
    uri: str

    @abc.abstractmethod
    def names(self, prefix: str = "") -> list[str]:
        """Names of all files that begin with `prefix`, sorted."""

    @abc.abstractmethod
    def described(self, prefix: str = "") -> list[tuple[str, str]]:
        """The same with a checksum of each file's content, which is not read for it where the store keeps one."""

    @abc.abstractmethod
    def read(self, name: str) -> Stored | None:
        """A file's content and token; None where there is no such file."""

    @abc.abstractmethod
    def create(self, name: str, content: bytes) -> None:
        """Writes a file that must not be there yet.

        Raises:
            ConflictError: if it is there with other content.
        """

    @abc.abstractmethod
    def replace(self, name: str, content: bytes, token: str | None) -> None:
        """Writes a file, provided that it is still the one that was read.

        Args:
            name: The file.
            content: What shall be in it.
            token: What `read` gave with it; None where there was no file.

        Raises:
            ConflictError: if the file has changed since.
        """

    @abc.abstractmethod
    def upload(self, file: Path, name: str) -> None:
        """Copies a local file to a name that must not be taken yet, or holds the same bytes.

        Raises:
            ConflictError: if other bytes are there.
        """

    @abc.abstractmethod
    def download(self, name: str, file: Path) -> None:
        """Copies a file to a local path, whose folder is made when it is missing.

        Raises:
            StorageError: if there is no such file.
        """

    @abc.abstractmethod
    def remove(self, name: str) -> None:
        """Removes a file; one that is not there is no error."""

    def location(self, name: str) -> str:
        """Where a file is, for messages."""
        return f"{self.uri}/{name}"
