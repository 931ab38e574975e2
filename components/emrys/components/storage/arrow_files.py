"""Arrow's file systems behind URIs, for reading files by parts and listing folders."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pyarrow import fs

from emrys.blocks.errors import ConfigError
from emrys.components.storage.store import StorageError

#: Requests to a bucket are retried for so long.
_RETRY = datetime.timedelta(seconds=120)


def open_files(uri: str) -> tuple[fs.FileSystem, str]:
    """Opens the file system of a URI.

    Buckets use the credentials of the environment: the application default credentials of Google Cloud, or the chain of
    AWS (variables, profile, role of the machine). `STORAGE_EMULATOR_HOST` and `AWS_ENDPOINT_URL` select other servers.

    Args:
        uri: A path, `file:///folder`, `gs://bucket/folder` or `s3://bucket/folder`; it may be a glob.

    Returns:
        The file system, and the path in it.

    Raises:
        ConfigError: if the scheme is not supported, or a bucket is missing.
        StorageError: if the bucket cannot be found.
    """
    scheme, separator, path = uri.partition("://")
    if not separator:
        return fs.LocalFileSystem(), str(Path(uri).expanduser().absolute())
    if scheme == "file":
        parts = urlsplit(uri)
        if parts.netloc not in ("", "localhost"):
            raise ConfigError("the URI points to another machine", got=uri, expected="file:///folder")
        return fs.LocalFileSystem(), unquote(path.removeprefix("localhost"))
    if scheme not in ("gs", "s3"):
        raise ConfigError(
            "the storage is not supported", got=repr(uri), expected="a path, or file://, gs:// or s3:// and a path"
        )
    path = path.strip("/")
    if not path:
        raise ConfigError("the URI has no bucket", got=uri, expected=f"{scheme}://bucket/folder")
    with bucket_errors(uri):
        return (_google() if scheme == "gs" else _amazon(path.partition("/")[0])), path


@contextlib.contextmanager
def bucket_errors(uri: str) -> Iterator[None]:
    """Turns errors of Arrow's file systems into a `StorageError` that names a URI; errors of local files pass."""
    try:
        yield
    except FileNotFoundError:
        if "://" not in uri:
            raise
        raise StorageError("the file or the bucket is missing", path=uri, fix="Check the name.") from None
    except OSError as error:
        if not uri.startswith(("gs://", "s3://")):
            raise
        text = str(error)
        if any(sign in text for sign in ("PERMISSION_DENIED", "ACCESS_DENIED", "Forbidden", "UNAUTHENTICATED")):
            fix = "Give the account a role that may list and read the bucket."
            raise StorageError("access is denied", path=uri, fix=fix) from None
        raise StorageError(f"the bucket does not answer ({text})", path=uri) from error


def _google() -> fs.FileSystem:
    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    if not emulator:
        return fs.GcsFileSystem(retry_time_limit=_RETRY)
    scheme, _, host = emulator.rpartition("://")
    return fs.GcsFileSystem(
        anonymous=True, scheme=scheme or "http", endpoint_override=host.rstrip("/"), retry_time_limit=_RETRY
    )


def _amazon(bucket: str) -> fs.FileSystem:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return fs.FileSystem.from_uri(f"s3://{bucket}")[0]  # finds the region of the bucket
    scheme, _, host = endpoint.rpartition("://")
    return fs.S3FileSystem(endpoint_override=host.rstrip("/"), scheme=scheme or "https")
