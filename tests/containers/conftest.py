"""The engine and the images, for the tests that start containers."""

from __future__ import annotations

import os

import docker
import pytest

from tests.containers.probing import IMAGES, Probe


@pytest.fixture(scope="session")
def engine():
    """The Docker engine with the images of this version; `make test-containers` asks for it."""
    if not os.environ.get("EMRYS_TEST_CONTAINERS"):
        pytest.skip("containers are started by `make test-containers`: it needs a Docker engine and minutes")
    client = docker.from_env()
    missing = [image for image in IMAGES.values() if not client.images.list(image)]
    assert missing == [], "build them: make images"
    yield client
    client.close()


@pytest.fixture(scope="session")
def probe(engine):
    """Contents of the images, asked once."""
    return Probe(engine)
