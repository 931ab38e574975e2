"""Downloads a model repository from Cloud Storage; it appears only when it is complete and every file is verified.

`python -m emrys.components.serving.sync gs://bucket/folder DIR` is run by pods before Triton starts.
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

from emrys.blocks.errors import ArtifactError, ConfigError, EmrysError
from emrys.blocks.io import atomic_directory, file_sha256
from emrys.components.contracts.artifact import MANIFEST
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.storage.open_store import open_store

_URL = re.compile(r"gs://[a-z0-9][a-z0-9._-]*[a-z0-9]/\S+")
_THREADS = 8


def sync(url: str, target: str | os.PathLike[str]) -> int:
    """Downloads a model repository from Cloud Storage into a folder.

    For an exported repository (one with a manifest) the folder receives the models, after every file has been verified
    against the manifest; a plain model repository is copied as it is. Objects must be in the generation that was
    listed, and their checksums are verified. The folder appears when it is complete and replaces an existing one.

    Args:
        url: `gs://bucket/folder`.
        target: Folder that Triton will load; it must not be a mount point, but can be below one.

    Returns:
        The number of downloaded files.

    Raises:
        ConfigError: if the address or the target is invalid.
        DependencyError: if the client of Cloud Storage is not installed.
        ArtifactError: if the address is empty, or has no model repository or a damaged one.
        StorageError: if Cloud Storage cannot be reached or refuses, or an object changed or was damaged on the way.
    """
    if _URL.fullmatch(url) is None:
        raise ConfigError("the address is invalid", path=url, expected="gs://bucket/folder")
    if os.path.ismount(target):
        raise ConfigError(
            "the target is a mount point, which cannot be replaced",
            path=target,
            fix=f"Use a folder below it: {Path(target) / 'models'}.",
        )
    with atomic_directory(target) as work:
        downloaded = work / ".download"
        downloaded.mkdir()
        count = _download(url, downloaded)
        models = _models_in(downloaded, url)
        for entry in models.iterdir():
            entry.rename(work / entry.name)
        shutil.rmtree(downloaded)
    return count


def _download(url: str, folder: Path) -> int:
    store = open_store(url)
    files = store.versions()
    if not files:
        raise ArtifactError(
            "there are no objects at the address", path=url, expected="the folder of an exported repository"
        )
    names, tokens = zip(*files, strict=True)
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(store.download, names, [_target(url, folder, name) for name in names], tokens))
    return len(files)


def _target(url: str, folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name:
        raise ArtifactError("the name of an object points outside the folder", path=url, got=repr(name))
    return folder.joinpath(*parts)


def _models_in(folder: Path, url: str) -> Path:
    """Finds the models in the downloaded folder and verifies them against the manifest, if there is one."""
    if (folder / MANIFEST).is_file():
        repository = TritonRepository(folder)
        for name, file in repository.files.items():
            actual = file_sha256(folder / name)
            if actual != file["sha256"]:
                raise ArtifactError(
                    "a file differs from the exported one",
                    path=f"{url.rstrip('/')}/{name}",
                    expected=f"SHA-256 {file['sha256']}",
                    got=actual,
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of `python -m emrys.components.serving.sync`.

    Returns:
        The exit status: 0; 2 for an invalid address, target or repository; 1 for a failure.
    """
    parser = argparse.ArgumentParser(prog="sync", description="Download a model repository from Cloud Storage.")
    parser.add_argument("url", help="gs://bucket/folder of an exported repository, or of a plain model repository")
    parser.add_argument("target", help="folder that Triton loads; replaced if it exists")
    options = parser.parse_args(arguments)
    try:
        count = sync(options.url, options.target)
    except EmrysError as error:
        print(f"sync: {error}", file=sys.stderr)
        return error.exit_status
    print(f"{count} files from {options.url}, verified; models in {options.target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
