"""Scores of a stored model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emrys.blocks.errors import ArtifactError
from emrys.components.artifacts.model import ModelArtifact


def predict_scores(model: Path, file: Path, schema: Any, target: str, batch_size: int) -> npt.NDArray[np.float64]:
    """Scores every row of a transformed split, in the order of the file.

    Args:
        model: Model artifact.
        file: Parquet file.
        schema: Merlin schema of the file.
        target: Label whose output is wanted, where the model has several.
        batch_size: Rows scored at once.

    Returns:
        (N, 1) scores.

    Raises:
        ArtifactError: if the model has no output for the target.
    """
    from emrys.blocks.loader import Loader  # TensorFlow comes with it

    network = ModelArtifact(model).load()
    rows = Loader(file, batch_size=batch_size, schema=schema, shuffle=False).to_tf_dataset()
    return pick_output(network.predict(rows, verbose=0), target, model)


def pick_output(outputs: Any, target: str, model: Path) -> npt.NDArray[np.float64]:
    """Takes the scores of one target out of what a model returned.

    Args:
        outputs: An array, or a dict of arrays by output name.
        target: The target.
        model: Where the model came from, for the error.

    Raises:
        ArtifactError: if there is no output for the target.
    """
    if isinstance(outputs, dict):
        names = [name for name in outputs if name in (target, f"{target}/binary_output")]
        if len(names) != 1:
            raise ArtifactError(
                "the model has no output for the target",
                path=model,
                column=target,
                expected=f"{target}/binary_output",
                got=", ".join(outputs),
            )
        outputs = outputs[names[0]]
    return np.asarray(outputs, np.float64)
