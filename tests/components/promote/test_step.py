from __future__ import annotations

import numpy as np
import pytest
from kfp import dsl

from emrys.blocks.errors import ArtifactError, DataError
from emrys.blocks.io import write_json
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.gate_decision import GateDecision
from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.contracts.retrieval_evaluation import CANDIDATES_FILE, SEEN_ITEMS_FILE, RetrievalEvaluation
from emrys.components.contracts.statistics import Statistics
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.model_registry.registry import Registry
from emrys.components.promote.component import promote as component
from emrys.components.promote.step import PARTS, run
from emrys.components.validate.previous import fetch_previous
from emrys.components.validate.step import ValidateConfig
from emrys.components.validate.step import run as validate_step
from emrys.pipelines.cli.main import call
from tests.components.validate.logs import NOW, log, validate, write


@pytest.fixture
def make_run(tmp_path):
    """Writes the artifacts of a run, of which the promotion only reads what its checks need."""

    def make(folder: str = "run", passed: bool = True, content: str = "a", files: tuple[str, ...] = ()):
        root = tmp_path / folder
        with Evaluation.create(root / "evaluation", {}) as work:
            write_json(work / "metrics.json", {"auc": 0.8})
            write_json(work / "curves.json", {})
            for file in ("report.html", *files):
                (work / file).write_text(content, encoding="utf-8")
            MeasuredRows(np.zeros(0, "int64")).write(work / "rows.parquet")
        evaluation = Evaluation(root / "evaluation").fingerprint
        with GateDecision.create(root / "decision", {}) as work:
            reasons = [] if passed else ["auc is 0.5000; its lower bound 0.4000 must be at least 0.6"]
            decision = {"passed": passed, "reasons": reasons, "checks": [], "evaluation": evaluation}
            write_json(work / "decision.json", decision)
        for name in ("statistics", "workflow", "schema", "model", "repository"):
            with PARTS[name].create(root / name, {"name": "ranking", "version": 1}) as work:
                for file in PARTS[name].required or ("file",):
                    (work / file).parent.mkdir(parents=True, exist_ok=True)
                    (work / file).write_text(content, encoding="utf-8")
                for model in ("ranking", "ranking_transform", "ranking_model") if name == "repository" else ():
                    (work / "models" / model).mkdir(parents=True)
                    (work / "models" / model / "config.pbtxt").write_text(model, encoding="utf-8")
                    (work / "models" / model / "1").mkdir()
                    (work / "models" / model / "1" / "index.bin").write_text(content, encoding="utf-8")
        outcome = {name: {"path": str(root / name), "metadata": {}} for name in PARTS}
        (root / "pipeline").mkdir()
        write_json(root / "pipeline" / "outputs.json", {"pipeline": "ranking", "artifacts": outcome, "version": ""})
        return {name: root / name for name in PARTS}

    return make


def test_a_run_becomes_the_version_in_production(make_run, tmp_path):
    version = run(make_run(), str(tmp_path / "registry"), "ranking")
    registry = Registry(tmp_path / "registry", "ranking")
    assert registry.current() == version
    assert version.parts == sorted(PARTS)
    assert version.facts["metrics"] == {"auc": 0.8}
    kept = run(make_run("second", content="b"), str(tmp_path / "registry"), "ranking", move=False)
    assert registry.current() == version
    assert registry.versions() == [version, kept]


def test_without_a_registry_nothing_is_written_and_the_component_gives_an_empty_name(make_run, tmp_path, capfd):
    artifacts = {name: dsl.Artifact(uri=str(folder)) for name, folder in make_run().items()}
    before = sorted(tmp_path.rglob("*"))
    assert component.python_func(**artifacts, registry="", name="ranking") == ""
    assert sorted(tmp_path.rglob("*")) == before
    said = [line for line in capfd.readouterr().err.splitlines() if '"message"' in line]
    assert len(said) == 1
    assert "the model passed, but there is no registry to promote it to" in said[0]


def test_without_a_registry_what_has_not_passed_fails_all_the_same(make_run):
    with pytest.raises(ArtifactError, match="has not passed the gate"):
        run(make_run(passed=False), "", "ranking")


def test_the_component_gives_the_name_of_the_version(make_run, tmp_path):
    artifacts = {name: dsl.Artifact(uri=str(folder)) for name, folder in make_run().items()}
    name = component.python_func(**artifacts, registry=str(tmp_path / "registry"), name="ranking")
    assert Registry(tmp_path / "registry", "ranking").current().name == name


def test_the_next_run_finds_the_statistics_of_the_version(make_run, tmp_path):
    outputs = make_run()
    del outputs["statistics"]
    outputs["statistics"] = validate(tmp_path, "before").path
    run(outputs, str(tmp_path / "registry"), "ranking")
    found = fetch_previous("", str(tmp_path / "registry"), "ranking", tmp_path / "previous")
    assert Statistics(found).columns == Statistics(outputs["statistics"]).columns
    ages = [age + 20 for age in log()["age"].to_pylist()]
    with pytest.raises(DataError, match="column 'age': drift: the values changed since the previous run"):
        validate_step(write(tmp_path / "next", train=log(age=ages)), ValidateConfig(), tmp_path / "out", found, now=NOW)


