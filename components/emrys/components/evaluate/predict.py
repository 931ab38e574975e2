"""Scores of the trained model and of the model in production."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from emrys.blocks.errors import ArtifactError
from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.data_schema import Target, TargetKind
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.model_registry.production import ProductionVersion

if TYPE_CHECKING:  # Merlin imports TensorFlow if it is installed
    from merlin.schema import Schema


#: Scores of a model with a single output, or by the name of the output.
Outputs = npt.ArrayLike | Mapping[str, npt.ArrayLike]


def predict_scores(model: Path, file: Path, schema: Schema, batch_size: int) -> Outputs:
    """Scores every row of a transformed split, in the order of the file.

    Args:
        model: Model artifact.
        file: Parquet file.
        schema: Merlin schema of the file.
        batch_size: Rows of a batch.

    Returns:
        The model's outputs, each with N rows.
    """
    from emrys.blocks.loader import Loader  # heavy import: TensorFlow

    network = ModelArtifact(model).load()
    rows = Loader(file, batch_size=batch_size, schema=schema, shuffle=False).to_tf_dataset()
    outputs: Outputs = network.predict(rows, verbose=0)
    return outputs


def predicted_targets(outputs: Outputs, targets: Sequence[Target], wanted: str | None) -> tuple[Target, ...]:
    """The targets that a model predicts: of one with a single unnamed output, the first.

    Args:
        outputs: The model's outputs.
        targets: Targets of the log.
        wanted: The only target to evaluate; None for all.
    """
    if not isinstance(outputs, Mapping) or wanted is not None:
        return tuple(targets[:1])
    return tuple(target for target in targets if _output_names(outputs, target.name)) or tuple(targets[:1])


def pick_output(outputs: Outputs, target: str, model: Path, kind: TargetKind = TargetKind.BINARY) -> npt.ArrayLike:
    """Selects the output of one target.

    Args:
        outputs: An array, or a mapping of arrays by output name: the target, or `<target>/<kind>_output`.
        target: The target.
        model: Path of the model, for the error.
        kind: Kind of the target, for the error.

    Raises:
        ArtifactError: if there is no output for the target.
    """
    if isinstance(outputs, Mapping):
        names = _output_names(outputs, target)
        if len(names) != 1:
            raise ArtifactError(
                "the model has no output for the target",
                path=model,
                column=target,
                expected=f"{target}/{_OUTPUTS[kind]}",
                got=", ".join(outputs),
            )
        return np.asarray(outputs[names[0]], np.float64)
    return np.asarray(outputs, np.float64)


_OUTPUTS = {
    TargetKind.BINARY: "binary_output",
    TargetKind.REGRESSION: "regression_output",
    TargetKind.CLASSES: "categorical_output",
}


def _output_names(outputs: Mapping[str, npt.ArrayLike], target: str) -> list[str]:
    return [name for name in outputs if name in (target, *(f"{target}/{end}" for end in _OUTPUTS.values()))]


def production_scores(production: ProductionVersion, raw: Path, batch_size: int) -> Outputs:
    """Scores raw rows with the model in production and its own workflow.

    Args:
        production: The version in production.
        raw: Raw test split.
        batch_size: Rows of a batch.

    Returns:
        The model's outputs, each with N rows.

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
        return predict_scores(ModelArtifact(production.model).path, rows, schema, batch_size)
