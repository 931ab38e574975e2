"""Exports a retrieval model and its workflow as a Triton ensemble that recommends like the offline path."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import pyarrow as pa

import emrys.blocks as mm
from emrys.blocks.errors import ArtifactError
from emrys.blocks.models.export import save_serving
from emrys.blocks.workflow import FIRST_KNOWN, Categorify, FittedWorkflow
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.retrieval_evaluation import KEY, RetrievalEvaluation
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.events import emit, step_events
from emrys.components.export_retrieval.config import ExportRetrievalConfig
from emrys.components.export_retrieval.offline import OfflineRecommender
from emrys.components.export_retrieval.parity import STEP, RecommendTable, check_parity, comparison_queries
from emrys.components.preprocess.offline import transform as transform_offline
from emrys.components.retrieval.search import load_retrieval_model, query_columns
from emrys.components.serving.backends.retrieve_step import output_columns
from emrys.components.serving.parity import TransformTable, amounts_of
from emrys.components.serving.publishing import publish
from emrys.components.serving.readme import retrieval_readme
from emrys.components.serving.retrieval_repository import Recommender, write_retrieval_repository


def run(
    model: Path,
    workflow: Path,
    schema: Path,
    splits: Path,
    evaluation: Path,
    config: ExportRetrievalConfig,
    output: Path,
) -> TritonRepository:
    """Runs the step on the folders of artifacts.

    Args:
        model: Trained model.
        workflow: Fitted workflow.
        schema: Schema of the transformed data.
        splits: Raw splits; the parity check samples rows of the test split.
        evaluation: The model's evaluation, with the catalogue, the seen items and the settings of the search.
        config: Settings.
        output: Destination of the repository.

    Returns:
        The repository.

    Raises:
        EmrysError: if an input cannot be used, the evaluation is of another model, or served recommendations differ
            from offline ones; nothing is then written.
    """
    with step_events(STEP):
        network, fitted = ModelArtifact(model), FittedWorkflowArtifact(workflow)
        features, raw, evaluated = FeatureSchema(schema), Splits(splits), RetrievalEvaluation(evaluation)
        _check_inputs(evaluated, {"model": network.fingerprint, "schema": features.fingerprint})
        _check_keys(evaluated, fitted.workflow)
        emit(STEP, "progress", done=0, total=3, text="indexing the items and saving the model for serving")
        keras_model = load_retrieval_model(network)
        queries = fitted.workflow.select(query_columns(keras_model))
        histories = _histories(queries, evaluated.item) if evaluated.exclude_seen else {}
        # A session of the training data is over, and a new one has its items in the request.
        user = evaluated.user if evaluated.exclude_seen and not evaluated.by_session else None
        seen = None if user is None else evaluated.seen_items
        layer = _layer(evaluated, config.k)
        offline = OfflineRecommender(
            keras_model,
            features.schema,
            evaluated.candidates,
            evaluated.item,
            user,
            seen,
            histories,
            layer,
        )
        with tempfile.TemporaryDirectory(prefix="emrys-export-") as temporary:
            save_serving(keras_model.query_encoder, Path(temporary) / "tower")
            queries.save(Path(temporary) / "workflow")
            recommender = Recommender(
                tower=Path(temporary) / "tower",
                index=layer,
                items=pa.table({"id": evaluated.candidates[evaluated.item], "key": evaluated.candidates[KEY]}),
                histories=histories,
                user=user,
                seen=seen,
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
                    "evaluation": evaluated.fingerprint,
                },
                recall_floor=float(evaluated.config["recall_floor"]),
                time_units=raw.data_schema.time_units,
            )


def export(
    recommender: Recommender,
    workflow: Path,
    held_out: pa.Table,
    config: ExportRetrievalConfig,
    output: Path,
    offline_transform: TransformTable,
    offline_recommend: RecommendTable,
    versions: Mapping[str, str],
    recall_floor: float = 0.0,
    time_units: Mapping[str, str] | None = None,
) -> TritonRepository:
    """Writes a model repository, compares it with the offline path, and publishes it if both agree.

    Args:
        recommender: The parts of the ensemble besides the workflow.
        workflow: Folder of the fitted workflow of the query's columns.
        held_out: Raw rows that the model was not trained on.
        config: Settings.
        output: Destination of the repository.
        offline_transform: The workflow as it was fitted: raw table to transformed table.
        offline_recommend: The trained model: its recommendations for each row.
        versions: Versions and fingerprints of the inputs, recorded with the models.
        recall_floor: Smallest share of the exact results that an approximate search must find. Default: 0.
        time_units: Unit of each raw column of times. Default: there is none.

    Returns:
        The repository.

    Raises:
        EmrysError: if an input cannot be used, the server refuses, or results differ; `output` is then unchanged.
    """
    exact = isinstance(recommender.index, mm.BruteForce)
    outputs, k, items = output_columns(recommender.items), recommender.index.k, recommender.items.num_rows
    with publish(STEP, config, output) as draft:
        inputs = write_retrieval_repository(draft.models, workflow, recommender, config, versions, time_units)
        page = retrieval_readme(
            config,
            inputs,
            versions,
            user=recommender.user,
            histories=list(dict.fromkeys(recommender.histories.values())),
            item_dtype=outputs[0].dtype,
            k=k,
            items=items,
            exact=exact,
        )
        draft.write_readme(page)
        rows = comparison_queries(
            held_out,
            inputs,
            config.parity_rows,
            config.seed,
            recommender,
            amounts_of(FittedWorkflow.load(workflow)),
        )
        draft.report_comparison(rows.num_rows)
        keys = recommender.items["key"]
        parity = check_parity(draft.models, rows, keys, offline_transform, offline_recommend, config, recall_floor)
        draft.accept(
            inputs,
            parity,
            task="retrieval",
            versions=dict(versions),
            outputs=[asdict(column) for column in outputs],
            k=k,
            items=items,
            search="exact" if exact else "approximate",
            exclude_seen=recommender.seen is not None or bool(recommender.histories),
        )
    return TritonRepository(output)


def _histories(queries: FittedWorkflow, item: str) -> dict[str, str]:
    """Lists of items among the columns of a query, each with its raw column."""
    return {column.name: column.source for column in queries.output_columns if column.is_list and column.domain == item}


def _layer(evaluated: RetrievalEvaluation, k: int) -> mm.BruteForce | mm.ApproximateTopK:
    """Creates the top-k layer that was evaluated, with the K that is served; an approximate one is tuned to that K."""
    if evaluated.exact:
        return mm.BruteForce(k=k)
    return mm.ApproximateTopK(k=k, recall_target=evaluated.config["recall_target"], exact_up_to=0)


def _check_inputs(evaluated: RetrievalEvaluation, fingerprints: dict[str, str]) -> None:
    for name, fingerprint in fingerprints.items():
        recorded = evaluated.metadata["inputs"].get(name)
        if recorded != fingerprint:
            raise ArtifactError(
                f"the evaluation belongs to another {name}",
                path=evaluated.path,
                expected=fingerprint,
                got=str(recorded),
                fix=f"Run evaluate_retrieval on the {name} that is exported.",
            )


def _check_keys(evaluated: RetrievalEvaluation, workflow: FittedWorkflow) -> None:
    """Checks that the catalogue has the ids of the workflow; otherwise ids of items would be decoded wrongly."""
    item_op = next((op for op in workflow.ops if isinstance(op, Categorify) and op.output.name == evaluated.item), None)
    if item_op is None:
        raise ArtifactError("the workflow has no ids for the item column", path=evaluated.path, column=evaluated.item)
    ids = evaluated.candidates[evaluated.item].to_numpy() - FIRST_KNOWN
    values = item_op.categories["value"]
    inside = bool(((ids >= 0) & (ids < len(values))).all())
    if not inside or values.take(pa.array(ids)).to_pylist() != evaluated.candidates[KEY].to_pylist():
        raise ArtifactError(
            "the catalogue of the evaluation does not match the ids of the workflow",
            path=evaluated.path,
            column=evaluated.item,
            fix="Run evaluate_retrieval on data of this workflow.",
        )
