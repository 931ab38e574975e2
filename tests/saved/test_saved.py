"""Files of version 0.1.0 are read with equal results: models, a workflow, artifacts and a registry.

The files were written once by `tests.saved.make` and are never written again. Everything here goes through public
names, and no model is made anew: it comes from its file alone.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest

import emrys.blocks as mm
from emrys.blocks.workflow import FittedWorkflow
from emrys.components.model_registry.registry import Registry
from tests.saved import layers  # noqa: F401 - registers layers that some of the models hold
from tests.saved.arrays import batches, flatten, read, restore, select
from tests.saved.dlrm_step import outputs_after_a_step
from tests.saved.facts import KINDS, as_json, facts

FOLDER = Path(__file__).parent
MODELS = sorted(path.stem for path in (FOLDER / "models").glob("*.keras"))
ARTIFACTS = sorted(path.name for path in (FOLDER / "artifacts").iterdir() if path.is_dir())

#: Public classes that no saved model holds, and why.
WITHOUT_FILE = {
    **dict.fromkeys(["CandidateSampler", "TabularAggregation", "TopKLayer", "ItemSampler"], "abstract"),
    **dict.fromkeys(["LazyOptimizer", "PairwiseLoss", "RankingMetric"], "abstract"),
    "Block": "the base of classes that users write; a file holds those",
    "FIFOQueue": "a CrossBatchSampler makes its own, and is in a file",
    "ExtractMaskFromTargets": "new in 0.2.0",
    "TensorInitializer": "a saved table holds the values as weights; there is a file of such a table",
}

#: The model whose outputs after one more step are computed here: 0.1.0 took two lookups of one row for two rows, and
#: its numbers are those of another Adam.
COMPUTED_HERE = "optimizer_Adam"

#: Models, workflows and artifacts that must be here; without this number, a folder that lost its files would pass.
COUNTS = {"models": 227, "artifacts": 11}


def _assert_close(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], rtol: float = 1e-5) -> None:
    assert sorted(found) == sorted(expected)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype, key
        if np.issubdtype(value.dtype, np.inexact):
            np.testing.assert_allclose(found[key], value, rtol=rtol, atol=1e-6, err_msg=key)
        else:
            np.testing.assert_array_equal(found[key], value, err_msg=key)


def _registered(name: str) -> set[str]:
    """Registered names of all objects in the configuration of a saved model."""
    with zipfile.ZipFile(FOLDER / "models" / f"{name}.keras") as file:
        return set(re.findall(r'"registered_name": "([^"]+)"', file.read("config.json").decode()))


def test_no_file_is_missing():
    assert len(MODELS) == COUNTS["models"]
    assert sorted(path.stem for path in (FOLDER / "models").glob("*.npz")) == MODELS
    assert len(ARTIFACTS) == COUNTS["artifacts"]
    assert sorted(KINDS) == ARTIFACTS == sorted(path.stem for path in (FOLDER / "artifacts").glob("*.json"))


def test_no_file_holds_a_path_of_the_machine_that_wrote_it():
    found = [
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and _absolute_path(path)
    ]
    assert found == []


def _absolute_path(path: Path) -> bool:
    content = path.read_bytes()
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as file:
            content = b"\n".join(file.read(name) for name in file.namelist())
    return re.search(rb"(?<![\w.<])/(work|tmp|root|home)/", content) is not None


def _by_cost(name: str) -> object:
    """The files of blocks and layers are read in no time; the others compile an evaluation or a step of training."""
    return pytest.param(name, marks=() if name.startswith(("block_", "layer_")) else pytest.mark.slow)


@pytest.mark.parametrize("name", map(_by_cost, MODELS))
def test_model(name):
    arrays = read(FOLDER / "models" / f"{name}.npz")
    model = mm.Model.load(FOLDER / "models" / f"{name}.keras")
    inputs = restore(arrays, "inputs")
    assert model.count_params() == arrays["parameters"]
    found = flatten(model(inputs), "outputs")
    if outputs := select(arrays, "outputs"):
        _assert_close(found, outputs)
    else:
        assert found, "a model whose outputs are drawn at random gives some all the same"
    if evaluated := select(arrays, "evaluated"):
        values = model.evaluate(batches(arrays), verbose=0, return_dict=True)
        # Sums over a batch may be added up in another order.
        _assert_close({f"evaluated|{metric}": np.array(value) for metric, value in values.items()}, evaluated, 1e-4)
    if further := select(arrays, "further"):
        # One more step of training: the state of the optimizer has come back, and the gradients are the same.
        if name == COMPUTED_HERE:
            before, after = outputs_after_a_step(model, arrays)
            _assert_close({"outputs": before}, outputs)
            further = {"further": after}
        model.fit(batches(arrays), verbose=0)
        _assert_close(flatten(model(inputs), "further"), further, 1e-4)


def test_every_public_class_is_in_a_saved_model():
    kinds = (keras.layers.Layer, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer)
    kinds += (keras.initializers.Initializer, keras.regularizers.Regularizer)
    public = {name: getattr(mm, name) for name in dir(mm)}
    classes = {name: each for name, each in public.items() if isinstance(each, type) and issubclass(each, kinds)}
    saved = {name for model in MODELS for name in _registered(model)}
    without = {name for name, each in classes.items() if keras.saving.get_registered_name(each) not in saved}
    assert without == set(WITHOUT_FILE)


def test_workflow():
    workflow = FittedWorkflow.load(FOLDER / "workflow" / "fitted")
    rows = json.loads((FOLDER / "workflow" / "rows.json").read_text(encoding="utf-8"))
    types = {"int64": pa.int64(), "float32": pa.float32(), "string": pa.string()}
    fields = [
        (column.name, pa.list_(types[column.dtype]) if column.is_list else types[column.dtype])
        for column in workflow.raw_columns
    ]
    found = as_json(workflow.transform_table(pa.table(rows, schema=pa.schema(fields))))
    expected = json.loads((FOLDER / "workflow" / "transformed.json").read_text(encoding="utf-8"))
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name] == (pytest.approx(values, rel=1e-6) if isinstance(values[0], float) else values), name


@pytest.mark.parametrize("kind", ARTIFACTS)
def test_artifact(kind):
    expected = json.loads((FOLDER / "artifacts" / f"{kind}.json").read_text(encoding="utf-8"))
    assert facts(kind, FOLDER / "artifacts" / kind) == expected


@pytest.mark.slow
def test_model_artifact_predicts_what_was_evaluated():
    opened, _ = KINDS["model"]
    model = opened.open(FOLDER / "artifacts" / "model").load()
    transformed, schema, evaluation = (
        KINDS[kind][0].open(FOLDER / "artifacts" / kind) for kind in ("transformed", "schema", "evaluation")
    )
    loader = mm.Loader(transformed.read("test"), batch_size=64, schema=schema.schema, shuffle=False)
    np.testing.assert_allclose(
        model.predict(loader, verbose=0).reshape(-1), evaluation.rows.scores["model"], rtol=1e-5, atol=1e-6
    )


def test_registry(tmp_path):
    registry = Registry(FOLDER / "registry", "films")
    first, second = registry.versions()
    assert registry.current() == second
    assert registry.pointer().previous == (first.name,)
    assert (first.facts, second.facts) == ({"metrics": {"auc": 0.5}}, {"metrics": {"auc": 0.75}})
    assert (first.parts, second.parts) == (["schema"], ["model", "schema", "workflow"])
    fetched = registry.fetch(second, tmp_path / "version")  # checks the digest of every file
    for part in second.parts:
        opened = KINDS[part][0].open(fetched / part)
        assert opened.fingerprint == KINDS[part][0].open(FOLDER / "artifacts" / part).fingerprint
    assert registry.rollback(dry_run=True).version == first.name
