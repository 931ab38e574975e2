"""What the registry says of a version, and of the one in production."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from emrys.blocks.errors import ArtifactError


@dataclass(frozen=True)
class Version:
    """An immutable set of artifacts that belong together.

    Attributes:
        name: When it was added and what is in it, such as `20260131T081500.250Z-1f0e4c22`; names sort in time.
        files: Size in bytes and SHA-256 of each file, by `<part>/<path>`.
        facts: What is worth knowing: metrics, the gate's decision, versions, the revision.
    """

    name: str
    files: dict[str, dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> list[str]:
        """The artifacts, such as `model` and `workflow`."""
        return sorted({file.split("/")[0] for file in self.files})

    @property
    def fingerprint(self) -> str:
        """The end of the name, which is the same for the same files."""
        return self.name.rsplit("-", 1)[-1]

    @property
    def added_at(self) -> str:
        """When it was added, UTC, as in its name."""
        return self.name.rsplit("-", 1)[0]

    @property
    def size(self) -> int:
        """Size of all files in bytes."""
        return sum(int(file["bytes"]) for file in self.files.values())

    def to_json(self) -> bytes:
        """The manifest."""
        return _json(asdict(self))

    @classmethod
    def from_json(cls, content: bytes, where: str) -> Self:
        """Reads a manifest; `where` is for the message when it is none."""
        return cls(**_read(content, where, {"name", "files", "facts"}))


@dataclass(frozen=True)
class Pointer:
    """Which version is in production.

    Attributes:
        version: Its name.
        previous: Those that were so before, oldest first; a rollback goes to the last of them.
        moved_at: When it became so, UTC.
    """

    version: str
    previous: tuple[str, ...] = ()
    moved_at: str = ""

    def to_json(self) -> bytes:
        """The pointer file."""
        return _json(asdict(self))

    @classmethod
    def from_json(cls, content: bytes, where: str) -> Self:
        """Reads a pointer file; `where` is for the message when it is none."""
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
