"""Scores of the trained model and of the model in production."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from emrys.blocks.errors import ArtifactError
from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.model_registry.production import ProductionVersion

if TYPE_CHECKING:  # Merlin imports TensorFlow if it is installed
    from merlin.schema import Schema


def predict_scores(model: Path, file: Path, schema: Schema, target: str, batch_size: int) -> npt.NDArray[np.float64]:
    """Scores every row of a transformed split, in the order of the file.

    Args:
        model: Model artifact.
        file: Parquet file.
        schema: Merlin schema of the file.
        target: Label whose output is used if the model has several.
        batch_size: Rows of a batch.

    Returns:
        (N, 1) scores.

    Raises:
        ArtifactError: if the model has no output for the target.
    """
    from emrys.blocks.loader import Loader  # heavy import: TensorFlow

    network = ModelArtifact(model).load()
    rows = Loader(file, batch_size=batch_size, schema=schema, shuffle=False).to_tf_dataset()
    return pick_output(network.predict(rows, verbose=0), target, model)


def pick_output(outputs: npt.ArrayLike | dict[str, npt.ArrayLike], target: str, model: Path) -> npt.NDArray[np.float64]:
    """Selects the output of one target.

    Args:
        outputs: An array, or a dict of arrays by output name.
        target: The target.
        model: Path of the model, for the error.

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


def production_scores(
    production: ProductionVersion, raw: Path, target: str, batch_size: int
) -> npt.NDArray[np.float64]:
    """Scores raw rows with the model in production and its own workflow.

    Args:
        production: The version in production.
        raw: Raw test split.
        target: Column of the label.
        batch_size: Rows of a batch.

    Returns:
        (N,) probabilities.

    Raises:
        ArtifactError: if the version is damaged.
    """
    table = pq.read_table(raw, partitioning=None)
    transformed = FittedWorkflow.load(production.workflow).transform_table(table)
    schema = FeatureSchema(production.schema).schema
    for name in schema.column_names:  # labels do not go through the workflow
        if name not in transformed.column_names and name in table.column_names:
            transformed = transformed.append_column(name, table[name])
    with tempfile.TemporaryDirectory(prefix="emrys-production-") as folder:
        rows = Path(folder) / "rows.parquet"
        pq.write_table(transformed, rows)
        scores = predict_scores(ModelArtifact(production.model).path, rows, schema, target, batch_size)
    return np.asarray(scores, np.float64).reshape(-1)
