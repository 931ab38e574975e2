import inspect
import json
from pathlib import Path

import pytest
from kfp import dsl

from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.components.contracts.statistics import Statistics
from emrys.components.model_registry.registry import Registry
from emrys.components.storage.open_store import open_store
from emrys.components.validate.component import validate as component
from emrys.components.validate.config import ValidateConfig
from emrys.components.validate.previous import fetch_previous
from tests.components.storage.conftest import gcs  # noqa: F401
from tests.components.validate.logs import log, validate, write


@pytest.fixture
def outputs(tmp_path):
    made = {"statistics": dsl.Artifact, "metrics": dsl.Metrics, "report": dsl.HTML}
    return {name: kind(uri=str(tmp_path / "task" / name)) for name, kind in made.items()}


def test_component_specification():
    spec = component.component_spec
    artifacts = {name: one.type for name, one in spec.outputs.items()}
    assert artifacts == {
        "statistics": "system.Artifact@0.0.1",
        "metrics": "system.Metrics@0.0.1",
        "report": "system.HTML@0.0.1",
        "Output": "String",
    }
    assert spec.inputs["splits"].type == "system.Dataset@0.0.1"
    assert "pip install" not in " ".join(spec.implementation.container.command)


def test_its_defaults_are_those_of_the_configuration():
    parameters = inspect.signature(component.python_func).parameters
    common = set(parameters) & set(ValidateConfig.__dataclass_fields__)
    assert len(common) == 16
    defaults = ValidateConfig()
    for name in common - {"columns", "severity"}:
        assert parameters[name].default == getattr(defaults, name), name


def test_data_that_pass(tmp_path, outputs):
    raw = dsl.Dataset(uri=str(write(tmp_path / "splits")))
    verdict = component.python_func(splits=raw, **outputs, columns={}, severity={})
    written = Statistics(outputs["statistics"].path)
    assert verdict == written.verdict == "passed"
    assert outputs["metrics"].metadata == {
        "train_rows": 2000, "valid_rows": 200, "test_rows": 200, "errors": 0, "warnings": 0
    }  # fmt: skip
    assert Path(outputs["report"].path).read_bytes() == written.report.read_bytes()


def test_data_that_drifted_stop_it_with_one_line_and_leave_the_page(tmp_path, outputs, capsys):
    validate(tmp_path)
    ages = [age + 20 for age in log()["age"].to_pylist()]
    raw = dsl.Dataset(uri=str(write(tmp_path / "splits", train=log(age=ages))))
    previous = (tmp_path / "run").as_uri()
    with pytest.raises(SystemExit) as caught:
        component.python_func(splits=raw, **outputs, columns={}, severity={}, previous=previous)
    assert "column 'age': drift: the values changed since the previous run" in caught.value.code
    assert "stopped" in Path(outputs["report"].path).read_text(encoding="utf-8")
    assert not Path(outputs["statistics"].path).exists()
    last = capsys.readouterr().err.splitlines()[-1]
    assert json.loads(last.removeprefix("emrys-event "))["exit_status"] == 2


def test_an_argument_that_cannot_be(tmp_path, outputs):
    with pytest.raises(SystemExit, match="validate: validate: on_anomaly; expected stop, mark, got 'shout'"):
        component.python_func(
            splits=dsl.Dataset(uri=str(tmp_path)), **outputs, columns={}, severity={}, on_anomaly="shout"
        )


class TestPrevious:
    def test_nothing_is_named(self, tmp_path):
        assert fetch_previous("", "", "", tmp_path / "x") is None

    def test_a_path_is_used_as_it_stands(self, tmp_path):
        assert fetch_previous(str(tmp_path / "run"), "", "", tmp_path / "x") == tmp_path / "run"

    @pytest.mark.parametrize("kind", ["file", "gs"])
    def test_a_folder_elsewhere_is_fetched(self, request, tmp_path, kind):
        uri = (tmp_path / "kept").as_uri()
        if kind == "gs":
            request.getfixturevalue("gcs")
            uri = "gs://models/kept"
        found = validate(tmp_path)
        store = open_store(uri)
        for name in (*found.files, "manifest.json"):
            store.upload(found.path / name, name)
        fetched = fetch_previous(uri, "", "", tmp_path / "here")
        assert fetched == tmp_path / "here"
        assert Statistics(fetched).fingerprint == found.fingerprint

    def test_nothing_stands_there(self, tmp_path):
        uri = (tmp_path / "nothing").as_uri()
        with pytest.raises(ArtifactError, match="there are no statistics; expected those of an earlier run"):
            fetch_previous(uri, "", "", tmp_path / "here")

    def test_the_version_in_production(self, tmp_path):
        root = str(tmp_path / "registry")
        registry = Registry(root, "ranking")
        assert fetch_previous("", root, "ranking", tmp_path / "here") is None
        found = validate(tmp_path)
        version = registry.add({"statistics": found.path})
        assert fetch_previous("", root, "ranking", tmp_path / "here") is None  # not promoted
        registry.promote(version.name)
        fetched = fetch_previous("", root, "ranking", tmp_path / "here")
        assert Statistics(fetched).fingerprint == found.fingerprint

    def test_a_version_without_statistics(self, tmp_path):
        registry = Registry(str(tmp_path / "registry"), "ranking")
        (tmp_path / "schema").write_text("x", encoding="utf-8")
        registry.promote(registry.add({"schema": tmp_path / "schema"}).name)
        assert fetch_previous("", str(tmp_path / "registry"), "ranking", tmp_path / "here") is None

    def test_a_registry_without_a_model(self, tmp_path):
        with pytest.raises(ConfigError, match="validate: registry_name; expected the name of the model"):
            fetch_previous("", str(tmp_path), "", tmp_path / "here")
