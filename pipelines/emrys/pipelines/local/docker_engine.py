"""The Docker engine for local runs: availability, images, and mounted folders."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import docker
from docker import errors, types
from kfp import local

from emrys.blocks.errors import DependencyError
from emrys.components.images import PREPROCESS_IMAGE, SERVE_IMAGE, TRAIN_IMAGE

#: Label of the containers of a run; its value is the folder of the run.
LABEL = "emrys.run"


class DockerEngine:
    """Docker engine that runs the steps of one local run as containers.

    Args:
        run: Folder of the run, which labels its containers.
        images: Images of the steps.

    Raises:
        DependencyError: if no engine answers, or it lacks images that no container registry provides.
    """

    def __init__(self, run: Path, images: Iterable[str]) -> None:
        self.run = run
        try:
            self._client = docker.from_env()
            self._client.ping()
        except errors.DockerException as error:
            raise DependencyError(
                f"no Docker engine answers ({error})", fix="Start one, or use --runner subprocess."
            ) from None
        self._require(sorted({*images} & {PREPROCESS_IMAGE, TRAIN_IMAGE, SERVE_IMAGE}))

    def runner(self, read_only: Iterable[Path] = (), writable: Iterable[Path] = ()) -> local.DockerRunner:
        """Creates the runner for `kfp.local`, which also mounts the pipeline root.

        The containers use the host's network, as a local process would, and write files as the caller.

        Args:
            read_only: Files and folders outside the pipeline root that the steps read.
            writable: Folders outside the pipeline root that the steps write.
        """
        mounts = [_bind(path, read_only=True) for path in read_only]
        mounts += [_bind(path, read_only=False) for path in writable]
        return local.DockerRunner(
            user=f"{os.getuid()}:{os.getgid()}",
            environment={"HOME": "/tmp", "PYTHONUNBUFFERED": "1"},  # noqa: S108 - the caller has no home in the image
            network_mode="host",
            labels={LABEL: str(self.run)},
            mounts=mounts,
        )

    def stop_containers(self) -> None:
        """Stops the containers of this run that are still running."""
        for container in self._client.containers.list(filters={"label": f"{LABEL}={self.run}"}):
            with contextlib.suppress(errors.APIError):  # it has already ended
                container.kill()
                container.wait()

    def _require(self, images: Iterable[str]) -> None:
        missing = [image for image in images if not self._has(image)]
        if missing:
            raise DependencyError(
                f"the engine lacks {', '.join(map(repr, missing))}",
                fix="Build them in the project's folder: make images",
            )

    def _has(self, image: str) -> bool:
        try:
            self._client.images.get(image)
        except errors.ImageNotFound:
            return False
        return True


def _bind(path: Path, read_only: bool) -> Any:
    return types.Mount(target=str(path), source=str(path), type="bind", read_only=read_only)
