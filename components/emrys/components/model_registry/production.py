"""Downloading the version in production, to compare a new model with it."""

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
class ProductionVersion:
    """Local copy of the version in production.

    Attributes:
        version: Name of the version.
        workflow: Folder of its workflow.
        schema: Folder of its schema.
        model: Folder of its model.
    """

    version: str
    workflow: Path
    schema: Path
    model: Path


@contextlib.contextmanager
def production_version(registry: str, name: str, step: str) -> Iterator[ProductionVersion | None]:
    """Downloads the version in production to a temporary folder.

    Args:
        registry: Folder or bucket of the registry; empty for none.
        name: Name of the model in the registry.
        step: Step that reports the version in its log.

    Yields:
        The version; None if nothing is in production.

    Raises:
        ArtifactError: if the version is damaged.
        StorageError: if the registry cannot be read.
    """
    if not registry:
        yield None
        return
    models = Registry(registry, name)
    version = models.current()
    if version is None:
        emit(step, "message", text=f"nothing is in production in {models.store.uri}")
        yield None
        return
    emit(step, "message", text=f"comparing with {version.name}, which is in production")
    with tempfile.TemporaryDirectory(prefix="emrys-production-") as folder:
        parts = {part: models.fetch(version, Path(folder) / part, part) for part in _PARTS}
        yield ProductionVersion(version.name, **parts)
