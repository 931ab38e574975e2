"""Fetching of files over the network: resumed, retried, checked."""

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

#: Called with the number of bytes that are there and the number there will be (None where it is not known).
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
    """Fetches `url` into the file `target`.

    The bytes go into `<target>.part`, which stays when the connection breaks: the next attempt, in this call or in a
    later one, asks only for the rest. The file gets its name after `verify` has accepted it.

    Args:
        url: What to fetch: https, http or file.
        target: Where to put it. The folder is made when it is missing.
        verify: Raises an `EmrysError` when the file is not what it should be.
        progress: Called as bytes arrive.
        attempts: How often to try before giving up.
        pause: Scale of the random, growing pause between attempts, in seconds.

    Returns:
        The path of the file.

    Raises:
        ConfigError: if `url` is of another kind.
        EmrysError: if the file cannot be fetched, or is not accepted by `verify`; a refused file is deleted.
    """
    if urllib.parse.urlsplit(url).scheme not in ("https", "http", "file"):
        raise ConfigError("not an address to fetch from", path=url, expected="https://, http:// or file://")
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    retrying = Retrying(
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=pause, max=30),
        retry=retry_if_exception(_may_pass),
        reraise=True,
    )
    try:
        retrying(_fetch_rest, url, part, progress)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise EmrysError(
            f"the download failed ({error})",
            path=url,
            fix="Run again, it goes on where it stopped; or get the file in another way and give its path.",
        ) from error
    try:
        verify(part)
    except EmrysError:
        part.unlink()
        if not resumed:
            raise
        # What an earlier call left may be of another file: once more, from the start.
        return download(url, target, verify=verify, progress=progress, attempts=attempts, pause=pause)
    os.replace(part, target)
    return target


def md5(path: str | os.PathLike[str]) -> str:
    """MD5 of a file in hexadecimal: a check against damage, which publishers of data sets give."""
    digest = hashlib.md5(usedforsecurity=False)
    with Path(path).open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _fetch_rest(url: str, part: Path, progress: Progress | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "emrys", **({"Range": f"bytes={have}-"} if have else {})}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme is checked
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return  # all of it was there
            part.unlink()
            raise ConnectionError("the file on the server is shorter than what is here") from error
        raise
    with response:
        if getattr(response, "status", None) != http.client.PARTIAL_CONTENT:
            have = 0  # the server sends it all
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise ConnectionError("the server sent another range than was asked for")
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        with part.open("ab" if have else "wb") as stream:
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have, total)
    if total is not None and have < total:
        raise ConnectionError(f"the connection ended after {have} of {total} bytes")


def _may_pass(error: BaseException) -> bool:
    """Whether another attempt may do better."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _RETRIED
    if isinstance(error, urllib.error.URLError):
        reason = error.reason
        return not isinstance(reason, ssl.SSLCertVerificationError | FileNotFoundError | PermissionError)
    return isinstance(error, http.client.HTTPException | ConnectionError | TimeoutError | ssl.SSLError)