def test_a_version_holds_everything_to_serve_a_retrieval_model(make_run, tmp_path):
    outputs = make_run(files=(SEEN_ITEMS_FILE, CANDIDATES_FILE))
    version = run(outputs, str(tmp_path / "registry"), "ranking")
    whole = Registry(tmp_path / "registry", "ranking").fetch(version, tmp_path / "whole")
    assert RetrievalEvaluation(whole / "evaluation").fingerprint == Evaluation(outputs["evaluation"]).fingerprint
    index = "models/ranking_model/1/index.bin"
    assert TritonRepository(whole / "repository").files[index] == TritonRepository(outputs["repository"]).files[index]


def test_a_failed_decision_is_not_promoted(make_run, tmp_path):
    with pytest.raises(ArtifactError, match=r"promote: .*has not passed the gate; got auc is 0\.5000"):
        run(make_run(passed=False), str(tmp_path / "registry"), "ranking")
    assert not (tmp_path / "registry").exists()


def test_a_decision_about_another_evaluation(make_run, tmp_path):
    outputs = {**make_run(), "decision": make_run("second", content="b")["decision"]}
    with pytest.raises(ArtifactError, match="the gate decision belongs to another evaluation"):
        run(outputs, str(tmp_path / "registry"), "ranking")


def test_a_run_from_before_statistics_were_kept(make_run):
    outputs = make_run()
    del outputs["statistics"]
    text = r"the run has no statistics\. Run the pipeline again: a version needs the artifact of the step validate\."
    with pytest.raises(ArtifactError, match=text):
        run(outputs, "", "ranking")


def test_a_missing_artifact(make_run, tmp_path):
    outputs = make_run()
    del outputs["model"]
    with pytest.raises(ArtifactError, match="promote: the run has no model"):
        run(outputs, str(tmp_path / "registry"), "ranking")
    outputs = make_run("second")
    (outputs["model"] / "model.keras").unlink()
    with pytest.raises(ArtifactError, match=r"model\.keras: a file of the artifact is missing"):
        run(outputs, str(tmp_path / "registry"), "ranking")


class TestCommands:
    @pytest.fixture
    def emrys(self, capsys, tmp_path):
        def called(*arguments: str) -> str:
            assert call([*arguments, "--registry", str(tmp_path / "registry")]) == 0
            return capsys.readouterr().out

        return called

    def test_versions_promote_and_rollback(self, emrys, make_run, tmp_path):
        make_run("one")
        make_run("two", content="b")
        assert "has no versions yet" in emrys("versions")
        out = emrys("promote", str(tmp_path / "one"), "--dry-run")
        assert out.startswith("would add statistics, workflow, schema, model, evaluation, decision, repository of ")
        assert not (tmp_path / "registry").exists()

        assert "ranking: went from none to " in emrys("promote", str(tmp_path / "one"))
        emrys("promote", str(tmp_path / "two"))
        registry = Registry(tmp_path / "registry", "ranking")
        one, two = registry.versions()
        lines = emrys("versions").splitlines()
        assert "production" in lines[1]
        assert two.name in lines[1]
        assert one.name in lines[2]

        assert emrys("rollback", "--dry-run") == f"ranking: would go from {two.name} to {one.name}\n"
        assert registry.current() == two
        assert emrys("rollback") == f"ranking: went from {two.name} to {one.name}\n"
        assert emrys("promote", two.name) == f"ranking: went from {one.name} to {two.name}\n"
        assert emrys("promote", two.name) == f"ranking: {two.name} is in production already\n"

    def test_a_run_that_has_not_passed(self, make_run, tmp_path, capsys):
        make_run("one", passed=False)
        assert call(["promote", str(tmp_path / "one"), "--registry", str(tmp_path / "registry")]) == 2
        assert "has not passed the gate" in capsys.readouterr().err

    def test_nothing_to_go_back_to(self, tmp_path, capsys):
        assert call(["rollback", "--registry", str(tmp_path / "registry")]) == 2
        assert "ranking has no earlier version to go back to; got none in production" in capsys.readouterr().err

    def test_leftovers_of_killed_writers(self, emrys, tmp_path):
        left = tmp_path / "registry" / "ranking" / "versions" / "20200101T000000.000Z-abc" / "model" / "file"
        left.parent.mkdir(parents=True)
        left.touch()
        assert "would remove 1 unfinished: 20200101T000000.000Z-abc" in emrys("versions", "--tidy", "--dry-run")
        assert left.exists()
        assert "removed 1 unfinished" in emrys("versions", "--tidy")
        assert not left.exists()
