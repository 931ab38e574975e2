"""The command `emrys`: help, options, errors of one line, exit statuses."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer.testing
from kfp import components

from emrys.pipelines.cli import pipeline_app
from emrys.pipelines.cli.app import app
from emrys.pipelines.cli.main import call
from emrys.pipelines.config.arguments import RENAMED_PARAMETERS
from emrys.pipelines.spec import SPECS

ROOT = Path(__file__).resolve().parents[3]


def emrys(*arguments, cwd=None):
    code = "from emrys.pipelines.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], ["run", "compile", "serve", "predict", "--version", "emrys run ranking --output runs/demo"]),
        (["run"], ["ranking", "retrieval"]),
        (["run", "ranking"], ["--dataset", "--runner", "subprocess|docker", "--epochs", "emrys run ranking --dataset"]),
        (
            ["run", "retrieval"],
            ["--registry", "--set", "--reuse", "3 if it did not", "emrys run retrieval --output"],
        ),
        (["compile", "ranking"], ["--config", "--set", "-o", "emrys compile ranking --config cluster.yaml"]),
        (["compile", "retrieval"], ["emrys compile retrieval -o retrieval.yaml"]),
        (["serve"], ["--http-port", "--grpc-port", "emrys serve runs/demo"]),
        (["predict"], ["--rows", "--from", "--protocol", "emrys predict --from runs/demo -n 3"]),
    ],
)
def test_help_lists_options_and_examples(command, words):
    result = typer.testing.CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert [word for word in words if word not in text] == []


def test_help_and_version_import_nothing_heavy():
    code = (
        "import sys\n"
        "from emrys.pipelines.cli.main import call\n"
        "assert call(['run', 'ranking', '--help']) == 0 and call(['--version']) == 0\n"
        "heavy = {'tensorflow', 'keras', 'kfp', 'merlin', 'nvtabular', 'pandas', 'numpy', 'tritonclient', 'docker'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == "[]\n"
    assert result.stdout.splitlines()[-1].startswith("emrys 0.")


@pytest.mark.slow
def test_the_process_of_a_command_never_imports_tensorflow():
    code = (
        "import sys\n"
        "from emrys.pipelines.cli import run_command, serve_command, predict_command\n"
        "print('tensorflow' in sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "emrys: No such command 'bogus'."),
        (["run", "rankin"], "emrys: No such command 'rankin'. Did you mean 'ranking'?"),
        (["run", "ranking", "--ouput", "x"], "emrys: No such option: --ouput"),
        (["run", "ranking", "--runner", "podman"], "emrys: Invalid value for '--runner'"),
        (["run", "ranking", "--epochs", "0"], "emrys: Invalid value for '--epochs'"),
        (["run", "ranking", "--set", "epochs"], "emrys: --set; expected NAME=VALUE, got 'epochs'"),
        (
            ["run", "retrieval", "--set", "embeding_dim=8"],
            "emrys: retrieval has no parameter 'embeding_dim'; expected one of recipe, dataset, split, ",
        ),
        (["run", "ranking", "--set", "tower_layers=[8]"], "emrys: ranking has no parameter 'tower_layers'; expected"),
        (
            ["run", "ranking", "--set", "dropout=much"],
            "emrys: ranking: dropout: Input should be a valid number, unable to parse string as a number; got 'much'",
        ),
        (
            ["compile", "ranking", "--set", "thresholds={auc: high}"],
            "emrys: ranking: thresholds.auc: Input should be a valid number, unable to parse string as a number; got",
        ),
        (["compile", "retrieval", "--set", "top_k=[1"], "emrys: --set top_k: not YAML (while parsing a flow sequ"),
        (["run", "ranking", "--config", "nope.yaml"], "emrys: nope.yaml: the configuration file is missing"),
        (["run", "ranking", "--output", "file"], "emrys: file: the output folder is a file. Choose another --output."),
        (["compile", "ranking", "-o", "a.txt"], "emrys: a.txt: the file name of a compiled pipeline is invalid"),
        (["serve"], "emrys: Missing argument 'DIR'."),
        (["serve", "nope"], "emrys: nope: the folder is missing; expected the output folder of `emrys run`, or a"),
        (["serve", "."], "emrys: .: there is no ensemble to serve; expected the output folder of `emrys run`, or a"),
        (["predict"], "emrys: one of --rows FILE and --from DIR is needed; got none"),
        (
            ["predict", "--rows", "a.json", "--from", "."],
            "emrys: one of --rows FILE and --from DIR is needed; got both",
        ),
        (["predict", "--from", ".", "-n", "0"], "emrys: Invalid value for '--number' / '-n'"),
    ],
)
def test_a_mistake_is_one_line_on_standard_error_and_status_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    assert call(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(message)
    assert output.err.count("\n") == 1


@pytest.mark.slow
def test_a_server_that_is_not_there_is_status_1(tmp_path):
    (tmp_path / "rows.json").write_text('[{"userId": 1}]')
    for protocol in ("grpc", "http"):
        result = emrys("predict", "--rows", "rows.json", "--protocol", protocol, "--url", "localhost:1", cwd=tmp_path)
        assert result.returncode == 1
        assert result.stderr.startswith("emrys: localhost:1: the server cannot be reached")
        assert result.stderr.count("\n") == 1


def test_a_bug_is_one_line_that_names_the_traceback(monkeypatch, capsys):
    def fail(*arguments):
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("emrys.pipelines.cli.compile_command.compile_to", fail)
    assert call(["compile", "ranking"]) == 1
    line = capsys.readouterr().err
    assert line.startswith("emrys: ZeroDivisionError: by zero. The log is ")
    log = Path(line.split("The log is ")[1].strip())
    assert "in fail" in log.read_text()
    log.unlink()


@pytest.mark.slow
def test_compile_writes_what_kfp_loads_and_the_configuration_says(tmp_path):
    (tmp_path / "config.yaml").write_text("images: {train: registry.example/train:7}\nparameters: {epochs: 9}\n")
    result = emrys("compile", "ranking", "--config", "config.yaml", "-o", "ranking.yaml", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "ranking.yaml\n", "")
    text = (tmp_path / "ranking.yaml").read_text()
    loaded = components.load_component_from_text(text)
    assert loaded.component_spec.inputs["epochs"].default == 9
    # validate, build_model, train, evaluate, gate, and the report in both branches
    assert text.count("image: registry.example/train:7") == 7


@pytest.mark.slow
def test_set_values_override_the_configuration(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("parameters: {epochs: 9, batch_size: 64}\n")
    settings = ["--set", "epochs=4", "--set", "tower_layers=[32, 16]", "--set", "registry=", "--set", "split=time"]
    assert call(["compile", "retrieval", "--config", "config.yaml", *settings]) == 0
    assert capsys.readouterr().out == "retrieval.yaml\n"
    inputs = components.load_component_from_text(Path("retrieval.yaml").read_text()).component_spec.inputs
    defaults = {name: inputs[name].default for name in ("epochs", "batch_size", "tower_layers", "registry", "split")}
    assert defaults == {"epochs": 4, "batch_size": 64, "tower_layers": [32, 16], "registry": "", "split": "time"}


def test_the_nearest_parameter_is_named(capsys):
    assert call(["compile", "ranking", "--set", "bach_size=3"]) == 2
    assert capsys.readouterr().err.endswith("Did you mean 'batch_size'?\n")


def test_there_is_a_command_for_every_pipeline_and_one_for_recipes():
    for commands in (pipeline_app.runs, pipeline_app.compiles):
        assert [command.name for command in commands.registered_commands] == [*SPECS, "RECIPE"]


@pytest.mark.slow
def test_an_old_name_of_a_parameter_works_with_a_note(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("parameters: {answers: 7, rows: 500}\n")
    assert call(["compile", "retrieval", "--config", "config.yaml", "--set", "slice_units=9"]) == 0
    notes = capsys.readouterr().err.splitlines()
    assert len(notes) == 3
    for old, new in RENAMED_PARAMETERS.items():
        assert len([note for note in notes if repr(old) in note and repr(new) in note]) == 1
    inputs = components.load_component_from_text(Path("retrieval.yaml").read_text()).component_spec.inputs
    assert [inputs[name].default for name in RENAMED_PARAMETERS.values()] == [7, 500, 9]
    assert not set(RENAMED_PARAMETERS) & set(inputs)


def test_a_parameter_under_its_old_and_its_new_name_is_refused(capsys):
    assert call(["compile", "ranking", "--set", "rows=5", "--set", "synthetic_rows=6"]) == 2
    assert "'synthetic_rows' is set twice, once as 'rows'" in capsys.readouterr().err


def test_an_old_name_that_another_pipeline_had_is_unknown(capsys):
    assert call(["compile", "ranking", "--set", "answers=5"]) == 2
    assert "ranking has no parameter 'answers'" in capsys.readouterr().err
