"""The image `serve` as the chart runs it: it starts, answers, drains, and ends with 0."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import numpy as np
import pytest

from emrys.components.serving.client import EnsembleClient
from emrys.components.serving.server import choose_port
from tests.charts import rendering
from tests.charts.rendering import SERVING, STABLE, merged, of_kind
from tests.components.serving.conftest import models  # noqa: F401 - a fixture
from tests.components.serving.small_ensemble import (
    CONFIG,
    ROWS,
    expected_scores,
    random_rows,
    write_small_repository,
)
from tests.containers.probing import IMAGES

#: Requests wait so long for others in each of the two models: long enough to be under way when the server is stopped.
DELAY = 2.0


@contextlib.contextmanager
def started(
    engine: docker.DockerClient, folder: Path, **options: object
) -> Iterator[docker.models.containers.Container]:
    """A container with the rights and volumes that a pod has; it tells its log when something goes wrong."""
    container = engine.containers.run(
        IMAGES["serve"],
        detach=True,
        user="1000:1000",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        tmpfs={"/tmp": "mode=1777"},
        shm_size="512m",
        volumes={str(folder): {"bind": "/models", "mode": "ro"}},
        **options,
    )
    try:
        yield container
    except BaseException:
        print(container.logs().decode(errors="replace")[-4000:])
        raise
    finally:
        container.remove(force=True)


def status(url: str) -> int:
    try:
        return urllib.request.urlopen(url, timeout=5).status  # noqa: S310 - of this machine
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def wait_for(found, container, seconds=120):
    deadline = time.monotonic() + seconds
    while not found():
        container.reload()
        assert container.status in ("created", "running")
        assert time.monotonic() < deadline
        time.sleep(0.2)


def let_read(folder: Path) -> None:
    """Lets the user of the image read the models, which pytest keeps to its own user."""
    for path in [folder, *folder.parents[:3], *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


@pytest.fixture(scope="module")
def slow_models(tmp_path_factory):
    """The small ensemble, with requests that wait; readable by the user of the image."""
    folder = tmp_path_factory.mktemp("slow")
    config = dataclasses.replace(CONFIG, max_queue_delay=int(DELAY * 1e6))
    write_small_repository(folder / "models", folder, config)
    let_read(folder / "models")
    return folder / "models"


def test_it_answers_the_probes_drains_and_ends_with_0(engine, slow_models):
    with contextlib.ExitStack() as held:
        ports = {name: choose_port("127.0.0.1", 0, held) for name in ("http", "grpc", "metrics")}
    objects = rendering.render(SERVING, merged(STABLE, {"ports": ports}))
    pod = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    command = [*pod["command"], *(text.replace("/repository/models", "/models") for text in pod["args"])]
    environment = {one["name"]: one["value"] for one in pod["env"]}
    ready = f"http://127.0.0.1:{ports['http']}{pod['readinessProbe']['httpGet']['path']}"
    requests = [random_rows(2, seed) for seed in range(8)]
    together = threading.Barrier(len(requests) + 1)

    def ask(rows: list[dict[str, object]], protocol: str) -> np.ndarray:
        with EnsembleClient(f"127.0.0.1:{ports[protocol]}", protocol) as client:
            assert len(client.columns) == 4  # the connection is there, and the server has said what it takes
            together.wait(60)
            return client.predict(rows)

    options = {"command": command, "environment": environment, "network_mode": "host"}
    with started(engine, slow_models, **options) as container, ThreadPoolExecutor(len(requests)) as pool:
        wait_for(lambda: status(ready) == 200, container)
        answers = [pool.submit(ask, rows, ("grpc", "http")[place % 2]) for place, rows in enumerate(requests)]
        together.wait(60)
        time.sleep(DELAY / 2)
        assert [answer.result() for answer in answers if answer.done()] == []  # all are under way
        container.kill("SIGTERM")
        for answer, rows in zip(answers, requests, strict=True):
            np.testing.assert_allclose(answer.result(60), expected_scores(rows), atol=1e-6)
        assert container.wait(timeout=60)["StatusCode"] == 0
        assert status(ready) == 0


def test_by_itself_it_serves_models_and_becomes_healthy(engine, models):  # noqa: F811
    """Nothing but the folder of models is given; Docker asks the health check of the image."""
    let_read(models)
    with started(engine, models, network_mode="none") as container:

        def healthy() -> bool:
            container.reload()
            return container.attrs["State"]["Health"]["Status"] == "healthy"

        wait_for(healthy, container)
        code = (
            "import sys, json; from emrys.components.serving.client import predict;"
            "print(json.dumps(predict('127.0.0.1:8001', json.loads(sys.argv[1])).tolist()))"
        )
        found = container.exec_run(["python3", "-c", code, json.dumps(ROWS)])
        np.testing.assert_allclose(json.loads(found.output.splitlines()[-1]), expected_scores(ROWS), atol=1e-6)
        assert container.exec_run(["sleep", "0"]).exit_code == 0  # what the chart drains with
        container.stop(timeout=60)
        assert container.wait()["StatusCode"] == 0


def test_the_log_of_the_sync_is_one_line_in_the_image(engine):
    """The init container's program is there and says in a line what is wrong."""
    with pytest.raises(docker.errors.ContainerError) as caught:
        engine.containers.run(
            IMAGES["serve"],
            ["python3", "-m", "emrys.components.serving.sync", "s3://bucket/models", "/tmp/models"],
            read_only=True,
            tmpfs={"/tmp": "mode=1777"},
            network_mode="none",
            remove=True,
            stderr=True,
        )
    assert caught.value.exit_status == 2
    assert len(caught.value.stderr.decode().strip().splitlines()) == 1
