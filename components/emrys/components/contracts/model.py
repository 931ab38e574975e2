"""Artifact of the steps build_model and train: a Keras model."""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path
from typing import Any

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json
from emrys.components.contracts.artifact import Artifact
from emrys.components.contracts.data_schema import TargetKind

#: What to do if a module of the user's own is not found.
IMPORT_ADVICE = "Put its folder on PYTHONPATH, or install the package; on a cluster, into the image of the step."


class ModelArtifact(Artifact):
    """A model: `model.keras`, `summary.txt` and, once trained, `history.json` and event files in `tensorboard/`.

    Metadata: `config`, `parameters` and `trained`; `targets`, the kind of each target that the model predicts; and
    `modules`, which hold layers of the model and are imported before it is loaded.
    """

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
    def targets(self) -> dict[str, TargetKind]:
        """Kinds of the targets that the model predicts, by name; empty for models of earlier releases."""
        return {name: TargetKind(kind) for name, kind in self.metadata.get("targets", {}).items()}

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
        """Loads the compiled model: a `keras.Model`, mostly an `emrys.blocks.Model`.

        Raises:
            ArtifactError: if a module with layers of the model is missing, or Keras cannot read the file.
        """
        return self.load_file(self.keras_path)

    def load_file(self, file: Path) -> Any:
        """Loads a `.keras` file of the same model, such as a checkpoint; see `load`."""
        # heavy imports: the artifact is also opened in images without TensorFlow
        import keras

        import emrys.blocks.api  # noqa: F401 - registers the layers

        self._import_modules()
        try:
            model = keras.saving.load_model(file)
        except (OSError, TypeError, ValueError, KeyError, zipfile.BadZipFile) as error:
            first_line = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
            raise ArtifactError(
                "Keras cannot load the model",
                path=file,
                got=first_line,
                fix="Was it written by another version of Emrys?",
            ) from error
        if not isinstance(model, keras.Model):
            raise ArtifactError(
                "the file holds no model", path=file, expected="a keras.Model", got=type(model).__name__
            )
        return model

    def _import_modules(self) -> None:
        for name in self.metadata.get("modules", []):
            try:
                importlib.import_module(name)
            except ImportError as error:
                raise ArtifactError(
                    f"the module {name} with layers of the model cannot be imported",
                    path=self.path,
                    got=str(error),
                    fix=IMPORT_ADVICE,
                ) from error
