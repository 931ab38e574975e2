"""Checkpoints of a training run."""

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
    """State after an epoch.

    Attributes:
        model: `.keras` file of the model with its optimizer.
        best_weights: Weights of the best epoch so far.
        state: State of `Epochs`.
    """

    model: Path
    best_weights: Path
    state: dict[str, Any]


class Checkpoints:
    """Keeps the state after the last epoch in a folder, written atomically.

    Args:
        folder: Folder of the checkpoints.
        inputs: Fingerprints of the inputs; a checkpoint of other inputs is not resumed.
    """

    def __init__(self, folder: Path, inputs: dict[str, Any]) -> None:
        self._folder = folder
        self._inputs = inputs

    def latest(self) -> Checkpoint | None:
        """Latest checkpoint for these inputs, or None."""
        for path in sorted(self._folder.glob("epoch-*"), reverse=True):
            try:
                state = read_json(path / "state.json")
            except ArtifactError:
                continue
            if state["inputs"] == self._inputs:
                return Checkpoint(path / "model.keras", path / "best.weights.h5", state)
        return None

    def save(
        self,
        epoch: int,
        model: keras.Model,
        state: dict[str, Any],
        best: bool,
        evaluation_weights: Callable[[], AbstractContextManager[None]],
    ) -> Path:
        """Writes a checkpoint and deletes older ones.

        Args:
            epoch: Number of finished epochs.
            model: The model.
            state: State of `Epochs`.
            best: Whether this epoch is the best so far.
            evaluation_weights: Context in which the model has the weights to keep as the best ones.

        Returns:
            File with the weights of the best epoch.
        """
        before = self.latest()
        path = self._folder / f"epoch-{epoch:05d}"
        with atomic_directory(path) as work:
            model.save(work / "model.keras")
            if best or before is None:
                with evaluation_weights():
                    model.save_weights(work / "best.weights.h5")
            else:
                shutil.copyfile(before.best_weights, work / "best.weights.h5")
            write_json(work / "state.json", {**state, "inputs": self._inputs})
        for old in self._folder.glob("epoch-*"):
            if old != path:
                shutil.rmtree(old)
        return path / "best.weights.h5"

    def delete(self) -> None:
        """Deletes the checkpoints, and the folder if it is empty then."""
        for pattern in ("epoch-*", ".epoch-*"):  # the latter: unfinished checkpoints of a killed process
            for path in self._folder.glob(pattern):
                shutil.rmtree(path)
        with contextlib.suppress(OSError):
            self._folder.rmdir()
