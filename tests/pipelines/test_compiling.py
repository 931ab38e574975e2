"""The compiled ranking pipeline: the same bytes every time, known to KFP, and as the golden file has it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kfp import components

from blocks.errors import ConfigError
from pipelines.catalogue import definition
from pipelines.compiling import compile_pipeline
from pipelines.config import RankingConfig
from pipelines.config_file import read_config
from pipelines.ranking import ranking_pipeline
from tests.pipelines.golden import regenerate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def documents():
    return list(yaml.safe_load_all(regenerate.GOLDEN.read_text()))


def test_the_golden_file_is_what_is_compiled_today(tmp_path):
    regenerate.write(tmp_path / "ranking.yaml")
    assert (tmp_path / "ranking.yaml").read_text() == regenerate.GOLDEN.read_text(), (
        "If the change is meant, run: python -m tests.pipelines.golden.regenerate"
    )


def test_other_processes_compile_the_same_bytes(tmp_path):
    code = "import sys; from pathlib import Path; from tests.pipelines.golden import regenerate as r"
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", f"{code}; r.write(Path(sys.argv[1]))", str(tmp_path / f"{seed}.yaml")],
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
    assert (tmp_path / "1.yaml").read_bytes() == (tmp_path / "2.yaml").read_bytes() == regenerate.GOLDEN.read_bytes()


def test_kfp_loads_it_with_its_inputs():
    spec = components.load_component_from_text(regenerate.GOLDEN.read_text())
    assert spec.name == "ranking"
    inputs = spec.component_spec.inputs
    assert inputs["epochs"].type == "Integer"
    assert inputs["epochs"].default == 3
    assert inputs["dataset"].default == "ml-100k"
    assert inputs["schema_overrides"].default == {"age": {"tags": ["user", "categorical"]}}


def test_every_input_and_output_of_the_pipeline_and_of_its_steps_is_described(documents):
    pipeline = documents[0]
    silent = [
        f"{owner}.{name}"
        for owner, spec in [("ranking", pipeline["root"]), *pipeline["components"].items()]
        for side in ("inputDefinitions", "outputDefinitions")
        for kind in ("artifacts", "parameters")
        for name, definition in spec.get(side, {}).get(kind, {}).items()
        if not definition.get("description")
    ]
    assert silent == []
    assert pipeline["root"]["inputDefinitions"]["parameters"]["epochs"]["description"] == "Most epochs."


def test_every_step_is_a_task_with_a_title_in_its_image_and_installs_nothing(documents):
    pipeline = documents[0]
    tasks = pipeline["root"]["dag"]["tasks"]
    assert {name: task["taskInfo"]["name"] for name, task in tasks.items()} == {
        step.replace("_", "-"): step.replace("_", " ").capitalize() for step in definition("ranking").steps
    }
    kinds = {
        "preprocess": ("exec-ingest", "exec-preprocess", "exec-infer-schema"),
        "train": ("exec-build-model", "exec-train", "exec-evaluate"),
        "serve": ("exec-export-ensemble",),
    }
    expected = {step: f"registry.example/emrys/{kind}:test" for kind, steps in kinds.items() for step in steps}
    executors = pipeline["deploymentSpec"]["executors"]
    assert {name: executor["container"]["image"] for name, executor in executors.items()} == expected
    for executor in executors.values():
        assert "pip install" not in " ".join(executor["container"]["command"])


def test_the_train_task_is_exactly_this(documents):
    pipeline, platform = documents
    assert pipeline["root"]["dag"]["tasks"]["train"] == {
        "cachingOptions": {"enableCache": True},
        "componentRef": {"name": "comp-train"},
        "dependentTasks": ["build-model", "infer-schema", "preprocess"],
        "inputs": {
            "artifacts": {
                "data": {"taskOutputArtifact": {"outputArtifactKey": "data", "producerTask": "preprocess"}},
                "model": {"taskOutputArtifact": {"outputArtifactKey": "model", "producerTask": "build-model"}},
                "schema": {"taskOutputArtifact": {"outputArtifactKey": "schema", "producerTask": "infer-schema"}},
            },
            "parameters": {
                name: {"componentInputParameter": name}
                for name in ("batch_size", "checkpoint_dir", "epochs", "monitor", "patience", "seed")
            },
        },
        "taskInfo": {"name": "Train"},
    }
    container = pipeline["deploymentSpec"]["executors"]["exec-train"]["container"]
    assert container["args"] == ["--executor_input", "{{$}}", "--function_to_execute", "train"]
    assert container["resources"] == {
        "accelerator": {
            "count": "1",
            "resourceCount": "1",
            "resourceType": "nvidia.com/gpu",
            "type": "nvidia.com/gpu",
        },
        "cpuLimit": 4.0,
        "cpuRequest": 4.0,
        "memoryLimit": 17.179869184,  # 16 * 1024**3 bytes in units of 10**9
        "memoryRequest": 17.179869184,
        "resourceCpuLimit": "4",
        "resourceCpuRequest": "4",
        "resourceMemoryLimit": "16Gi",
        "resourceMemoryRequest": "16Gi",
    }
    assert platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"] == {
        "exec-train": {
            "nodeSelector": {"labels": {"pool": "gpu", "zone": "north"}},
            "tolerations": [
                {"effect": "NoSchedule", "key": "nvidia.com/gpu", "operator": "Exists"},
                {"key": "team", "operator": "Equal", "value": "ranking"},
            ],
        }
    }


def test_a_name_of_another_kind_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ConfigError, match=r"ranking\.txt: the name of a compiled pipeline cannot be used; expected a"):
        compile_pipeline(ranking_pipeline(read_config(None, RankingConfig)), tmp_path / "ranking.txt")
    assert list(tmp_path.iterdir()) == []
