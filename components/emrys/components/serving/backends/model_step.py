"""The model of a ranking ensemble: transformed rows to scores, through a SavedModel."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from emrys.components.serving.backends.batching import TRANSFORMED_PADDING
from emrys.components.serving.backends.saved_signature import COLUMNS, SAVED_MODEL, SavedSignature
from emrys.components.serving.columns import Columns, read_columns
from emrys.components.serving.score_outputs import SCORE, ScoreOutput


class ModelStep:
    """Computes the outputs of a ranking ensemble.

    Args:
        signature: The model, with the tensors of the outputs.
        outputs: Outputs of the ensemble.
    """

    padding: ClassVar[Mapping[str, object]] = TRANSFORMED_PADDING

    def __init__(self, signature: SavedSignature, outputs: Sequence[ScoreOutput]) -> None:
        self._signature = signature
        self._outputs = tuple(outputs)
        self.inputs = signature.inputs

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> ModelStep:
        """Reads the step from the version folder of a model repository."""
        root = Path(folder)
        columns, rest = read_columns(root / COLUMNS)
        outputs = _outputs(rest)
        tensors = [output.tensor for output in outputs]
        return cls(SavedSignature(root / SAVED_MODEL, columns, tensors), outputs)

    def check(self, columns: Columns) -> None:
        """Raises DataError if an input is missing, has the wrong shape or dtype, or a value out of range."""
        self._signature.check(columns)

    def __call__(self, columns: Columns) -> Columns:
        """Scores a batch.

        Args:
            columns: Transformed columns, scalars (B, 1), lists (B, L), vectors (B, D).

        Returns:
            Each output, (B, 1) or (B, C) for C classes, float32.
        """
        predictions = self._signature.predict(columns)
        return {output.name: output.values(predictions[output.tensor]) for output in self._outputs}


def _outputs(definition: Mapping[str, Any]) -> list[ScoreOutput]:
    if "output" in definition:  # a repository of an earlier release
        return [ScoreOutput(SCORE, definition["output"], target="")]
    return [ScoreOutput.from_json(output) for output in definition["outputs"]]
