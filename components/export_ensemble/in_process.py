"""The exported ensemble without a server: the same steps, called one after the other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.export_ensemble.backends.model import SCORE, ModelStep
from components.export_ensemble.backends.transform import TransformStep
from components.export_ensemble.columns import Columns
from components.export_ensemble.repository import RepositoryNames


class InProcessEnsemble:
    """Runs the models of a repository in this process.

    Args:
        models: Folder that holds one folder per model.
        name: Name of the ensemble.
        version: Version of its models.
    """

    def __init__(self, models: str | os.PathLike[str], name: str = "ranking", version: int = 1) -> None:
        names = RepositoryNames(name)
        self._transform = TransformStep.load(Path(models) / names.transform / str(version))
        self._model = ModelStep.load(Path(models) / names.model / str(version))
        self.inputs = self._transform.inputs

    def transform(self, columns: Columns) -> Columns:
        """Transforms raw columns, scalars (B, 1), lists (B, L)."""
        self._transform.check(columns)
        return self._transform(columns)

    def score(self, columns: Columns) -> npt.NDArray[np.float32]:
        """Scores raw columns: (B,) float32."""
        transformed = self.transform(columns)
        self._model.check(transformed)
        scores: npt.NDArray[Any] = self._model(transformed)[SCORE]
        return scores.reshape(-1)
