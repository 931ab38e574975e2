"""Download of the MovieLens archives from GroupLens into a cache folder."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from emrys.blocks.datasets.download import Progress, download, md5
from emrys.blocks.datasets.file_source import FileSource
from emrys.blocks.errors import ConfigError, DataError, EmrysError

_SERVER = "https://files.grouplens.org/datasets/movielens"


@dataclasses.dataclass(frozen=True)
class MovieLensArchive:
    """A published archive and its checksums.

    Args:
        name: Name of the file.
        md5: MD5 of the archive as published.
        members: MD5 of the files that are read from it. A repacked archive with the same files is accepted too.
    """

    name: str
    md5: str
    members: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def verify(self, path: Path) -> None:
        """Checks that `path` is this archive.

        Raises:
            EmrysError: if it is not.
        """
        digest = md5(path)
        if digest != self.md5 and not self._is_repacked(path):
            raise EmrysError(
                "the checksum of the file differs",
                path=path,
                expected=f"MD5 {self.md5}",
                got=digest,
                fix="Run again; if it fails again, download the file in another way and pass its path.",
            )

    def _is_repacked(self, path: Path) -> bool:
        if not self.members:
            return False
        try:
            source = FileSource(path)
            return all(
                member in source.names and hashlib.md5(source.read(member), usedforsecurity=False).hexdigest() == digest
                for member, digest in self.members.items()
            )
        except DataError:
            return False


ARCHIVES = {
    "ml-100k": MovieLensArchive(
        "ml-100k.zip",
        "0e33842e24a9c977be4e0107933c0723",
        {
            "ml-100k/u.data": "6e47046882bad158b0efbb84cd5cb987",
            "ml-100k/u.item": "c9e7f390115d79079537301d5204f3f7",
            "ml-100k/u.user": "1b53539edc13caad0282c8500608a319",
        },
    ),
    "ml-1m": MovieLensArchive("ml-1m.zip", "c4d9eecfca2ab87c1945afe126590906"),
}


def fetch_movielens(
    variant: str,
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    server: str = _SERVER,
    progress: Progress | None = None,
) -> Path:
    """Downloads an archive of MovieLens from GroupLens, unless it is in the cache folder.

    Args:
        variant: `ml-100k` or `ml-1m`.
        cache_dir: The cache folder; by default `emrys` in `$XDG_CACHE_HOME` or in `~/.cache`.
        server: Address of the folder of the archive: a mirror, or `file://` and a path.
        progress: Called with the downloaded and the total number of bytes.

    Returns:
        The path of the zip archive, for `load_movielens`.

    Raises:
        ConfigError: if the variant is unknown.
        EmrysError: if the download fails or the checksum is wrong.
    """
    if variant not in ARCHIVES:
        raise ConfigError("unknown MovieLens data set", expected=" or ".join(ARCHIVES), got=repr(variant))
    archive = ARCHIVES[variant]
    target = _cache_folder(cache_dir) / archive.name
    if target.exists():
        try:
            archive.verify(target)
        except EmrysError:
            target.unlink()
        else:
            return target
    return download(f"{server.rstrip('/')}/{archive.name}", target, verify=archive.verify, progress=progress)


def _cache_folder(cache_dir: str | os.PathLike[str] | None) -> Path:
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "emrys"
