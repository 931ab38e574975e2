"""Opening the store behind a URI."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from emrys.blocks.errors import ConfigError, DependencyError
from emrys.components.storage.store import Store


def open_store(uri: str | os.PathLike[str]) -> Store:
    """Opens the store of a folder or a bucket.

    Args:
        uri: `gs://bucket/prefix`, `file:///folder`, or a path.

    Returns:
        The store. Nothing is read or written yet.

    Raises:
        ConfigError: if the scheme of the URI is not supported.
        DependencyError: if it is a bucket, and the client of Cloud Storage is not installed.
        StorageError: if there are no credentials for a bucket.
    """
    text = os.fspath(uri)
    scheme = urlsplit(text).scheme
    if scheme == "gs":
        try:
            from emrys.components.storage.gcs_store import GcsStore  # heavy import: Google's client takes a second
        except ModuleNotFoundError as missing:
            raise DependencyError(
                f"gs:// needs {missing.name}", path=text, fix="Install it: pip install google-cloud-storage."
            ) from None

        if not urlsplit(text).netloc:
            raise ConfigError("the URI has no bucket", got=text, expected="gs://bucket/prefix")
        return GcsStore(text)
    from emrys.components.storage.file_store import FileStore

    if scheme == "file":
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise ConfigError("the URI points to another machine", got=text, expected="file:///folder")
        return FileStore(Path(unquote(parts.path)), text)
    if scheme or not text:
        raise ConfigError(
            "the storage is not supported", got=repr(text), expected="a path, file:///folder or gs://bucket/prefix"
        )
    return FileStore(Path(text).expanduser().absolute())
