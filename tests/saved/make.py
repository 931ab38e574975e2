"""Writes the files of this folder: `python -m tests.saved.make`.

It was run once, at the code of version 0.1.0: what it wrote then must be read by all later code. Running it again only
adds the cases that have no file yet. A file that is there is never written again, and nothing here can overwrite one.

The archives of the models are compressed again, since HDF5 leaves much room between small arrays; what is inside is
what `Model.save` wrote.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import emrys.blocks as mm
from emrys.blocks.workflow import Categorify, FillNormalize, FittedWorkflow, TargetEncoding
from emrys.components.build_model.step import BuildModelConfig
from emrys.components.build_model.step import run as build_model
from emrys.components.contracts import Splits, TritonRepository
from emrys.components.evaluate.step import EvaluateConfig
from emrys.components.evaluate.step import run as evaluate
from emrys.components.evaluate_retrieval.step import EvaluateRetrievalConfig
from emrys.components.evaluate_retrieval.step import run as evaluate_retrieval
from emrys.components.gate.config import GateConfig
from emrys.components.gate.step import run as gate
from emrys.components.infer_schema.step import SchemaConfig
from emrys.components.infer_schema.step import run as infer_schema
from emrys.components.model_registry.registry import Registry
from emrys.components.preprocess.step import PreprocessConfig
from emrys.components.preprocess.step import run as preprocess
from emrys.components.train.step import TrainConfig
from emrys.components.train.step import run as train
from emrys.components.validate.step import ValidateConfig
from emrys.components.validate.step import run as validate
from tests.components.serving.small_ensemble import write_small_repository
from tests.components.validate.logs import NOW, START, log
from tests.saved import facts
from tests.saved.arrays import batches, flatten
from tests.saved.models import CASES, Case, prepared

FOLDER = Path(__file__).parent
_TABLES = {"train": (60, 0), "valid": (12, 1), "test": (24, 2)}


def main() -> None:
    """Writes what is missing."""
    for name, case in CASES.items():
        if not (FOLDER / "models" / f"{name}.keras").exists():
            write_model(name, case)
    if not (FOLDER / "workflow").exists():
        write_workflow(FOLDER / "workflow")
    if not (FOLDER / "artifacts").exists():
        write_artifacts(FOLDER / "artifacts")
    if not (FOLDER / "registry").exists():
        write_registry(FOLDER / "registry", FOLDER / "artifacts")


def write_new(path: Path, content: bytes) -> None:
    """Writes a file that must not be there yet.

    Raises:
        FileExistsError: if it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        stream.write(content)


