"""The steps as KFP sees them: inputs, outputs and defaults of every component, and how their bodies run and fail."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
from kfp import dsl

from emrys.blocks.errors import ConfigError, DependencyError
from emrys.components.build_model.component import build_model
from emrys.components.contracts.splits import Splits
from emrys.components.evaluate.component import evaluate
from emrys.components.events import one_line_errors
from emrys.components.export_ensemble.component import export_ensemble
from emrys.components.export_retrieval.component import export_retrieval
from emrys.components.fingerprint.component import fingerprint
from emrys.components.gate.component import gate
from emrys.components.images import PREPROCESS_IMAGE, SERVE_IMAGE, TRAIN_IMAGE
from emrys.components.infer_schema.component import infer_schema
from emrys.components.ingest.component import ingest
from emrys.components.preprocess.component import preprocess
from emrys.components.promote.component import promote
from emrys.components.report.component import report
from emrys.components.train.component import train

IMAGES = {
    PREPROCESS_IMAGE: (ingest, preprocess, infer_schema),
    TRAIN_IMAGE: (build_model, train, evaluate, gate, report),
    SERVE_IMAGE: (export_ensemble, export_retrieval, promote),
}
ALL = tuple(component for components in IMAGES.values() for component in components)


def interface(component):
    """Artifacts that go in and come out, by name."""
    spec = component.component_spec
    inputs = {name: one.type for name, one in (spec.inputs or {}).items() if one.type.startswith("system.")}
    return inputs, {name: one.type for name, one in (spec.outputs or {}).items()}


@pytest.mark.parametrize(
    ("component", "inputs", "outputs"),
    [
        (ingest, {}, {"splits": "Dataset"}),
        (preprocess, {"splits": "Dataset"}, {"data": "Dataset", "workflow": "Artifact"}),
        (infer_schema, {"data": "Dataset", "workflow": "Artifact"}, {"schema": "Artifact"}),
        (build_model, {"schema": "Artifact"}, {"model": "Model", "summary": "Markdown"}),
        (train, {"data": "Dataset", "schema": "Artifact", "model": "Model"}, {"trained": "Model"}),
        (
            evaluate,
            {"splits": "Dataset", "data": "Dataset", "model": "Model", "schema": "Artifact"},
            {"evaluation": "Artifact", "metrics": "Metrics", "roc": "ClassificationMetrics", "report": "HTML"},
        ),
        (
            export_ensemble,
            {"model": "Model", "workflow": "Artifact", "schema": "Artifact", "splits": "Dataset"},
            {"repository": "Model"},
        ),
        (
            export_retrieval,
            {
                "model": "Model",
                "workflow": "Artifact",
                "schema": "Artifact",
                "splits": "Dataset",
                "evaluation": "Artifact",
            },
            {"repository": "Model"},
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_artifacts_are_typed(component, inputs, outputs):
    expected = [{name: f"system.{kind}@0.0.1" for name, kind in side.items()} for side in (inputs, outputs)]
    assert list(interface(component)) == expected


@pytest.mark.parametrize("component", ALL, ids=lambda component: component.name)
def test_a_component_runs_in_the_image_of_its_kind_and_installs_nothing(component):
    container = component.component_spec.implementation.container
    assert component in IMAGES[container.image]
    assert "pip install" not in " ".join(container.command)
    # The body is sent to the pod as text: what it needs has to be imported in it.
    body = inspect.getsource(component.python_func).split('"""')[2]
    assert f'with one_line_errors("{component.name.replace("-", "_")}")' in body


def test_the_body_of_ingest_writes_the_artifact_and_tells_kfp_what_is_in_it(tmp_path):
    splits = dsl.Dataset(uri=str(tmp_path / "splits"))
    ingest.python_func(splits=splits, synthetic_rows=1500, seed=3, test_fraction=0.2)
    written = Splits(splits.path)
    assert splits.metadata == written.metadata
    assert sum(written.metadata["rows"].values()) == 1500
    assert written.read("test").num_rows == splits.metadata["rows"]["test"]
    # time order: seconds that are shared stay together, so the share is met to within them
    assert splits.metadata["rows"]["test"] == pytest.approx(300, abs=15)
    assert splits.metadata["seed"] == 3


def test_the_bodies_of_fingerprint_and_ingest_take_a_recipe(tmp_path):
    lines = [f"v{i % 2},{i % 7},{i},{i // 2 % 2}" for i in range(20)]
    (tmp_path / "events.csv").write_text("\n".join(["visitor,sku,minute,bought", *lines]))
    recipe = {
        "version": 1,
        "data": {"path": str(tmp_path / "events.csv")},
        "columns": {"user_id": "visitor", "item_id": "sku", "targets": {"bought": "binary"}, "continuous": ["minute"]},
        "split": {"by": "per_user", "valid": 0.2, "test": 0.2},
        "model": {"name": "mlp"},
    }
    splits = dsl.Dataset(uri=str(tmp_path / "splits"))
    content = fingerprint.python_func(recipe=recipe)
    ingest.python_func(splits=splits, recipe=recipe, content=content)
    assert splits.metadata["rows"] == {"train": 12, "valid": 4, "test": 4}
    # Parameters come before the recipe.
    ingest.python_func(splits=splits, recipe=recipe, split="last_per_user", valid_fraction=2.0, test_fraction=3.0)
    assert splits.metadata["rows"] == {"train": 10, "valid": 4, "test": 6}
    assert Splits(splits.path).read("test")["minute"].to_pylist() == [14.0, 15.0, 16.0, 17.0, 18.0, 19.0]
    (tmp_path / "events.csv").write_text("visitor")
    assert fingerprint.python_func(recipe=recipe) != content


def test_the_body_of_ingest_ends_with_one_line_for_an_argument_that_cannot_be(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        ingest.python_func(splits=dsl.Dataset(uri=str(tmp_path / "splits")), split="sideways")
    known = "time, per_user, last_per_user, session, random, random_user, column, given"
    message = f"ingest: split cannot be used; expected {known}, got 'sideways'"
    assert caught.value.code == message
    event = json.loads(capsys.readouterr().err.removeprefix("emrys-event "))
    assert event == {"step": "ingest", "event": "error", "text": message, "exit_status": 2}
    assert list(tmp_path.iterdir()) == []


def test_a_known_error_ends_a_process_with_one_line_and_status_1():
    code = (
        "from emrys.blocks.errors import DataError\n"
        "from emrys.components.events import one_line_errors\n"
        "with one_line_errors('train'):\n"
        "    raise DataError('no rows', path='a.parquet')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    event, line = result.stderr.splitlines()
    assert line == "train: a.parquet: no rows"
    assert json.loads(event.removeprefix("emrys-event "))["exit_status"] == 2
    assert result.returncode == 1


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ConfigError("bad"), 2, "train: bad"),
        (DependencyError("bad"), 1, "train: bad"),
        (ZeroDivisionError("bad\nworse"), 1, "train: ZeroDivisionError: bad worse"),
    ],
)
def test_the_event_of_an_error_carries_the_exit_status(error, status, text, capsys):
    with pytest.raises((SystemExit, ZeroDivisionError)), one_line_errors("train"):
        raise error
    event = json.loads(capsys.readouterr().err.removeprefix("emrys-event "))
    assert event == {"step": "train", "event": "error", "text": text, "exit_status": status}


@pytest.mark.slow
def test_no_component_module_reaches_for_tensorflow():
    code = f"import sys\nfor name in {[one.python_func.__module__ for one in ALL]}: __import__(name)\n"
    code += "print('tensorflow' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert result.stdout == "False\n"
