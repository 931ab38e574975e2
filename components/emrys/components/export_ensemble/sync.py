"""Brings a model repository from Cloud Storage, every object checked, whole or not at all.

`python -m emrys.components.export_ensemble.sync gs://bucket/folder DIR` is what pods run before Triton starts.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from emrys.blocks.errors import ArtifactError, ConfigError, DependencyError, EmrysError
from emrys.blocks.io import atomic_directory, file_sha256
from emrys.components.artifacts.base import MANIFEST
from emrys.components.artifacts.triton_repository import TritonRepository

_URL = re.compile(r"gs://([a-z0-9][a-z0-9._-]*[a-z0-9])/(\S+)")
_THREADS = 8


def sync(url: str, target: str | os.PathLike[str]) -> int:
    """Copies a model repository from Cloud Storage into a folder.

    Of an exported repository (one with a manifest) the folder gets the models, after every file has been held against
    the manifest; a plain model repository is copied as it is. Objects are taken in the state in which they were
    listed, and their checksums are compared. The folder appears when everything is there; one that stands there
    already is replaced.

    Args:
        url: `gs://bucket/folder`.
        target: The folder that Triton shall load; not a mount point, but a folder below one.

    Returns:
        The number of files that were copied.

    Raises:
        ConfigError: if the address or the target cannot be used.
        DependencyError: if the client of Cloud Storage is not installed.
        ArtifactError: if there is nothing at the address, no model repository, or a damaged one.
        EmrysError: if Cloud Storage cannot be reached or refuses.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ConfigError("the address cannot be used", path=url, expected="gs://bucket/folder")
    if os.path.ismount(target):
        raise ConfigError(
            "the target is a mount point, which cannot be replaced as a whole",
            path=target,
            fix=f"Give a folder below it: {Path(target) / 'models'}.",
        )
    bucket, prefix = match[1], match[2].rstrip("/") + "/"
    with atomic_directory(target) as work:
        downloaded = work / ".download"
        downloaded.mkdir()
        count = _download(url, bucket, prefix, downloaded)
        models = _models_in(downloaded, url)
        for entry in models.iterdir():
            entry.rename(work / entry.name)
        shutil.rmtree(downloaded)
    return count


def _download(url: str, bucket: str, prefix: str, folder: Path) -> int:
    """Copies the objects below `prefix`; the client compares checksums."""
    try:
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage
        from google.cloud.storage.exceptions import DataCorruption
    except ModuleNotFoundError as missing:
        raise DependencyError(
            f"gs:// needs {missing.name}", path=url, fix="Install it: pip install google-cloud-storage."
        ) from None
    try:
        objects = [one for one in storage.Client().list_blobs(bucket, prefix=prefix) if not one.name.endswith("/")]
        places = [_place(url, folder, one.name.removeprefix(prefix)) for one in objects]
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(_fetch, objects, places))
    except DataCorruption as error:
        raise ArtifactError("an object came damaged", path=url, got=str(error), fix="Try again.") from error
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise EmrysError(
            "Cloud Storage gave an error", path=url, got=f"{type(error).__name__}: {error}", fix=_advice(error)
        ) from error
    if not objects:
        raise ArtifactError(
            "there is nothing at the address", path=url, expected="the folder of an exported repository"
        )
    return len(objects)


def _fetch(one: Any, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    # What was listed, even when somebody writes over it now.
    one.download_to_filename(str(place), if_generation_match=one.generation)


def _place(url: str, folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name:
        raise ArtifactError("an object has a name that leads out of the folder", path=url, got=repr(name))
    return folder.joinpath(*parts)


def _models_in(folder: Path, url: str) -> Path:
    """What Triton loads in what was downloaded, checked against the manifest where there is one."""
    if (folder / MANIFEST).is_file():
        repository = TritonRepository(folder)
        for name, file in repository.files.items():
            found = file_sha256(folder / name)
            if found != file["sha256"]:
                raise ArtifactError(
                    "a file is not the one that was exported",
                    path=f"{url.rstrip('/')}/{name}",
                    expected=f"SHA-256 {file['sha256']}",
                    got=found,
                    fix="Copy the exported repository again.",
                )
        return repository.models
    if not any(folder.glob("*/config.pbtxt")):
        raise ArtifactError(
            "there is no model repository at the address",
            path=url,
            expected=f"{MANIFEST} of an exported repository, or NAME/config.pbtxt",
            got=", ".join(sorted(entry.name for entry in folder.iterdir())),
        )
    return folder


def _advice(error: Exception) -> str | None:
    status = getattr(error, "code", None)
    if status in (401, 403) or "credentials" in str(error).lower():
        return "The pod's account needs roles/storage.objectViewer on the bucket."
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of `python -m emrys.components.export_ensemble.sync`.

    Returns:
        The exit status: 0, 2 for a mistake in what was given, 1 for a failure.
    """
    parser = argparse.ArgumentParser(prog="sync", description="Bring a model repository from Cloud Storage.")
    parser.add_argument("url", help="gs://bucket/folder of an exported repository, or of a plain model repository")
    parser.add_argument("target", help="folder that Triton loads; replaced when it exists")
    given = parser.parse_args(arguments)
    try:
        count = sync(given.url, given.target)
    except EmrysError as error:
        print(f"sync: {error}", file=sys.stderr)
        return error.exit_status
    print(f"{count} files from {given.url}, checked; models in {given.target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
