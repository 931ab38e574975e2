import pytest
from kfp import dsl

from emrys.blocks.errors import ArtifactError
from emrys.components.report.component import report as component
from tests.components.report.run_artifacts import write_page
from tests.components.reporting.reading import Page


def test_component_specification():
    inputs = component.component_spec.inputs
    artifacts = {name: one.type for name, one in inputs.items() if one.type.startswith("system.")}
    assert artifacts == {
        "statistics": "system.Artifact@0.0.1",
        "workflow": "system.Artifact@0.0.1",
        "schema": "system.Artifact@0.0.1",
        "model": "system.Model@0.0.1",
        "evaluation": "system.Artifact@0.0.1",
        "decision": "system.Artifact@0.0.1",
        "repository": "system.Model@0.0.1",
    }
    assert {name for name, one in inputs.items() if one.optional} == {
        "repository",
        "version",
        "registry",
        "model_name",
        "run_name",
    }
    assert {name: one.type for name, one in component.component_spec.outputs.items()} == {"page": "system.HTML@0.0.1"}


@pytest.mark.slow
@pytest.mark.parametrize("exported", [True, False])
def test_the_component_with_and_without_what_is_exported(promoted, tmp_path, exported):
    artifacts = {name: dsl.Artifact(uri=str(folder)) for name, folder in promoted.run.items()}
    if exported:
        artifacts["repository"] = dsl.Model(uri=str(promoted.folder / "repository"))
    component.python_func(**artifacts, page=dsl.HTML(uri=str(tmp_path / "page")), run_name="by-kfp")
    words = Page((tmp_path / "page").read_text(encoding="utf-8")).words
    assert "run report · by-kfp" in words
    assert ("There is no ensemble" in words) is not exported


@pytest.mark.slow
def test_a_decision_about_another_evaluation(promoted, failed, tmp_path):
    with pytest.raises(ArtifactError) as caught:
        write_page({**promoted.run, "decision": failed.run["decision"]}, tmp_path / "page")
    assert str(caught.value) == f"report: {failed.run['decision']}: the gate decision belongs to another evaluation"
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_the_registry_does_not_have(promoted, tmp_path):
    text = r"report: .*films has no version '.*'; expected a version; there is none yet"
    with pytest.raises(ArtifactError, match=text):
        write_page(promoted.run, tmp_path / "page", registry=str(tmp_path / "other"), model_name="films")
