"""Base class of the artifacts that steps exchange: a folder with a manifest."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import atomic_directory, read_json, write_json
from emrys.components.events import step_usage
from emrys.components.storage.hashing import checksum, combined_digest

MANIFEST = "manifest.json"


class Artifact:
    """A folder that one step writes and other steps read.

    A subclass sets `kind`, the `version` of its layout and the `required` files, and adds methods that read them. The
    manifest lists every file with its size and SHA-256, and holds the metadata of the step, its time and peak memory.

    Args:
        path: The folder. Opening it checks kind, version, and the presence and size of every file.

    Raises:
        ArtifactError: if a check fails.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    required: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise ArtifactError("the artifact is missing", path=self.path, expected=f"a folder of kind {self.kind!r}")
        manifest = read_json(self.path / MANIFEST)
        kind, version = manifest.get("kind"), manifest.get("version")
        if (kind, version) != (self.kind, self.version):
            raise ArtifactError(
                "the artifact is of another kind",
                path=self.path,
                expected=f"{self.kind!r} version {self.version}",
                got=f"{kind!r} version {version}",
            )
        self.files: dict[str, dict[str, Any]] = manifest["files"]
        for name in (*self.required, *self.files):
            file = self.path / name
            if name not in self.files or not file.is_file():
                raise ArtifactError("a file of the artifact is missing", path=file)
            if file.stat().st_size != self.files[name]["bytes"]:
                raise ArtifactError(
                    "a file of the artifact is damaged",
                    path=file,
                    expected=f"{self.files[name]['bytes']} bytes",
                    got=f"{file.stat().st_size}",
                    fix="Run the step that wrote it again.",
                )
        self.metadata: dict[str, Any] = manifest["metadata"]
        #: `seconds` and `peak_memory` in bytes of the step when it wrote the artifact; empty if they are not known.
        self.usage: dict[str, float] = manifest.get("usage") or {}

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the names and contents of all files."""
        return combined_digest((name, self.files[name]["sha256"]) for name in sorted(self.files))

    @classmethod
    @contextlib.contextmanager
    def create(cls, path: str | os.PathLike[str], metadata: dict[str, Any]) -> Iterator[Path]:
        """Creates an artifact atomically: the files are written inside the `with` block, the manifest at its end.

        Args:
            path: Folder of the artifact.
            metadata: Metadata for the manifest; it may be changed until the block ends.

        Yields:
            The folder to write into.
        """
        with atomic_directory(path) as work:
            yield work
            files = sorted(file for file in work.rglob("*") if file.is_file())
            listed = {file.relative_to(work).as_posix(): checksum(file) for file in files}
            missing = [name for name in cls.required if name not in listed]
            if missing:
                raise ArtifactError(f"the step wrote no {missing[0]}", path=path)
            manifest = {
                "kind": cls.kind,
                "version": cls.version,
                "metadata": metadata,
                "files": listed,
                "usage": step_usage(),
            }
            write_json(work / MANIFEST, manifest)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Opens and checks the artifact at `path`."""
        return cls(path)
