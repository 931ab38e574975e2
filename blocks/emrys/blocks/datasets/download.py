"""Download of files with resume, retries and verification, and their checksum."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from emrys.blocks.errors import ConfigError, EmrysError

_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 18
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})

#: Called with the number of downloaded bytes and the total (None if unknown).
Progress = Callable[[int, "int | None"], None]


def download(
    url: str,
    target: str | os.PathLike[str],
    *,
    verify: Callable[[Path], None],
    progress: Progress | None = None,
    attempts: int = 5,
    pause: float = 1.0,
) -> Path:
    """Downloads `url` to the file `target`.

    The bytes are written to `<target>.part`, which is kept when the connection breaks: the next attempt, in this or a
    later call, requests only the rest. The file is renamed after `verify` has accepted it.

    Args:
        url: Address of the file: https, http or file.
        target: Path of the result. Its folder is created if it is missing.
        verify: Raises an `EmrysError` if the file is not the expected one.
        progress: Called during the download.
        attempts: Maximum number of attempts.
        pause: Scale of the random exponential pause between attempts, in seconds.

    Returns:
        The path of the file.

    Raises:
        ConfigError: if the scheme of `url` is not supported.
        EmrysError: if the download fails, or `verify` rejects the file, which is then deleted.
    """
    if urllib.parse.urlsplit(url).scheme not in ("https", "http", "file"):
        raise ConfigError("the address is not supported", path=url, expected="https://, http:// or file://")
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    retrying = Retrying(
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=pause, max=30),
        retry=retry_if_exception(_is_transient),
        reraise=True,
    )
    try:
        retrying(_fetch_rest, url, part, progress)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise EmrysError(
            f"the download failed ({error})",
            path=url,
            fix="Run again to resume, or download the file in another way and pass its path.",
        ) from error
    try:
        verify(part)
    except EmrysError:
        part.unlink()
        if not resumed:
            raise
        # The old part may belong to another file, so download again from the start.
        return download(url, target, verify=verify, progress=progress, attempts=attempts, pause=pause)
    os.replace(part, target)
    return target


def md5(path: str | os.PathLike[str]) -> str:
    """MD5 of a file in hexadecimal, the checksum that data set publishers use."""
    digest = hashlib.md5(usedforsecurity=False)
    with Path(path).open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _fetch_rest(url: str, part: Path, progress: Progress | None) -> None:
    received = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "emrys", **({"Range": f"bytes={received}-"} if received else {})}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme is checked
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and received:
            if error.headers.get("Content-Range") == f"bytes */{received}":
                return  # the file is complete
            part.unlink()
            raise ConnectionError("the file on the server is shorter than the downloaded part") from error
        raise
    with response:
        if getattr(response, "status", None) != http.client.PARTIAL_CONTENT:
            received = 0  # the server sends the whole file
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {received}-"):
            part.unlink()
            raise ConnectionError("the server sent another range than requested")
        length = response.headers.get("Content-Length")
        total = None if length is None else received + int(length)
        with part.open("ab" if received else "wb") as stream:
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                received += len(chunk)
                if progress is not None:
                    progress(received, total)
    if total is not None and received < total:
        raise ConnectionError(f"the connection ended after {received} of {total} bytes")


def _is_transient(error: BaseException) -> bool:
    """Whether another attempt can succeed."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _RETRIED
    if isinstance(error, urllib.error.URLError):
        reason = error.reason
        return not isinstance(reason, ssl.SSLCertVerificationError | FileNotFoundError | PermissionError)
    return isinstance(error, http.client.HTTPException | ConnectionError | TimeoutError | ssl.SSLError)
