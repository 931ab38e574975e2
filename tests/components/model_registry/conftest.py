from __future__ import annotations

import pytest

from emrys.components.model_registry.registry import Registry
from tests.components.storage.conftest import gcs  # noqa: F401


@pytest.fixture(params=["file", "gs"])
def registry(request, tmp_path):
    """An empty registry, in a folder and in a bucket."""
    if request.param == "gs":
        request.getfixturevalue("gcs")
        return Registry("gs://models/registry", "ranking")
    return Registry(tmp_path / "registry", "ranking")


@pytest.fixture
def make_parts(tmp_path):
    """Makes the parts of a version: two folders and a file, whose content is told."""

    def make(content: str):
        folder = tmp_path / f"parts-{content}"
        (folder / "model" / "inner").mkdir(parents=True)
        (folder / "model" / "inner" / "weights").write_bytes(content.encode() * 1000)
        (folder / "model" / "manifest.json").write_text("{}", encoding="utf-8")
        (folder / "schema.pbtxt").write_text(content, encoding="utf-8")
        return {"model": folder / "model", "schema": folder / "schema.pbtxt"}

    return make
