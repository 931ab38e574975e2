"""Exports a retrieval model and its workflow as a Triton ensemble that is known to agree with them."""

from __future__ import annotations

import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

import emrys.blocks as mm
from emrys.blocks.errors import ArtifactError
from emrys.blocks.export import save_serving
from emrys.blocks.workflow import FIRST_KNOWN, Categorify, FittedWorkflow
from emrys.components.artifacts.feature_schema import FeatureSchema
from emrys.components.artifacts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.artifacts.model import ModelArtifact
from emrys.components.artifacts.retrieval_evaluation import KEY, RetrievalEvaluation
from emrys.components.artifacts.splits import Splits
from emrys.components.artifacts.triton_repository import TritonRepository
from emrys.components.export_retrieval.config import ExportRetrievalConfig
from emrys.components.export_retrieval.exporting import export
from emrys.components.export_retrieval.offline import OfflineRecommender
from emrys.components.export_retrieval.parity import STEP
from emrys.components.export_retrieval.recommender import Recommender
from emrys.components.preprocess.offline import transform as transform_offline
from emrys.components.retrieval.loading import retrieval_model
from emrys.components.retrieval.search import query_columns
from emrys.components.running import emit, running


def run(
    model: Path,
    workflow: Path,
    schema: Path,
    splits: Path,
    evaluation: Path,
    config: ExportRetrievalConfig,
    output: Path,
) -> TritonRepository:
    """Writes a model repository and holds it against the offline path.

    Args:
        model: Trained model.
        workflow: Fitted workflow.
        schema: Schema of the transformed data.
        splits: Raw splits; rows of the test split go through the gate.
        evaluation: The model's evaluation: it brings the items that can be recommended and what users have seen, and
            says how the catalogue is searched.
        config: Settings.
        output: Where the repository shall stand.

    Returns:
        The repository.

    Raises:
        EmrysError: if an input cannot be used, the evaluation is of another model, or the ensemble recommends
            otherwise than the model; nothing is then written.
    """
    with running(STEP):
        network, fitted = ModelArtifact(model), FittedWorkflowArtifact(workflow)
        features, raw, judged = FeatureSchema(schema), Splits(splits), RetrievalEvaluation(evaluation)
        _check_same(judged, {"model": network.fingerprint, "schema": features.fingerprint})
        _check_keys(judged, fitted.workflow)
        emit(STEP, "progress", done=0, total=3, text="indexing the items and saving the model for serving")
        keras_model = retrieval_model(network)
        queries = fitted.workflow.select(query_columns(keras_model))
        histories = tuple(one.name for one in queries.output_columns if one.is_list and one.domain == judged.item)
        layer = _layer(judged, config.k)
        offline = OfflineRecommender(
            keras_model,
            features.schema,
            judged.candidates,
            judged.item,
            judged.user,
            judged.seen_items,
            histories,
            layer,
        )
        with tempfile.TemporaryDirectory(prefix="emrys-export-") as temporary:
            save_serving(keras_model.query_encoder, Path(temporary) / "tower")
            queries.save(Path(temporary) / "workflow")
            recommender = Recommender(
                tower=Path(temporary) / "tower",
                index=layer,
                items=pa.table({"id": judged.candidates[judged.item], "key": judged.candidates[KEY]}),
                seen=judged.seen_items,
                user=judged.user,
                histories=histories,
            )
            return export(
                recommender,
                workflow=Path(temporary) / "workflow",
                held_out=raw.read("test"),
                config=config,
                output=output,
                offline_transform=lambda table: transform_offline(fitted.path, table),
                offline_recommend=offline,
                versions={
                    "emrys": metadata.version("emrys"),
                    "model": network.fingerprint,
                    "workflow": fitted.fingerprint,
                    "schema": features.fingerprint,
                    "evaluation": judged.fingerprint,
                },
                recall_floor=float(judged.config["recall_floor"]),
            )


def _layer(judged: RetrievalEvaluation, k: int) -> Any:
    """The search that was evaluated, with the K that is served; an approximate one is tuned to that K."""
    if judged.exact:
        return mm.BruteForce(k=k)
    return mm.ApproximateTopK(k=k, recall_target=judged.config["recall_target"], exact_up_to=0)


def _check_same(judged: RetrievalEvaluation, fingerprints: dict[str, str]) -> None:
    for name, fingerprint in fingerprints.items():
        evaluated = judged.metadata["inputs"].get(name)
        if evaluated != fingerprint:
            raise ArtifactError(
                f"the evaluation is that of another {name}",
                path=judged.path,
                expected=fingerprint,
                got=str(evaluated),
                fix="Run evaluate_retrieval on what is exported.",
            )


def _check_keys(judged: RetrievalEvaluation, workflow: FittedWorkflow) -> None:
    """The items have to be called as the workflow knows them, or their ids would be decoded wrongly."""
    known = next((op for op in workflow.ops if isinstance(op, Categorify) and op.output.name == judged.item), None)
    if known is None:
        raise ArtifactError("the workflow gives items no ids", path=judged.path, column=judged.item)
    ids = judged.candidates[judged.item].to_numpy() - FIRST_KNOWN
    values = known.categories["value"]
    inside = bool(((ids >= 0) & (ids < len(values))).all())
    if not inside or values.take(pa.array(ids)).to_pylist() != judged.candidates[KEY].to_pylist():
        raise ArtifactError(
            "the items of the evaluation are not those of the workflow",
            path=judged.path,
            column=judged.item,
            fix="Run evaluate_retrieval on data of this workflow.",
        )
