"""The artifacts of a run, of which those are real that the report reads numbers from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.io import write_json
from emrys.components.contracts.evaluation import Evaluation, EvaluationResult
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import Interactions
from emrys.components.evaluate.scorecard import evaluate_scores
from emrys.components.gate.config import GateConfig
from emrys.components.gate.step import run as gate
from emrys.components.report.page import RunPage
from emrys.components.report.step import ReportConfig
from emrys.components.report.step import run as report
from tests.components.evaluate.plans import plan
from tests.components.validate.logs import log, validate

RANKING = GateConfig(thresholds={"auc": 0.55, "log_loss": 2.0}, slice_margin=-1.0, min_slice_size=10, resamples=200)
RETRIEVAL = GateConfig(metric="ndcg_at_5", thresholds={"ndcg_at_5": 0.2}, min_slice_size=10, resamples=200)


def column(name: str, *tags: Tags | str, ids: int = 41, dtype: str = "int64") -> ColumnSchema:
    """A column of a schema, with ids from 0 where it has some."""
    properties = {"domain": {"min": 0, "max": ids - 1, "name": name}} if ids else {}
    return ColumnSchema(name, dtype=dtype, tags=list(tags), properties=properties)


def write_schema(path: Path, *more: ColumnSchema, items: int = 41) -> Path:
    """User, item, label, and more."""
    user = column("userId", Tags.USER_ID, Tags.USER, Tags.CATEGORICAL)
    item = column("movieId", Tags.ITEM_ID, Tags.ITEM, Tags.CATEGORICAL, ids=items)
    label = column("rating_binary", Tags.TARGET, Tags.BINARY_CLASSIFICATION, ids=0)
    roles = {"userId": "user_id", "movieId": "item_id", "rating_binary": "binary_classification"}
    FeatureSchema.write(path, Schema([user, item, label, *more]), {"roles": roles})
    return path


def write_ranking(path: Path, good: bool = True, production: str | None = None, gender: str = "F") -> Evaluation:
    """An evaluation of a made ranking model: one that knows the items, or one that knows nothing."""
    random = np.random.default_rng(0)

    def draw(rows: int) -> Interactions:
        users, items = random.integers(0, 40, rows), random.integers(0, 30, rows)
        return Interactions(users, items, (random.random(rows) < 0.1 + items / 35).astype(float))

    train, test = draw(300), draw(600)
    config = EvaluateConfig(bins=5)
    scores = 0.1 + test.items / 35 * 0.9 if good else np.full(len(test), 0.5)
    live = None if production is None else random.random(len(test))
    slices = {"gender": np.array([gender, "M"], object)[test.users % 2]}
    card = evaluate_scores(scores, test, train, config, plan(config), best_auc=0.9, production=live, slices=slices)
    metadata = {
        "target": "rating_binary",
        "config": dataclasses.asdict(config),
        "inputs": {},
        "versions": {"numpy": "1.2.3"},
        "production": production,
    }
    result = EvaluationResult(card.metrics, card.curves, card.rows)
    return Evaluation.write(path, result, "", metadata)


def write_retrieval(path: Path) -> Evaluation:
    """An evaluation of a made retrieval model."""
    random = np.random.default_rng(0)
    lifts = {"model": 0.3, "popularity": 0.1, "last_item": 0.0}
    values = {
        (f"{metric}_at_{k}", scorer): np.clip(lift + 0.3 * random.random(80), 0, 1)
        for scorer, lift in lifts.items()
        for metric, k in {"ndcg": 5, "mrr": 5, "novelty": 5, "recall": 20}.items()
    }
    rows = MeasuredRows(np.arange(80), values, slices={"user": np.array(["known", "new"], object)[np.arange(80) % 2]})
    metrics: dict[str, float] = {
        "queries": 80,
        "items": 1234,
        "right": 99,
        "right_not_in_catalogue": 3,
        "new_users": 40,
    }
    for (metric, scorer), found in values.items():
        metrics[metric if scorer == "model" else f"{scorer}_{metric}"] = float(found.mean())
    for scorer in ("", "popularity_", "last_item_"):
        metrics[f"{scorer}coverage_at_5"] = 0.25
    metadata = {
        "task": "retrieval",
        "target": "rating_binary",
        "config": {"k": 5, "recall_k": 20, "exact_up_to": 1000, "recall_floor": 0.9},
        "search": {"strategy": "approximate", "recall": 0.97, "index": {"probes": 8, "lists": 64}},
        "inputs": {},
        "versions": {"numpy": "1.2.3"},
        "production": None,
    }
    curves = {"recall": {scorer: [0.1, 0.2, 0.3] for scorer in lifts}}
    return Evaluation.write(path, EvaluationResult(metrics, curves, rows), "", metadata)


def write_repository(path: Path) -> TritonRepository:
    """An ensemble that has been compared."""
    described = {
        "name": "films",
        "version": 7,
        "config": {"name": "films", "tolerance": 1e-5},
        "inputs": [{"name": "userId"}, {"name": "movieId"}],
        "parity": {"rows": 1622, "max_abs_difference": 5.9604645e-08, "through": "triton", "seen_left_out": 12},
    }
    with TritonRepository.create(path, described) as work:
        (work / "README.md").touch()
        for name in ("films", "films_transform", "films_model"):
            (work / "models" / name).mkdir(parents=True)
            (work / "models" / name / "config.pbtxt").touch()
    return TritonRepository(path)


def write_run(root: Path, evaluation: Evaluation, config: GateConfig, *columns: ColumnSchema) -> dict[str, Path]:
    """Writes the artifacts of a run around an evaluation; ages have drifted from those of the run before."""
    validate(root, "before")
    ages = [age + 20 for age in log()["age"].to_pylist()]
    found = validate(root, "statistics", "before", {"on_anomaly": "mark"}, train=log(age=ages))
    write_schema(root / "schema", *columns)
    with FittedWorkflowArtifact.create(root / "workflow", {"config": {"folds": 5, "fill": None}}) as work:
        (work / "workflow.json").touch()
    metadata = {"config": {"epochs": 2}, "built": {"top_layers": [64, 32]}}
    with ModelArtifact.create(root / "model", metadata) as work:
        (work / "model.keras").touch()
        (work / "summary.txt").write_text("Model: films <tiny>", encoding="utf-8")
        history = [{"epoch": 0, "loss": 0.7, "val_loss": 0.69}, {"epoch": 1, "loss": 0.6, "val_loss": 0.65}]
        write_json(work / "history.json", history)
    decision = gate(evaluation.path, config, root / "decision")
    names = {"statistics": found.path, "evaluation": evaluation.path, "decision": decision.path}
    return {**names, **{name: root / name for name in ("workflow", "schema", "model")}}


def write_page(run: dict[str, Path], output: Path, repository: Path | None = None, **said: str) -> RunPage:
    """Writes the page of a run."""
    return report(**run, repository=repository, config=ReportConfig(**said), output=output)
