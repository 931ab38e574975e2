"""From a URI to the store behind it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from emrys.blocks.errors import ConfigError
from emrys.components.storage.store import Store


def open_store(uri: str | os.PathLike[str]) -> Store:
    """Opens the folder or bucket that a URI names.

    Args:
        uri: `gs://bucket/prefix`, `file:///folder`, or a path.

    Returns:
        Its store; nothing is written or asked yet.

    Raises:
        ConfigError: if the URI is of another kind.
        StorageError: if a bucket is named and there are no credentials.
    """
    text = os.fspath(uri)
    scheme = urlsplit(text).scheme
    if scheme == "gs":
        from emrys.components.storage.gcs_store import GcsStore  # Google's client takes a second to import

        if not urlsplit(text).netloc:
            raise ConfigError("the URI names no bucket", got=text, expected="gs://bucket/prefix")
        return GcsStore(text)
    from emrys.components.storage.file_store import FileStore

    if scheme == "file":
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise ConfigError("the URI names another machine", got=text, expected="file:///folder")
        return FileStore(Path(unquote(parts.path)), text)
    if scheme or not text:
        raise ConfigError("no such storage", got=repr(text), expected="a path, file:///folder or gs://bucket/prefix")
    return FileStore(Path(text).expanduser().absolute())
