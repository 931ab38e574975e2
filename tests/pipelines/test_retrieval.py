"""The compiled retrieval pipeline: its tasks in order, their titles and images, and that everything is described."""

import dataclasses

import pytest
import yaml

from components.evaluate_retrieval.config import EvaluateRetrievalConfig
from pipelines.catalogue import definition
from pipelines.compiling import compile_pipeline
from pipelines.retrieval_config import RetrievalConfig, RetrievalParameters


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    path = tmp_path_factory.mktemp("compiled") / "retrieval.yaml"
    compile_pipeline(definition("retrieval").build(RetrievalConfig()), path)
    return next(iter(yaml.safe_load_all(path.read_text())))


def test_every_step_is_a_task_with_a_title(compiled):
    tasks = compiled["root"]["dag"]["tasks"]
    titles = {name: task["taskInfo"]["name"] for name, task in tasks.items()}
    assert titles == {
        step.replace("_", "-"): step.replace("_", " ").capitalize() for step in definition("retrieval").steps
    }


def test_ingest_is_cached_by_the_content_of_the_data(compiled):
    tasks = compiled["root"]["dag"]["tasks"]
    content = tasks["ingest"]["inputs"]["parameters"]["content"]
    assert content == {"taskOutputParameter": {"outputParameterKey": "Output", "producerTask": "fingerprint"}}
    assert tasks["fingerprint"]["cachingOptions"] == {}
    assert tasks["ingest"]["cachingOptions"] == {"enableCache": True}


def test_the_features_are_those_of_retrieval(compiled):
    given = compiled["root"]["dag"]["tasks"]["preprocess"]["inputs"]["parameters"]["features"]
    assert given == {"runtimeValue": {"constant": "retrieval"}}


def test_everything_is_described(compiled):
    silent = [
        f"{owner}.{name}"
        for owner, spec in [("retrieval", compiled["root"]), *compiled["components"].items()]
        for side in ("inputDefinitions", "outputDefinitions")
        for kind in ("artifacts", "parameters")
        for name, one in spec.get(side, {}).get(kind, {}).items()
        if not one.get("description")
    ]
    assert silent == []


def test_defaults_of_the_evaluation_agree():
    pipeline, step = RetrievalParameters(), EvaluateRetrievalConfig()
    for field in dataclasses.fields(step):
        if hasattr(pipeline, field.name):
            assert getattr(pipeline, field.name) == getattr(step, field.name)
