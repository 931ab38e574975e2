"""The state of a training run on disk, one folder an epoch."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import atomic_directory, read_json, write_json


@dataclass(frozen=True)
class Checkpoint:
    """The state after an epoch.

    Attributes:
        model: The model with its optimizer, a `.keras` file.
        best_weights: The weights after the best epoch so far.
        state: What `Epochs` has to know to go on.
    """

    model: Path
    best_weights: Path
    state: dict[str, Any]


class Checkpoints:
    """Keeps the state after the last epoch, whole.

    Args:
        folder: Where it is kept.
        inputs: What the training depends on; a state that was kept for other inputs is not gone on from.
    """

    def __init__(self, folder: Path, inputs: dict[str, Any]) -> None:
        self._folder = folder
        self._inputs = inputs

    def latest(self) -> Checkpoint | None:
        """The last state for these inputs, None where there is none."""
        for path in sorted(self._folder.glob("epoch-*"), reverse=True):
            try:
                state = read_json(path / "state.json")
            except ArtifactError:
                continue
            if state["inputs"] == self._inputs:
                return Checkpoint(path / "model.keras", path / "best.weights.h5", state)
        return None

    def keep(
        self,
        epoch: int,
        model: keras.Model,
        state: dict[str, Any],
        best: bool,
        judged: Callable[[], AbstractContextManager[None]],
    ) -> Path:
        """Writes the state after `epoch` and drops older ones.

        Args:
            epoch: Number of epochs done.
            model: The model, whose weights become the best ones if `best`.
            state: What has to be known to go on.
            best: Whether this epoch is the best so far.
            judged: Gives the model the weights that are kept as the best ones.

        Returns:
            File with the weights after the best epoch.
        """
        before = self.latest()
        path = self._folder / f"epoch-{epoch:05d}"
        with atomic_directory(path) as work:
            model.save(work / "model.keras")
            if best or before is None:
                with judged():
                    model.save_weights(work / "best.weights.h5")
            else:
                shutil.copyfile(before.best_weights, work / "best.weights.h5")
            write_json(work / "state.json", {**state, "inputs": self._inputs})
        for old in self._folder.glob("epoch-*"):
            if old != path:
                shutil.rmtree(old)
        return path / "best.weights.h5"

    def forget(self) -> None:
        """Removes the states, and the folder if there is nothing else in it."""
        for pattern in ("epoch-*", ".epoch-*"):  # the latter: what a process that was killed had begun
            for path in self._folder.glob(pattern):
                shutil.rmtree(path)
        with contextlib.suppress(OSError):
            self._folder.rmdir()
