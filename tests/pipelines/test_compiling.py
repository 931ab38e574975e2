"""The compiled pipelines: the same bytes every time, known to KFP, as the golden files have them, gate included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kfp import components

from emrys.blocks.errors import ConfigError
from emrys.components.images import PREPROCESS_IMAGE, SERVE_IMAGE
from emrys.pipelines.compiling import compile_pipeline
from emrys.pipelines.spec import SPECS, pipeline_spec
from tests.pipelines.golden import regenerate

ROOT = Path(__file__).resolve().parents[2]

GOLDEN = {name: list(yaml.safe_load_all(regenerate.golden(name).read_text())) for name in SPECS}

EVALUATE = {"ranking": "evaluate", "retrieval": "evaluate_retrieval"}
EXPORT = {"ranking": "export_ensemble", "retrieval": "export_retrieval"}

#: Steps that KFP may take from its cache; those that read or change something outside always run.
CACHED = {"ingest", "preprocess", "infer_schema", "build_model", "train"}


@pytest.fixture(params=SPECS)
def name(request):
    return request.param


@pytest.fixture
def spec(name):
    return GOLDEN[name][0]


def branches(spec):
    """The tasks by branch: `root`, and the two branches after the gate."""
    tasks = spec["root"]["dag"]["tasks"]
    either = spec["components"][tasks["condition-branches-1"]["componentRef"]["name"]]["dag"]["tasks"]
    by_branch = {"root": {name: task for name, task in tasks.items() if name != "condition-branches-1"}}
    for task in either.values():
        inner = spec["components"][task["componentRef"]["name"]]["dag"]["tasks"]
        by_branch[task["taskInfo"]["name"]] = inner
    return by_branch


def step_of(task):
    """The step that a task is, in whichever branch."""
    return task["componentRef"]["name"].removeprefix("comp-").removesuffix("-2").replace("-", "_")


def all_tasks(spec):
    return [task for tasks in branches(spec).values() for task in tasks.values()]


@pytest.mark.slow
def test_the_golden_file_is_what_is_compiled_today(name, tmp_path):
    regenerate.write(name, tmp_path / f"{name}.yaml")
    assert (tmp_path / f"{name}.yaml").read_text() == regenerate.golden(name).read_text(), (
        "If the change is meant, run: python -m tests.pipelines.golden.regenerate"
    )


@pytest.mark.slow
def test_other_processes_compile_the_same_bytes(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tests.pipelines.golden import regenerate as r\n"
        "for name in r.SPECS: r.write(name, Path(sys.argv[1]) / f'{name}.yaml')"
    )
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, cwd=ROOT, env=environment)
    for name in SPECS:
        expected = regenerate.golden(name).read_bytes()
        assert [(tmp_path / seed / f"{name}.yaml").read_bytes() == expected for seed in ("1", "2")] == [True, True]


def test_kfp_loads_it_with_its_inputs(name):
    spec = components.load_component_from_text(regenerate.golden(name).read_text())
    assert spec.name == name
    inputs = spec.component_spec.inputs
    types = {
        "epochs": "Integer",
        "dropout": "Float",
        "dataset": "String",
        "thresholds": "Dict",
        "require_server": "Boolean",
    }
    assert {parameter: inputs[parameter].type for parameter in types} == types
    assert inputs["dataset"].default == "ml-100k"


def test_the_configuration_gives_the_defaults():
    ranking, retrieval = (GOLDEN[name][0]["root"]["inputDefinitions"]["parameters"] for name in SPECS)
    assert ranking["epochs"]["defaultValue"] == 3
    assert ranking["bottom_layers"]["defaultValue"] == [32]
    assert ranking["schema_overrides"]["defaultValue"] == {"age": {"tags": ["user", "categorical"]}}
    assert retrieval["embedding_dim"]["defaultValue"] == 128
    assert retrieval["column_limits"]["defaultValue"] == {"age": {"max": 99}}
    assert retrieval["baseline_metrics"]["defaultValue"] == ["recall_at_50"]


def test_every_input_and_output_of_the_pipeline_and_of_its_steps_is_described(name, spec):
    silent = [
        f"{owner}.{key}"
        for owner, one in [(name, spec["root"]), *spec["components"].items()]
        if not owner.startswith("comp-condition")  # KFP's own
        for side in ("inputDefinitions", "outputDefinitions")
        for kind in ("artifacts", "parameters")
        for key, definition in one.get(side, {}).get(kind, {}).items()
        if not definition.get("description")
    ]
    assert silent == []
    assert spec["root"]["inputDefinitions"]["parameters"]["epochs"]["description"] == "Maximum number of epochs."
    assert set(spec["root"]["inputDefinitions"]["parameters"]) == set(vars(pipeline_spec(name).config().parameters))


def test_every_step_is_a_task_with_a_title(name, spec):
    titles = {step_of(task): task["taskInfo"]["name"] for task in all_tasks(spec)}
    assert titles == {step: step.replace("_", " ").capitalize() for step in pipeline_spec(name).steps}


def test_the_configuration_of_the_steps_has_all_of_them(name):
    assert set(vars(pipeline_spec(name).config().steps)) == set(pipeline_spec(name).steps)


def test_every_step_runs_in_its_image_and_installs_nothing(spec):
    executors = spec["deploymentSpec"]["executors"]
    images = {name.removeprefix("exec-"): one["container"]["image"] for name, one in executors.items()}
    kinds = {
        name: image.removeprefix("registry.example/emrys/").removesuffix(":test") for name, image in images.items()
    }
    export = next(name for name in kinds if name.startswith("export"))
    assert {name for name, kind in kinds.items() if kind == "preprocess"} == {
        "fingerprint", "ingest", "preprocess", "infer-schema",
    }  # fmt: skip
    assert {name for name, kind in kinds.items() if kind == "serve"} == {export, "promote"}
    assert set(kinds.values()) == {"preprocess", "train", "serve"}
    assert not [one for one in executors.values() if "pip install" in " ".join(one["container"]["command"])]


def test_only_export_and_promotion_depend_on_the_gate(name, spec):
    parts = {branch: {step_of(task) for task in tasks.values()} for branch, tasks in branches(spec).items()}
    spec_of = pipeline_spec(name)
    assert parts == {
        "root": {*spec_of.steps} - {EXPORT[name], "promote", "report"},
        "gate passed": {EXPORT[name], "promote", "report"},
        "gate not passed": {"report"},
    }
    either = spec["components"]["comp-condition-branches-1"]["dag"]["tasks"].values()
    conditions = {task["taskInfo"]["name"]: task["triggerPolicy"]["condition"] for task in either}
    passed = "inputs.parameter_values['pipelinechannel--gate-Output'] == true"
    assert conditions == {"gate passed": passed, "gate not passed": f"!({passed})"}


def test_the_inputs_of_the_report_in_each_branch(spec):
    (passed,) = [task for task in branches(spec)["gate passed"].values() if step_of(task) == "report"]
    (other,) = branches(spec)["gate not passed"].values()
    assert passed["inputs"]["parameters"]["version"]["taskOutputParameter"]["producerTask"] == "promote"
    assert set(passed["inputs"]["artifacts"]) - set(other["inputs"]["artifacts"]) == {"repository"}
    assert "version" not in other["inputs"]["parameters"]
    run = other["inputs"]["parameters"]["run_name"]["runtimeValue"]["constant"]
    assert run == "{{$.pipeline_job_name}}"


def test_outputs_for_people_have_a_type_that_the_ui_shows(name, spec):
    shown = {
        (step, output): artifact["artifactType"]["schemaTitle"].removeprefix("system.")
        for step, one in spec["components"].items()
        for output, artifact in one.get("outputDefinitions", {}).get("artifacts", {}).items()
        if artifact["artifactType"]["schemaTitle"] not in ("system.Artifact", "system.Dataset", "system.Model")
    }
    evaluate = f"comp-{EVALUATE[name].replace('_', '-')}"
    curve = {(evaluate, "roc"): "ClassificationMetrics"} if name == "ranking" else {}
    assert shown == {
        ("comp-validate", "metrics"): "Metrics",
        ("comp-validate", "report"): "HTML",
        ("comp-build-model", "summary"): "Markdown",
        (evaluate, "metrics"): "Metrics",
        (evaluate, "report"): "HTML",
        ("comp-gate", "summary"): "Markdown",
        ("comp-report", "page"): "HTML",
        ("comp-report-2", "page"): "HTML",
        **curve,
    }


def test_cached_steps(spec):
    cached = {step_of(task) for task in all_tasks(spec) if task["cachingOptions"] == {"enableCache": True}}
    assert cached == CACHED
    assert {str(task["cachingOptions"]) for task in all_tasks(spec) if step_of(task) not in CACHED} == {"{}"}


def test_ingest_is_cached_by_the_content_of_the_data(spec):
    content = branches(spec)["root"]["ingest"]["inputs"]["parameters"]["content"]
    assert content == {"taskOutputParameter": {"outputParameterKey": "Output", "producerTask": "fingerprint"}}


def test_nothing_is_trained_on_before_it_is_validated(spec):
    assert "validate" in branches(spec)["root"]["preprocess"]["dependentTasks"]


def test_the_registry_reaches_every_step_that_asks_it(name, spec):
    asking = {
        step_of(task): {key: one["componentInputParameter"].removeprefix("pipelinechannel--")
                        for key, one in task["inputs"]["parameters"].items()
                        if one.get("componentInputParameter", "").endswith(("registry", "model_name"))}
        for task in all_tasks(spec)
    }  # fmt: skip
    evaluate, export = EVALUATE[name], EXPORT[name]
    assert {step: inputs for step, inputs in asking.items() if inputs} == {
        "validate": {"registry": "registry", "registry_name": "model_name"},
        evaluate: {"registry": "registry", "model_name": "model_name"},
        export: {"name": "model_name"},
        "promote": {"registry": "registry", "name": "model_name"},
        "report": {"registry": "registry", "model_name": "model_name"},
    }


def test_constants_of_retrieval(spec, name):
    features = branches(spec)["root"]["preprocess"]["inputs"]["parameters"].get("features")
    assert features == ({"runtimeValue": {"constant": "retrieval"}} if name == "retrieval" else None)


def test_the_train_task_is_exactly_this():
    pipeline, platform = GOLDEN["ranking"]
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
                for name in ("batch_size", "checkpoint_dir", "epochs", "monitor", "patience", "recipe", "seed")
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


@pytest.mark.slow
def test_the_images_of_the_configuration_are_the_default_ones(tmp_path):
    wanted = pipeline_spec("retrieval")
    compile_pipeline(wanted.builder(wanted.config()), tmp_path / "plain.yaml")
    executors = next(yaml.safe_load_all((tmp_path / "plain.yaml").read_text()))["deploymentSpec"]["executors"]
    assert executors["exec-ingest"]["container"]["image"] == PREPROCESS_IMAGE
    assert executors["exec-promote"]["container"]["image"] == SERVE_IMAGE


@pytest.mark.slow
def test_a_name_of_another_kind_is_refused_and_nothing_is_written(name, tmp_path):
    wanted = pipeline_spec(name)
    with pytest.raises(
        ConfigError, match=r"one\.txt: the file name of a compiled pipeline is invalid; expected a name"
    ):
        compile_pipeline(wanted.builder(wanted.config()), tmp_path / "one.txt")
    assert list(tmp_path.iterdir()) == []
