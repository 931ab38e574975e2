"""What every artifact between two steps is: a folder with a manifest."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import atomic_directory, file_sha256, read_json, write_json

MANIFEST = "manifest.json"


class Artifact:
    """A folder that one step writes and others read.

    A subclass names its `kind`, the `version` of its layout and the `required` files, and adds methods that read
    them. The manifest lists every file with its size and SHA-256, and carries the metadata of the step.

    Args:
        path: The folder. It is checked when it is opened: kind, version, and that every file is there and whole.

    Raises:
        ArtifactError: if the folder does not fit.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    required: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise ArtifactError("the artifact is missing", path=self.path, expected=f"a folder of kind {self.kind!r}")
        manifest = read_json(self.path / MANIFEST)
        found = (manifest.get("kind"), manifest.get("version"))
        if found != (self.kind, self.version):
            raise ArtifactError(
                "the artifact is of another kind",
                path=self.path,
                expected=f"{self.kind!r} version {self.version}",
                got=f"{found[0]!r} version {found[1]}",
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

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the names and contents of all files: equal data gives an equal fingerprint."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(f"{name}\0{self.files[name]['sha256']}\0".encode())
        return digest.hexdigest()

    @classmethod
    @contextlib.contextmanager
    def create(cls, path: str | os.PathLike[str], metadata: dict[str, Any]) -> Iterator[Path]:
        """Gives a folder to write the files into, and seals it with the manifest.

        Args:
            path: Where the artifact shall stand; nothing is seen there until it is whole.
            metadata: What the manifest carries besides; it may be filled until the block ends.

        Yields:
            The folder to write into.
        """
        with atomic_directory(path) as work:
            yield work
            files = sorted(file for file in work.rglob("*") if file.is_file())
            listed = {file.relative_to(work).as_posix(): _describe(file) for file in files}
            missing = [name for name in cls.required if name not in listed]
            if missing:
                raise ArtifactError(f"the step wrote no {missing[0]}", path=path)
            manifest = {"kind": cls.kind, "version": cls.version, "metadata": metadata, "files": listed}
            write_json(work / MANIFEST, manifest)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Opens and checks the artifact at `path`."""
        return cls(path)


def _describe(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": file_sha256(file)}
