"""Where the statistics of an earlier run come from."""

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
    """Brings the statistics of an earlier run here.

    Args:
        previous: Their folder: `gs://bucket/prefix`, `file:///folder`, or a path; empty to look into the registry.
        registry: Root of a registry; empty for none.
        name: Name of the model in it. Its version in production has the statistics as the part `statistics`.
        folder: Where what has to be fetched shall stand.

    Returns:
        The folder; None where nothing is named, or the registry has none yet.

    Raises:
        ArtifactError: if nothing stands at `previous`.
        ConfigError: if a registry is named without a model.
    """
    if previous:
        return _fetch(previous, folder)
    if not registry:
        return None
    if not name:
        raise ConfigError("validate: registry_name", expected="the name of the model in the registry", got="''")
    known = Registry(registry, name)
    version = known.current()
    if version is None or PART not in version.parts:
        return None
    return known.fetch(version, folder, PART)


def _fetch(uri: str, folder: Path) -> Path:
    if not urlsplit(uri).scheme:
        return Path(os.path.expanduser(uri))
    store = open_store(uri)
    names = store.names()
    if not names:
        raise ArtifactError("there are no statistics", path=uri, expected="those of an earlier run")
    with atomic_directory(folder) as work:
        for one in names:
            store.download(one, work / one)
    return folder
