"""An exported ensemble without a server: its transform and its model, called one after the other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from emrys.components.serving.backends.batching import BatchStep, answer
from emrys.components.serving.backends.model_step import ModelStep
from emrys.components.serving.backends.transform_step import TransformStep
from emrys.components.serving.columns import Columns
from emrys.components.serving.model_config import EnsembleNames, columns_of, read_config
from emrys.components.serving.score_outputs import SCORE


class ServingStep(BatchStep, Protocol):
    """A transform or model that is loaded from the version folder of a model repository."""

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Loads the step from a version folder."""


class InProcessEnsemble:
    """Runs the models of a repository in this process, connected as the configuration of the ensemble says.

    Args:
        models: Folder that contains one folder per model.
        model_step: Class of the model that follows the transform. Default: `ModelStep`.
        name: Name of the ensemble. Default: ranking.
        version: Version of its models. Default: 1.
    """

    def __init__(
        self,
        models: str | os.PathLike[str],
        model_step: type[ServingStep] = ModelStep,
        name: str = "ranking",
        version: int = 1,
    ) -> None:
        names = EnsembleNames(name)
        config = read_config(Path(models) / name / "config.pbtxt")
        self._transform = TransformStep.load(Path(models) / names.transform / str(version))
        self._model = model_step.load(Path(models) / names.model / str(version))
        input_maps = {step.model_name: dict(step.input_map) for step in config.ensemble_scheduling.step}
        self._model_inputs = input_maps[names.model]
        self.inputs = columns_of(config.input)

    def transform(self, columns: Columns) -> Columns:
        """Transforms raw columns, scalars (B, 1), lists (B, L)."""
        self._transform.check(columns)
        return self._transform(columns)

    def infer(self, columns: Columns) -> Columns:
        """Computes the outputs of the ensemble for raw columns."""
        inputs = self._inputs(columns, self.transform(columns))
        self._model.check(inputs)
        return self._model(inputs)

    def infer_together(self, requests: Sequence[Columns]) -> list[Columns]:
        """Computes the outputs for the raw columns of several requests, joined as the server joins them."""
        transformed = _all_good(answer(self._transform, requests))
        inputs = [self._inputs(*pair) for pair in zip(requests, transformed, strict=True)]
        return _all_good(answer(self._model, inputs))

    def _inputs(self, columns: Columns, transformed: Columns) -> Columns:
        available = {**columns, **{f"transformed.{name}": values for name, values in transformed.items()}}
        return {name: available[source] for name, source in self._model_inputs.items()}

    def score(self, columns: Columns) -> npt.NDArray[np.float32]:
        """Scores raw columns: (B,) float32."""
        return self.infer(columns)[SCORE].reshape(-1)


def _all_good(results: Sequence[Columns | Exception]) -> list[Columns]:
    good: list[Columns] = []
    for result in results:
        if isinstance(result, Exception):
            raise result
        good.append(result)
    return good
