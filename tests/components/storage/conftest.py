from __future__ import annotations

import pytest

from tests.components.storage.emulator import BUCKET, emulator


@pytest.fixture
def gcs(monkeypatch):
    """The emulator; its bucket is `gs://models`."""
    with emulator(monkeypatch) as running:
        yield running


@pytest.fixture(params=["path", "file", "gs"])
def root(request, tmp_path):
    """The root of a store, of each kind."""
    if request.param == "gs":
        request.getfixturevalue("gcs")
        return f"gs://{BUCKET}/some/prefix"
    return str(tmp_path / "root") if request.param == "path" else (tmp_path / "a root").as_uri()
