"""Versions of what is served, in a folder or a bucket, and a pointer to the one in production."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.blocks.io import atomic_directory
from emrys.components.model_registry.version import Pointer, Version
from emrys.components.storage.open_store import open_store

MANIFEST = "manifest.json"
POINTER = "current.json"


class Registry:
    """The versions of one model.

    Files come first and the manifest last, so that a version exists whole or not at all; the pointer is one small
    file that is replaced only if nobody else has moved it since it was read. A writer that is killed leaves files
    that no reader sees; `tidy` removes them.

    Layout: `<root>/<name>/versions/<version>/<part>/...`, `<root>/<name>/versions/<version>/manifest.json`,
    `<root>/<name>/current.json`.

    Args:
        root: `gs://bucket/prefix`, `file:///folder`, or a path.
        name: Name of the model, such as `ranking`.

    Raises:
        ConfigError: if the name cannot be a folder's, or the root is of another kind.
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
        """One version.

        Raises:
            ArtifactError: if there is none of that name.
        """
        file = f"versions/{name}/{MANIFEST}"
        found = self.store.read(file)
        if found is None:
            known = [known.split("/")[1] for known in self.store.names("versions/") if _is_manifest(known)]
            raise ArtifactError(
                f"{self.name} has no version {name!r}",
                path=self.store.uri,
                expected=f"one of {', '.join(known[-5:])}" if known else "a version; there is none yet",
            )
        return Version.from_json(found.content, self.store.location(file))

    def pointer(self) -> Pointer | None:
        """Which version is in production, and which were; None where none has been promoted."""
        return self._pointer()[0]

    def _pointer(self) -> tuple[Pointer | None, str | None]:
        found = self.store.read(POINTER)
        if found is None:
            return None, None
        return Pointer.from_json(found.content, self.store.location(POINTER)), found.token

    def current(self) -> Version | None:
        """The version in production; None where none has been promoted."""
        pointer = self.pointer()
        return None if pointer is None else self.version(pointer.version)

    def add(self, parts: Mapping[str, Path], facts: Mapping[str, Any] | None = None) -> Version:
        """Makes a version; one with the very same files is given back instead of a second one.

        Args:
            parts: Folder or file of each artifact by its name, such as `model`.
            facts: What the manifest carries besides, JSON.

        Returns:
            The version. It is not in production yet.

        Raises:
            ArtifactError: if a part is missing.
            StorageError: if it cannot be written; no version is seen then.
        """
        local = dict(_files(parts))
        described = {name: _describe(file) for name, file in local.items()}
        fingerprint = _fingerprint(described)
        for known in self.store.names("versions/"):
            if _is_manifest(known) and known.split("/")[1].endswith(f"-{fingerprint}"):
                return self.version(known.split("/")[1])
        version = Version(f"{_stamp()}-{fingerprint}", described, dict(facts or {}))
        for name, file in local.items():
            self.store.upload(file, f"versions/{version.name}/{name}")
        self.store.create(f"versions/{version.name}/{MANIFEST}", version.to_json())
        return version

    def promote(self, name: str, dry_run: bool = False) -> Pointer:
        """Puts a version into production.

        Args:
            name: The version.
            dry_run: Whether only to say what would be done.

        Returns:
            The pointer as it is, or would be.

        Raises:
            ArtifactError: if there is no such version.
            ConflictError: if somebody else moved the pointer at the same moment.
        """
        version = self.version(name)
        before, token = self._pointer()
        if before is not None and before.version == version.name:
            return before
        previous = () if before is None else (*before.previous, before.version)
        return self._move(Pointer(version.name, previous, _now()), token, dry_run)

    def rollback(self, dry_run: bool = False) -> Pointer:
        """Puts the version into production that was there before this one.

        Raises:
            ArtifactError: if there was none before.
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
            target: The folder; it appears whole or not at all.
            part: The artifact that is wanted. Default: all, each in a folder of its name.

        Returns:
            The folder, or the file where the part is one.

        Raises:
            ArtifactError: if the version has no such part, or a file is not what the manifest says.
        """
        if part is not None and part not in version.parts:
            raise ArtifactError(
                f"version {version.name} has no {part!r}", path=self.store.uri, expected=f"one of {version.parts}"
            )
        with atomic_directory(target) as work:
            for name, described in version.files.items():
                owner, _, inner = name.partition("/")
                if part in (None, owner):
                    file = work / (name if part is None else inner)
                    self.store.download(f"versions/{version.name}/{name}", file)
                    _check(file, described, self.store.location(f"versions/{version.name}/{name}"))
        return target

    def tidy(self, older_than: timedelta = timedelta(days=1)) -> list[str]:
        """Removes what writers that were killed have left.

        Args:
            older_than: Younger files may belong to a writer that is still at work.

        Returns:
            Names of the versions that never came to be.
        """
        removed = self.unfinished(older_than)
        for name in removed:
            for file in self.store.names(f"versions/{name}/"):
                self.store.remove(file)
        return removed

    def unfinished(self, older_than: timedelta = timedelta(days=1)) -> list[str]:
        """What `tidy` would remove."""
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


def _describe(file: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return {"bytes": file.stat().st_size, "sha256": digest.hexdigest()}


def _fingerprint(described: Mapping[str, Mapping[str, Any]]) -> str:
    lines = "".join(f"{name}\0{described[name]['sha256']}\0" for name in sorted(described))
    return hashlib.sha256(lines.encode()).hexdigest()[:8]


def _check(file: Path, described: Mapping[str, Any], where: str) -> None:
    got = _describe(file)
    if got != dict(described):
        raise ArtifactError(
            "the file is not the one that was added",
            path=where,
            expected=f"SHA-256 {described['sha256']}",
            got=got["sha256"],
            fix="Go back to another version, and add this one again.",
        )


def _stamp(ago: timedelta = timedelta(0)) -> str:
    """A moment as versions are named after it: UTC, to the millisecond."""
    return f"{(datetime.now(UTC) - ago).strftime('%Y%m%dT%H%M%S.%f')[:-3]}Z"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
