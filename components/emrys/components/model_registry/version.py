"""Manifest of a version, and the pointer to the version in production."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from emrys.blocks.errors import ArtifactError


@dataclass(frozen=True)
class Version:
    """An immutable set of artifacts of one run.

    Attributes:
        name: Time when it was added and a digest of its files, such as `20260131T081500.250Z-1f0e4c22`.
        files: Size in bytes and SHA-256 of each file, by `<part>/<path>`.
        facts: Further JSON values: metrics, fingerprints, versions.
    """

    name: str
    files: dict[str, dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> list[str]:
        """Names of the artifacts, such as `model` and `workflow`."""
        return sorted({file.split("/")[0] for file in self.files})

    @property
    def size(self) -> int:
        """Total size of the files in bytes."""
        return sum(int(file["bytes"]) for file in self.files.values())

    def to_json(self) -> bytes:
        """Writes the manifest as JSON."""
        return _json(asdict(self))

    @classmethod
    def from_json(cls, content: bytes, where: str) -> Self:
        """Reads a manifest; `where` is its location for error messages."""
        return cls(**_read(content, where, {"name", "files", "facts"}))


@dataclass(frozen=True)
class Pointer:
    """Pointer to the version in production.

    Attributes:
        version: Name of the version.
        previous: Earlier versions in production, oldest first; a rollback returns to the last one.
        moved_at: Time of the promotion, UTC.
    """

    version: str
    previous: tuple[str, ...] = ()
    moved_at: str = ""

    def to_json(self) -> bytes:
        """Writes the pointer as JSON."""
        return _json(asdict(self))

    @classmethod
    def from_json(cls, content: bytes, where: str) -> Self:
        """Reads a pointer; `where` is its location for error messages."""
        values = _read(content, where, {"version", "previous", "moved_at"})
        return cls(**{**values, "previous": tuple(values["previous"])})


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _read(content: bytes, where: str, keys: set[str]) -> dict[str, Any]:
    try:
        values = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"not a file of the registry ({error})", path=where) from None
    if not isinstance(values, dict) or set(values) != keys:
        raise ArtifactError("not a file of the registry", path=where, expected=f"the keys {', '.join(sorted(keys))}")
    return values
