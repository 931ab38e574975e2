"""The version in production, to be held against a new one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emrys.components.events import emit
from emrys.components.model_registry.registry import Registry

_PARTS = ("workflow", "schema", "model")


@dataclass(frozen=True)
class Production:
    """What scores rows as production does.

    Attributes:
        version: Name of the version.
        workflow: Folder of the workflow that it was promoted with.
        schema: Folder of its schema.
        model: Folder of its model.
    """

    version: str
    workflow: Path
    schema: Path
    model: Path


@contextlib.contextmanager
def in_production(registry: str, name: str, step: str) -> Iterator[Production | None]:
    """Fetches the version in production for as long as the block runs.

    Args:
        registry: Folder or bucket of the registry; empty for none.
        name: Name of the model there.
        step: Step that tells which version it is.

    Yields:
        The version; None where nothing is in production.

    Raises:
        ArtifactError: if the version is damaged.
        StorageError: if the registry cannot be read.
    """
    known = Registry(registry, name) if registry else None
    version = None if known is None else known.current()
    if known is None or version is None:
        if known is not None:
            emit(step, "message", text=f"nothing is in production in {known.store.uri}")
        yield None
        return
    emit(step, "message", text=f"comparing with {version.name}, which is in production")
    with tempfile.TemporaryDirectory(prefix="emrys-production-") as folder:
        parts = {part: known.fetch(version, Path(folder) / part, part) for part in _PARTS}
        yield Production(version.name, **parts)
