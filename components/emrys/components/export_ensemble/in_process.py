"""An exported ensemble without a server: the same steps, called one after the other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emrys.components.export_ensemble.backends.model import SCORE, ModelStep
from emrys.components.export_ensemble.backends.transform import TransformStep
from emrys.components.export_ensemble.columns import Columns
from emrys.components.export_ensemble.model_config import columns_of, read_config
from emrys.components.export_ensemble.repository import RepositoryNames


class InProcessEnsemble:
    """Runs the models of a repository in this process, wired as the configuration of the ensemble says.

    Args:
        models: Folder that holds one folder per model.
        name: Name of the ensemble.
        version: Version of its models.
        model_step: Class of the step behind the transform.
    """

    def __init__(
        self, models: str | os.PathLike[str], name: str = "ranking", version: int = 1, model_step: Any = ModelStep
    ) -> None:
        names = RepositoryNames(name)
        config = read_config(Path(models) / name / "config.pbtxt")
        self._transform = TransformStep.load(Path(models) / names.transform / str(version))
        self._model = model_step.load(Path(models) / names.model / str(version))
        self._wiring = {step.model_name: dict(step.input_map) for step in config.ensemble_scheduling.step}
        self._names = names
        self.inputs = columns_of(config.input)

    def transform(self, columns: Columns) -> Columns:
        """Transforms raw columns, scalars (B, 1), lists (B, L)."""
        self._transform.check(columns)
        return self._transform(columns)

    def infer(self, columns: Columns) -> Columns:
        """Gives the outputs of the ensemble for raw columns."""
        there = {**columns, **{f"transformed.{name}": values for name, values in self.transform(columns).items()}}
        given = {name: there[between] for name, between in self._wiring[self._names.model].items()}
        self._model.check(given)
        answered: Columns = self._model(given)
        return answered

    def score(self, columns: Columns) -> npt.NDArray[np.float32]:
        """Scores raw columns: (B,) float32."""
        return self.infer(columns)[SCORE].reshape(-1)
