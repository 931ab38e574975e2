"""Artifact of the steps build_model and train: a Keras model."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json
from emrys.components.contracts.artifact import Artifact


class ModelArtifact(Artifact):
    """A model: the file `model.keras`, its `summary.txt` and, once trained, its `history.json`."""

    kind = "model"
    required = ("model.keras", "summary.txt")

    @property
    def keras_path(self) -> Path:
        """The `.keras` file."""
        return self.path / "model.keras"

    @property
    def summary(self) -> str:
        """Layers, output shapes and numbers of parameters, as text."""
        return (self.path / "summary.txt").read_text(encoding="utf-8")

    @property
    def history(self) -> list[dict[str, Any]]:
        """One entry an epoch: `epoch`, and losses and metrics by name; empty for an untrained model.

        Raises:
            ArtifactError: if the file holds something else.
        """
        if "history.json" not in self.files:
            return []
        file = self.path / "history.json"
        rows = read_json(file)
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "epoch" in row for row in rows):
            raise ArtifactError("the training history is damaged", path=file, expected="one dict an epoch")
        return rows

    def load(self) -> Any:
        """Loads the compiled model.

        Raises:
            ArtifactError: if Keras cannot read the file.
        """
        # heavy import: the artifact is also opened in images without TensorFlow
        import emrys.blocks as mm

        try:
            return mm.Model.load(self.keras_path)
        except (OSError, TypeError, ValueError, KeyError, zipfile.BadZipFile) as error:
            first_line = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
            raise ArtifactError(
                "Keras cannot load the model",
                path=self.keras_path,
                got=first_line,
                fix="Was it written by another version of Emrys?",
            ) from error