def write_json(path: Path, content: Any) -> None:
    """Writes JSON to a file that must not be there yet."""
    write_new(path, (json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode())


def write_model(name: str, case: Case) -> None:
    """Writes a model, and beside it a batch with what the loaded model makes of it."""
    arrays = flatten(case.inputs, "inputs") | flatten(case.targets, "targets")
    with tempfile.TemporaryDirectory() as work:
        model = prepared(case)
        model.save(Path(work) / "model.keras")
        arrays["parameters"] = np.array(model.count_params())
        loaded = mm.Model.load(Path(work) / "model.keras")
        if not case.random:
            arrays |= flatten(loaded(case.inputs), "outputs")
            for key, value in flatten(model(case.inputs), "outputs").items():
                np.testing.assert_array_equal(arrays[key], value)
        if case.evaluate:
            found = loaded.evaluate(batches(arrays), verbose=0, return_dict=True)
            arrays |= {f"evaluated|{metric}": np.array(value) for metric, value in found.items()}
        if case.further:
            loaded.fit(batches(arrays), verbose=0)
            arrays |= flatten(loaded(case.inputs), "further")
        np.savez_compressed(Path(work) / "arrays.npz", **arrays)
        _compress(Path(work) / "model.keras", Path(work) / "small.keras")
        write_new(FOLDER / "models" / f"{name}.keras", (Path(work) / "small.keras").read_bytes())
        write_new(FOLDER / "models" / f"{name}.npz", (Path(work) / "arrays.npz").read_bytes())
    print(name, flush=True)


def _compress(source: Path, target: Path) -> None:
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as write:
        for name in read.namelist():
            write.writestr(name, read.read(name))


def write_workflow(folder: Path) -> None:
    """Writes a workflow with every kind of step, raw rows, and what it makes of them."""
    folder.mkdir()
    users = pa.table({"value": pa.array([8, 7, 2**60 + 1], pa.int64()), "count": [5, 3, 2]})
    cities = pa.table({"value": ["Ulm", "Köln"], "count": [6, 4]})
    tags = pa.table({"value": ["a", "b", "c"], "count": [7, 4, 2]})
    groups = pa.table({"value": pa.array([7, 8, None], pa.int64()), "count": [3, 1, 2], "sum": [9.0, 5.0, 2.0]})
    moments = {"target_mean": 3.0, "smoothing": 2.0, "mean": 3.0, "std": 0.5, "folds": 5, "fold_seed": 42}
    FittedWorkflow(
        [
            Categorify("user", "int64", users),
            Categorify("city", "string", cities, freq_threshold=1, max_size=9),
            Categorify("tags", "string", tags, is_list=True),
            Categorify("seen", "int64", users, is_list=True, ids_of="user"),
            FillNormalize("year", fill=1990.0, mean=1980.0, std=4.0),
            TargetEncoding("user", "int64", "rating", groups, **moments),
        ],
        targets=["click"],
    ).save(folder / "fitted")
    rows = {
        "user": [7, 8, 9, None, 2**60 + 1],
        "city": ["Köln", "Ulm", "Bonn", None, ""],
        "tags": [["c", "a"], [None, "b"], ["?"], None, []],
        "seen": [[8, 7], [9], [], None, [2**60 + 1, 3, 7]],
        "year": [1984.0, None, 2001.5, 1976.0, 1990.25],
    }
    types = [("user", pa.int64()), ("city", pa.string()), ("tags", pa.list_(pa.string())),
             ("seen", pa.list_(pa.int64())), ("year", pa.float32())]  # fmt: skip
    made = FittedWorkflow.load(folder / "fitted").transform_table(pa.table(rows, schema=pa.schema(types)))
    write_json(folder / "rows.json", rows)
    write_json(folder / "transformed.json", facts.as_json(made))


def write_artifacts(folder: Path) -> None:
    """Runs the steps on a few rows: one artifact of each kind, and what reading it gives."""
    folder.mkdir()
    at = {kind: folder / kind for kind in facts.KINDS}
    starts = {"train": START, "valid": START + 10_000, "test": START + 20_000}
    tables = {split: _log(rows, seed, starts[split]) for split, (rows, seed) in _TABLES.items()}
    metadata = {"dataset": "made", "split": "time", "rows": {name: table.num_rows for name, table in tables.items()}}
    Splits.write(at["splits"], tables, metadata)
    validate(at["splits"], ValidateConfig(min_rows=10, on_anomaly="mark"), at["statistics"], now=NOW)
    encoded = ["categorify", {"target_encoding": "rating"}]
    features = {"userId": ["categorify"], "movieId": encoded, "gender": encoded, "genres": ["categorify"],
                "release_year": [{"fill": "mean"}, "normalize"]}  # fmt: skip
    config = PreprocessConfig({"data": {"path": "made"}, "model": {"name": "dlrm"}, "features": features})
    preprocess(at["splits"], config, data=at["transformed"], workflow=at["workflow"])
    infer_schema(at["transformed"], at["workflow"], SchemaConfig(), at["schema"])
    sizes: dict[str, Any] = {"embedding_dim": 4, "learning_rate": 0.05, "dropout": 0.0}
    tuning: dict[str, Any] = {"epochs": 2, "batch_size": 20}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        build_model(at["schema"], BuildModelConfig(bottom_layers=(4,), top_layers=(4,), **sizes), work / "built")
        train(at["transformed"], at["schema"], work / "built", TrainConfig(**tuning), work / "model")
        os.rename(work / "model", at["model"])
        evaluate(at["splits"], at["transformed"], at["model"], at["schema"], EvaluateConfig(bins=5), at["evaluation"])
        gate(at["evaluation"], GateConfig(thresholds={"auc": 0.1}, baseline_margin=-1.0, resamples=100), at["gate"])
        gate(at["evaluation"], GateConfig(thresholds={"auc": 0.99}, resamples=100), at["gate_refused"])
        _retrieval_evaluation(work, at)
        with TritonRepository.create(
            at["triton_repository"], {"name": "ranking", "version": 1, "inputs": [{"name": "userId"}]}
        ) as repository:
            write_small_repository(repository / "models", work)
            (repository / "README.md").write_text("How to serve the ensemble.\n", encoding="utf-8")
    for kind, path in at.items():
        write_json(folder / f"{kind}.json", facts.facts(kind, path))


def _log(rows: int, seed: int, start: int) -> pa.Table:
    draw = np.random.default_rng(seed + 10)
    users, items = draw.integers(1, 9, rows).tolist(), draw.integers(1, 13, rows).tolist()
    years = [None if year == 1960 else float(year) for year in draw.integers(1960, 1965, rows)]
    dropped = dict.fromkeys(("title", "age", "occupation", "zipcode"))
    return log(rows, seed, start, userId=users, movieId=items, release_year=years, **dropped)


def _retrieval_evaluation(work: Path, at: dict[str, Path]) -> None:
    sizes: dict[str, Any] = {"embedding_dim": 4, "tower_layers": (4,), "learning_rate": 0.05}
    build_model(at["schema"], BuildModelConfig(architecture="two-tower", **sizes), work / "towers")
    tuning = TrainConfig(epochs=1, batch_size=20, monitor="val_loss")
    train(at["transformed"], at["schema"], work / "towers", tuning, work / "retrieval")
    config = EvaluateRetrievalConfig(k=3, recall_k=5)
    arguments = [at["splits"], at["transformed"], work / "retrieval", at["schema"], config]
    evaluate_retrieval(*arguments, at["retrieval_evaluation"])


def write_registry(folder: Path, artifacts: Path) -> None:
    """Writes a registry with two versions, of which the second is in production after the first."""
    folder.mkdir()
    registry = Registry(folder, "films")
    parts = {name: artifacts / name for name in ("workflow", "schema", "model")}
    first = registry.add({"schema": artifacts / "schema"}, {"metrics": {"auc": 0.5}})
    second = registry.add(parts, {"metrics": {"auc": 0.75}})
    registry.promote(first.name)
    registry.promote(second.name)


if __name__ == "__main__":
    main()
