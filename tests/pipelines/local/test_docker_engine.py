"""Checks of a Docker engine before a run, against a small fake engine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from emrys.blocks.errors import DependencyError
from emrys.components.images import PREPROCESS_IMAGE, SERVE_IMAGE, TRAIN_IMAGE
from emrys.pipelines.local.docker_engine import DockerEngine


@pytest.fixture
def engine(monkeypatch):
    """A fake engine with the image of preprocess only; yields the names of the requested images."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = {"ApiVersion": "1.41", "Id": "sha256:1"}
            exists = True
            if "/images/" in self.path:
                asked.append(self.path.split("/images/")[1].removesuffix("/json"))
                exists = asked[-1] == PREPROCESS_IMAGE
            answer = json.dumps(body if exists else {"message": "no such image"}).encode()
            self.send_response(200 if exists else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
    yield asked
    server.shutdown()
    server.server_close()


def test_images_that_no_registry_has_must_be_there(engine, tmp_path):
    with pytest.raises(DependencyError) as caught:
        DockerEngine(tmp_path, [PREPROCESS_IMAGE, TRAIN_IMAGE, SERVE_IMAGE, "registry.example/own:1"])
    assert str(caught.value) == (
        f"the engine lacks {SERVE_IMAGE!r}, {TRAIN_IMAGE!r}. Build them in the project's folder: make images"
    )
    assert engine == sorted([PREPROCESS_IMAGE, TRAIN_IMAGE, SERVE_IMAGE])  # the other one is pulled when it is needed


def test_present_files_are_enough(engine, tmp_path):
    DockerEngine(tmp_path, [PREPROCESS_IMAGE, "registry.example/own:1"])
    assert engine == [PREPROCESS_IMAGE]
