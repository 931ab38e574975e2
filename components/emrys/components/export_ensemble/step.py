"""Exports a trained model and its workflow as a Triton ensemble that is known to agree with them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.blocks.errors import SchemaError
from emrys.blocks.export import save_serving
from emrys.blocks.loader import Loader
from emrys.components.artifacts.feature_schema import FeatureSchema
from emrys.components.artifacts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.artifacts.model import ModelArtifact
from emrys.components.artifacts.splits import Splits
from emrys.components.artifacts.triton_repository import TritonRepository
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.export_ensemble.exporting import export
from emrys.components.export_ensemble.parity import STEP
from emrys.components.preprocess.offline import transform as transform_offline
from emrys.components.running import emit, running


def run(
    model: Path, workflow: Path, schema: Path, splits: Path, config: ExportConfig, output: Path
) -> TritonRepository:
    """Writes a model repository and holds it against the offline path.

    Args:
        model: Trained model.
        workflow: Fitted workflow.
        schema: Schema of the transformed data.
        splits: Raw splits; rows of the test split go through the gate.
        config: Settings.
        output: Where the repository shall stand.

    Returns:
        The repository.

    Raises:
        EmrysError: if an input cannot be used, or the ensemble scores rows otherwise than the model; nothing is then
            written.
    """
    with running(STEP):
        network, fitted = ModelArtifact(model), FittedWorkflowArtifact(workflow)
        features, raw = FeatureSchema(schema), Splits(splits)
        emit(STEP, "progress", done=0, total=3, text="saving the model for serving")
        keras_model = network.load()
        with tempfile.TemporaryDirectory(prefix="emrys-export-") as temporary:
            save_serving(keras_model, Path(temporary) / "saved_model")
            return export(
                saved_model=Path(temporary) / "saved_model",
                workflow=fitted.path,
                held_out=raw.read("test"),
                config=config,
                output=output,
                offline_transform=lambda table: transform_offline(fitted.path, table),
                offline_score=lambda table: _score(keras_model, table, features.schema),
                versions={
                    "emrys": metadata.version("emrys"),
                    "model": network.fingerprint,
                    "workflow": fitted.fingerprint,
                    "schema": features.fingerprint,
                },
            )


def _score(model: Any, table: pa.Table, schema: Any) -> npt.NDArray[Any]:
    """Scores of a transformed table, which has no targets, as the model gives them offline: (B,)."""
    features = schema.select_by_name(table.column_names)
    outputs = model.predict(Loader(table, batch_size=1024, schema=features, label_names=[], shuffle=False), verbose=0)
    if isinstance(outputs, Mapping):
        if len(outputs) != 1:
            raise SchemaError("the model has not one output", expected="one score", got=", ".join(outputs))
        outputs = next(iter(outputs.values()))
    return np.asarray(outputs).reshape(-1)
