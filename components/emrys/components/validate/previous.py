"""Download of the statistics of an earlier run."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.blocks.io import atomic_directory
from emrys.components.model_registry.registry import Registry
from emrys.components.storage.open_store import open_store

PART = "statistics"


def fetch_previous(previous: str, registry: str, name: str, folder: Path) -> Path | None:
    """Downloads the statistics of an earlier run.

    Args:
        previous: Their folder: `gs://bucket/prefix`, `file:///folder`, or a path; empty for those of the registry.
        registry: Root of a registry; empty for none.
        name: Name of the model in the registry, whose version in production has the part `statistics`.
        folder: Folder for the download.

    Returns:
        The folder of the statistics; None without `previous` and registry, or if the registry has none yet.

    Raises:
        ArtifactError: if `previous` does not exist.
        ConfigError: if there is a registry without a model name.
    """
    if previous:
        return _fetch(previous, folder)
    if not registry:
        return None
    if not name:
        raise ConfigError("validate: registry_name", expected="the name of the model in the registry", got="''")
    models = Registry(registry, name)
    version = models.current()
    if version is None or PART not in version.parts:
        return None
    return models.fetch(version, folder, PART)


def _fetch(uri: str, folder: Path) -> Path:
    if not urlsplit(uri).scheme:
        return Path(os.path.expanduser(uri))
    store = open_store(uri)
    names = store.names()
    if not names:
        raise ArtifactError("there are no statistics", path=uri, expected="those of an earlier run")
    with atomic_directory(folder) as work:
        for file in names:
            store.download(file, work / file)
    return folder
