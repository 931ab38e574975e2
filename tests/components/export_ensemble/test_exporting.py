"""The whole export with its parity check: through a real server, in process, and with failures."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest

from emrys.blocks.errors import DependencyError, ParityError, SchemaError
from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.export_ensemble.step import export
from emrys.components.serving.in_process import InProcessEnsemble
from emrys.components.serving.installation import TritonInstallation
from emrys.components.serving.packing import pack
from tests.components.serving.conftest import need_server
from tests.components.serving.small_ensemble import (
    CONFIG,
    ROWS,
    expected_scores,
    make_workflow,
    random_rows,
    raw_table,
    save_model,
    scores_of,
)

#: Edge cases: a null and an odd value for each of the three scalars, NaN for the number, five for the list, two for all
#: columns.
EDGE_CASES = 3 * 2 + 1 + 5 + 2

#: Files of a repository besides the SavedModel's and the workflow's.
FILES = {
    "README.md",
    "models/ranking/1/.keep",
    "models/ranking/config.pbtxt",
    "models/ranking_model/1/columns.json",
    "models/ranking_model/1/model.py",
    "models/ranking_model/config.pbtxt",
    "models/ranking_transform/1/model.py",
    "models/ranking_transform/config.pbtxt",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    make_workflow().save(folder / "workflow")
    save_model(folder / "saved_model")
    return folder


@pytest.fixture
def no_server(monkeypatch):
    def missing():
        raise DependencyError("the Triton server is not installed", fix="Install it: pip install 'emrys[serve]'.")

    monkeypatch.setattr(TritonInstallation, "find", missing)


def run(inputs, output, *, config=CONFIG, workflow=None, offline_transform=None, offline_score=scores_of):
    return export(
        saved_model=inputs / "saved_model",
        workflow=workflow or inputs / "workflow",
        held_out=raw_table(random_rows(300)),
        config=config,
        output=output,
        offline_transform=offline_transform or make_workflow().transform_table,
        offline_score=offline_score,
        versions={"emrys": "1.0", "model": "abc"},
    )


@pytest.mark.slow
def test_through_a_real_server(inputs, tmp_path):
    need_server()
    run(inputs, tmp_path / "triton", config=dataclasses.replace(CONFIG, require_server=True))
    repository = TritonRepository(tmp_path / "triton")
    parity = repository.metadata["parity"]
    assert (parity["rows"], parity["through"]) == (200 + EDGE_CASES, "triton")
    assert 0 < parity["max_abs_difference"] < 1e-6  # float32 against float64
    # The server left nothing in it.
    assert {name for name in repository.files if "saved_model/" not in name and "workflow/" not in name} == FILES


def test_without_a_server_the_check_runs_in_process_and_a_message_says_so(inputs, tmp_path, no_server, capsys):
    repository = run(inputs, tmp_path / "triton")
    assert repository.metadata["parity"]["through"] == "in-process"
    events = [json.loads(line.split(" ", 1)[1]) for line in capsys.readouterr().err.splitlines() if "emrys-ev" in line]
    (message,) = [event["text"] for event in events if event["event"] == "message"]
    assert "in process" in message
    assert message.endswith("Install it: pip install 'emrys[serve]'.")
    progress = [(event["done"], event["total"]) for event in events if event["event"] == "progress"]
    assert progress == [(1, 3), (2, 3), (3, 3)]


def test_contents_of_the_repository(inputs, tmp_path, no_server):
    repository = run(inputs, tmp_path / "triton")
    assert {name for name in repository.files if "saved_model/" not in name and "workflow/" not in name} == FILES
    readme = (repository.path / "README.md").read_text()
    assert "| userId | int64 | (rows, 1) | -9223372036854775808 |" in readme
    assert "| genres | string | (rows, length) | only padding (the empty string) |" in readme
    for file in repository.files:
        assert b"tensorflow_savedmodel" not in (repository.path / file).read_bytes()
    ensemble = InProcessEnsemble(repository.models)
    np.testing.assert_allclose(ensemble.score(pack(ROWS, ensemble.inputs)), expected_scores(ROWS), atol=1e-6)


def test_without_a_required_server_it_fails(inputs, tmp_path, no_server):
    with pytest.raises(DependencyError, match="the Triton server is not installed"):
        run(inputs, tmp_path / "triton", config=dataclasses.replace(CONFIG, require_server=True))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("position", range(5))
def test_a_workflow_that_differs_is_reported_with_the_column(inputs, tmp_path, no_server, position):
    """The exported workflow differs from the fitted one in one step."""
    ops = list(make_workflow().ops)
    wrong = {
        0: lambda op: dataclasses.replace(op, categories=op.categories.take([1, 0, 2])),  # 8 before 7
        1: lambda op: dataclasses.replace(op, categories=op.categories.take([1, 0])),
        2: lambda op: dataclasses.replace(op, categories=op.categories.take([0, 2, 1])),
        3: lambda op: dataclasses.replace(op, mean=op.mean + 0.01),
        4: lambda op: dataclasses.replace(op, target_mean=op.target_mean + 0.01),
    }
    ops[position] = wrong[position](ops[position])
    FittedWorkflow(ops).save(tmp_path / "wrong")
    name = ops[position].output.name
    with pytest.raises(ParityError, match=f"column '{name}': .* row .* \\(offline\\), got .* \\(served\\)"):
        run(inputs, tmp_path / "triton", workflow=tmp_path / "wrong")
    assert [path.name for path in tmp_path.iterdir()] == ["wrong"]


def test_a_difference_is_reported_with_its_row_and_values(inputs, tmp_path, no_server):
    def off_by_one(table):
        transformed = make_workflow().transform_table(table)
        genders = transformed["gender"].to_pylist()
        genders[5] += 1
        return transformed.set_column(transformed.column_names.index("gender"), "gender", pa.array(genders, pa.int64()))

    served = make_workflow().transform_table(raw_table(random_rows(300)))
    with pytest.raises(ParityError) as caught:
        run(
            inputs,
            tmp_path / "triton",
            config=dataclasses.replace(CONFIG, parity_rows=300),
            offline_transform=off_by_one,
        )
    value = served["gender"][5].as_py()
    assert str(caught.value).startswith("column 'gender': ")
    assert f"row 5 of the compared rows; expected {value + 1} (offline), got {value} (served)" in str(caught.value)


def test_a_null_of_the_offline_path_is_a_difference(inputs, tmp_path, no_server):
    def with_null(table):
        transformed = make_workflow().transform_table(table)
        years = transformed["release_year"].to_pylist()
        years[0] = None
        return transformed.set_column(
            transformed.column_names.index("release_year"), "release_year", pa.array(years, pa.float32())
        )

    with pytest.raises(ParityError, match=r"column 'release_year': .* in row 0 .*expected None \(offline\)"):
        run(inputs, tmp_path / "triton", offline_transform=with_null)


@pytest.mark.parametrize(("shift", "differs"), [(5e-5, False), (2e-4, True), (float("nan"), True)])
def test_scores_that_differ_with_equal_columns(inputs, tmp_path, no_server, shift, differs):
    def shifted(table):
        return scores_of(table) + shift

    if not differs:
        repository = run(inputs, tmp_path / "triton", offline_score=shifted)
        assert repository.metadata["parity"]["max_abs_difference"] == pytest.approx(5e-5, rel=0.01)
        return
    with pytest.raises(ParityError, match=r"column 'score': .* row 0 "):
        run(inputs, tmp_path / "triton", offline_score=shifted)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_failed_export_keeps_the_previous_repository(inputs, tmp_path, no_server):
    before = run(inputs, tmp_path / "triton").fingerprint
    with pytest.raises(ParityError):
        run(inputs, tmp_path / "triton", offline_score=lambda table: scores_of(table) + 1)
    assert TritonRepository(tmp_path / "triton").fingerprint == before


def test_a_model_that_requires_a_column_that_the_workflow_lacks(inputs, tmp_path, no_server):
    FittedWorkflow(make_workflow().ops[:3]).save(tmp_path / "short")
    with pytest.raises(SchemaError, match=r"column 'TE_gender_rating': .* workflow"):
        run(inputs, tmp_path / "triton", workflow=tmp_path / "short")
