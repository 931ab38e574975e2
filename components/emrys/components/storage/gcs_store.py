"""File store in a bucket of Google Cloud Storage."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from emrys.blocks.io import atomic_file
from emrys.components.storage.store import ConflictError, StorageError, Store, Stored

#: Bytes per upload request; larger files are sent in several requests, and an upload resumes after the last one.
CHUNK = 16 << 20
#: Status 429, 5xx and lost connections are retried with exponential backoff for two minutes.
RETRY = DEFAULT_RETRY.with_timeout(120.0)
#: Seconds until a request without an answer fails.
TIMEOUT = 60


class GcsStore(Store):
    """Files in a bucket.

    Uses the application default credentials: workload identity on GKE, `gcloud auth application-default login`
    elsewhere. `STORAGE_EMULATOR_HOST` selects an emulator instead.

    Args:
        uri: `gs://bucket`, possibly with a prefix.

    Raises:
        StorageError: if there are no credentials.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        bucket, _, prefix = self.uri.removeprefix("gs://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        try:
            self._bucket = storage.Client().bucket(bucket)
        except auth_exceptions.DefaultCredentialsError:
            raise StorageError(
                "no credentials for Google Cloud Storage",
                path=self.uri,
                fix="Run `gcloud auth application-default login`, or give the pod a service account.",
            ) from None

    def names(self, prefix: str = "") -> list[str]:
        """Names of all files that begin with `prefix`, sorted."""
        return [name for name, _ in self.checksums(prefix)]

    def checksums(self, prefix: str = "") -> list[tuple[str, str]]:
        """Names and checksums of the files that begin with `prefix`."""
        return [(name, f"crc32c {blob.crc32c}") for name, blob in self._blobs(prefix)]

    def versions(self, prefix: str = "") -> list[tuple[str, str]]:
        """Names and tokens of the files that begin with `prefix`; the token is the generation."""
        return [(name, str(blob.generation)) for name, blob in self._blobs(prefix)]

    def _blobs(self, prefix: str) -> list[tuple[str, storage.Blob]]:
        """Names and objects that begin with `prefix`, without the empty objects by which consoles write a folder."""
        with self._translated_errors(prefix):
            blobs = self._bucket.list_blobs(prefix=self._prefix + prefix, retry=RETRY, timeout=TIMEOUT)
            found = {blob.name.removeprefix(self._prefix): blob for blob in blobs if not blob.name.endswith("/")}
        return sorted(found.items())

    def read(self, name: str) -> Stored | None:
        """Content and token of a file, or None if it does not exist."""
        blob = self._blob(name)
        with self._translated_errors(name):
            try:
                content = blob.download_as_bytes(retry=RETRY, timeout=TIMEOUT, checksum="crc32c")
            except exceptions.NotFound:
                return None
        # The download reports the generation that it read; a separate request could return a later one.
        return Stored(content, str(blob.generation))

    def create(self, name: str, content: bytes) -> None:
        """Writes a file that must not exist yet."""
        self._put(name, content, generation=0)

    def replace(self, name: str, content: bytes, token: str | None) -> None:
        """Writes a file if it has not changed since it was read."""
        self._put(name, content, generation=int(token or 0))

    def _put(self, name: str, content: bytes, generation: int) -> None:
        with self._translated_errors(name):
            try:
                self._blob(name).upload_from_string(
                    content, if_generation_match=generation, retry=RETRY, timeout=TIMEOUT, checksum="crc32c"
                )
            except exceptions.PreconditionFailed:
                # After a lost connection, a retry finds the result of its own first attempt.
                present = self.read(name)
                if present is None or present.content != content:
                    raise ConflictError(
                        "another writer changed the file", path=self.location(name), fix="Try again."
                    ) from None

    def upload(self, file: Path, name: str) -> None:
        """Copies a local file to a name that is free or already holds the same bytes."""
        blob = self._blob(name)
        if file.stat().st_size > CHUNK:
            blob.chunk_size = CHUNK
        with self._translated_errors(name):
            try:
                blob.upload_from_filename(
                    str(file), if_generation_match=0, retry=RETRY, timeout=TIMEOUT, checksum="crc32c"
                )
            except exceptions.PreconditionFailed:
                blob.reload(retry=RETRY, timeout=TIMEOUT)
                if blob.crc32c != _crc32c(file):
                    raise ConflictError(
                        "a different file of this name exists already", path=self.location(name)
                    ) from None

    def download(self, name: str, file: Path, token: str | None = None) -> None:
        """Copies a file, or one version of it, to a local path; the client verifies its checksum."""
        blob = self._blob(name)
        generation = None if token is None else int(token)
        with self._translated_errors(name), atomic_file(file) as work:
            try:
                blob.download_to_filename(
                    str(work), if_generation_match=generation, retry=RETRY, timeout=TIMEOUT, checksum="crc32c"
                )
                # Emulators ignore the condition; the download reports the generation that it read.
                current = generation in (None, int(blob.generation))
            except exceptions.PreconditionFailed:
                current = False
            if not current:
                raise ConflictError("another writer changed the file", path=self.location(name), fix="Try again.")

    def remove(self, name: str) -> None:
        """Removes a file if it exists."""
        with self._translated_errors(name), contextlib.suppress(exceptions.NotFound):
            self._blob(name).delete(retry=RETRY, timeout=TIMEOUT)

    def _blob(self, name: str) -> storage.Blob:
        return self._bucket.blob(self._prefix + name)

    @contextlib.contextmanager
    def _translated_errors(self, name: str) -> Iterator[None]:
        """Turns errors of Google's client into a `StorageError`."""
        try:
            yield
        except exceptions.NotFound:
            raise StorageError("the file or the bucket is missing", path=self.location(name)) from None
        except DataCorruption as error:
            raise StorageError(f"the file was damaged on the way ({error})", path=self.location(name)) from error
        except exceptions.Forbidden:
            raise StorageError(
                "access is denied",
                path=self.location(name),
                fix="Give the account a role on the bucket: roles/storage.objectViewer to read, .objectUser to write.",
            ) from None
        except (exceptions.GoogleAPIError, auth_exceptions.GoogleAuthError, ConnectionError) as error:
            raise StorageError(f"the bucket does not answer ({error})", path=self.location(name)) from error


def _crc32c(file: Path) -> str:
    """CRC32C of a file in the notation of Cloud Storage."""
    checksum = google_crc32c.Checksum()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            checksum.update(chunk)
    return base64.b64encode(checksum.digest()).decode()
