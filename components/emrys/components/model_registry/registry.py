"""Registry of model versions in a folder or a bucket."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.blocks.io import atomic_directory
from emrys.components.model_registry.version import Pointer, Version
from emrys.components.storage.hashing import checksum, combined_digest
from emrys.components.storage.open_store import open_store

MANIFEST = "manifest.json"
POINTER = "current.json"


class Registry:
    """The versions of one model.

    A version is written files first, manifest last: without a manifest there is no version. The pointer to the version
    in production is one small file that is replaced by compare-and-swap. A writer that is killed leaves files without
    a manifest; `tidy` removes them.

    Layout: `<root>/<name>/versions/<version>/<part>/...`, `<root>/<name>/versions/<version>/manifest.json`,
    `<root>/<name>/current.json`.

    Args:
        root: `gs://bucket/prefix`, `file:///folder`, or a path.
        name: Name of the model, such as `ranking`.

    Raises:
        ConfigError: if the name or the root is not valid.
    """

    def __init__(self, root: str | os.PathLike[str], name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise ConfigError("name of the model", expected="letters, digits, - and _", got=repr(name))
        self.name = name
        self.store = open_store(f"{os.fspath(root).rstrip('/')}/{name}")

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        names = [file.split("/")[1] for file in self.store.names("versions/") if _is_manifest(file)]
        return [self.version(name) for name in names]

    def version(self, name: str) -> Version:
        """Reads one version.

        Raises:
            ArtifactError: if there is no such version.
        """
        file = f"versions/{name}/{MANIFEST}"
        stored = self.store.read(file)
        if stored is None:
            known = [other.split("/")[1] for other in self.store.names("versions/") if _is_manifest(other)]
            raise ArtifactError(
                f"{self.name} has no version {name!r}",
                path=self.store.uri,
                expected=f"one of {', '.join(known[-5:])}" if known else "a version; there is none yet",
            )
        return Version.from_json(stored.content, self.store.location(file))

    def pointer(self) -> Pointer | None:
        """The pointer to the version in production; None if no version was promoted yet."""
        return self._pointer()[0]

    def _pointer(self) -> tuple[Pointer | None, str | None]:
        stored = self.store.read(POINTER)
        if stored is None:
            return None, None
        return Pointer.from_json(stored.content, self.store.location(POINTER)), stored.token

    def current(self) -> Version | None:
        """The version in production; None if no version was promoted yet."""
        pointer = self.pointer()
        return None if pointer is None else self.version(pointer.version)

    def add(self, parts: Mapping[str, Path], facts: Mapping[str, Any] | None = None) -> Version:
        """Adds a version, or returns the existing version with the same files.

        Args:
            parts: Folder or file of each artifact by its name, such as `model`.
            facts: Further JSON values for the manifest.

        Returns:
            The version, which is not in production yet.

        Raises:
            ArtifactError: if a part is missing.
            StorageError: if it cannot be written; no version is added then.
        """
        local = dict(_files(parts))
        checksums = {name: checksum(file) for name, file in local.items()}
        digest = combined_digest((name, checksums[name]["sha256"]) for name in sorted(checksums))[:8]
        for known in self.store.names("versions/"):
            if _is_manifest(known) and known.split("/")[1].endswith(f"-{digest}"):
                return self.version(known.split("/")[1])
        version = Version(
            f"{_stamp()}-{digest}", {name: dict(value) for name, value in checksums.items()}, dict(facts or {})
        )
        for name, file in local.items():
            self.store.upload(file, f"versions/{version.name}/{name}")
        self.store.create(f"versions/{version.name}/{MANIFEST}", version.to_json())
        return version

    def promote(self, name: str, dry_run: bool = False) -> Pointer:
        """Puts a version into production.

        Args:
            name: The version.
            dry_run: Whether to leave the pointer unchanged.

        Returns:
            The new pointer.

        Raises:
            ArtifactError: if there is no such version.
            ConflictError: if another process moved the pointer at the same time.
        """
        version = self.version(name)
        before, token = self._pointer()
        if before is not None and before.version == version.name:
            return before
        previous = () if before is None else (*before.previous, before.version)
        return self._move(Pointer(version.name, previous, _now()), token, dry_run)

    def rollback(self, dry_run: bool = False) -> Pointer:
        """Puts the previous version back into production.

        Raises:
            ArtifactError: if there is no previous version.
        """
        before, token = self._pointer()
        if before is None or not before.previous:
            raise ArtifactError(
                f"{self.name} has no earlier version to go back to",
                path=self.store.uri,
                got="none in production" if before is None else f"only {before.version}",
            )
        version = self.version(before.previous[-1])
        return self._move(Pointer(version.name, before.previous[:-1], _now()), token, dry_run)

    def _move(self, pointer: Pointer, token: str | None, dry_run: bool) -> Pointer:
        if not dry_run:
            self.store.replace(POINTER, pointer.to_json(), token)
        return pointer

    def fetch(self, version: Version, target: Path, part: str | None = None) -> Path:
        """Copies a version, or a part of it, to a local folder.

        Args:
            version: The version.
            target: The folder, which is written atomically.
            part: Name of one artifact. Default: all, each in a folder of its name.

        Returns:
            The folder.

        Raises:
            ArtifactError: if the version has no such part, or a checksum does not match.
        """
        if part is not None and part not in version.parts:
            raise ArtifactError(
                f"version {version.name} has no {part!r}", path=self.store.uri, expected=f"one of {version.parts}"
            )
        with atomic_directory(target) as work:
            for name, expected in version.files.items():
                owner, _, inner = name.partition("/")
                if part in (None, owner):
                    file = work / (name if part is None else inner)
                    self.store.download(f"versions/{version.name}/{name}", file)
                    _check(file, expected, self.store.location(f"versions/{version.name}/{name}"))
        return target

    def tidy(self, older_than: timedelta = timedelta(days=1)) -> list[str]:
        """Removes the files of unfinished versions.

        Args:
            older_than: Minimum age; younger files may belong to a running writer.

        Returns:
            Names of the unfinished versions.
        """
        removed = self.unfinished(older_than)
        for name in removed:
            for file in self.store.names(f"versions/{name}/"):
                self.store.remove(file)
        return removed

    def unfinished(self, older_than: timedelta = timedelta(days=1)) -> list[str]:
        """Names of versions without a manifest, which `tidy` would remove."""
        files = self.store.names("versions/")
        whole = {file.split("/")[1] for file in files if _is_manifest(file)}
        before = _stamp(older_than)
        left = sorted({file.split("/")[1] for file in files} - whole)
        return [name for name in left if name.rsplit("-", 1)[0] < before]


def _is_manifest(file: str) -> bool:
    return file.count("/") == 2 and file.endswith(f"/{MANIFEST}")


def _files(parts: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    for part, path in sorted(parts.items()):
        if path.is_file():
            yield f"{part}/{path.name}", path
            continue
        files = sorted(file for file in path.rglob("*") if file.is_file())
        if not files:
            raise ArtifactError(f"{part} is missing or empty", path=path)
        for file in files:
            yield f"{part}/{PurePosixPath(file.relative_to(path).as_posix())}", file


def _check(file: Path, expected: Mapping[str, Any], where: str) -> None:
    got = checksum(file)
    if got != dict(expected):
        raise ArtifactError(
            "the file is not the one that was added",
            path=where,
            expected=f"SHA-256 {expected['sha256']}",
            got=got["sha256"],
            fix="Roll back to another version, and add this one again.",
        )


def _stamp(ago: timedelta = timedelta(0)) -> str:
    """Time stamp of a version name: UTC, in milliseconds."""
    return f"{(datetime.now(UTC) - ago).strftime('%Y%m%dT%H%M%S.%f')[:-3]}Z"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
