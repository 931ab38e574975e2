"""The commands init, check and recipe show, and recipes in run and compile."""

from __future__ import annotations

import json

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml

from emrys.components.recipe.builtin import recipe_text
from emrys.components.recipe.reading import read_recipe
from emrys.pipelines.cli import run_command
from emrys.pipelines.cli.main import call
from tests.components.recipe import logs

LOGS = ("clicks", "reviews", "shop", "houses", "four_columns")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the five logs, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in LOGS:
        pyarrow.csv.write_csv(getattr(logs, name)(), tmp_path / f"{name}.csv")
    return tmp_path


@pytest.mark.parametrize("name", LOGS)
def test_init_writes_a_recipe_that_check_accepts(folder, capsys, name):
    assert call(["init", f"{name}.csv", "-o", f"recipes/{name}.yaml"]) == 0
    assert capsys.readouterr().out == f"recipes/{name}.yaml\n"
    assert read_recipe(f"recipes/{name}.yaml").data.path == f"../{name}.csv"
    assert call(["check", f"recipes/{name}.yaml"]) == 0
    assert capsys.readouterr().err == ""


def test_init_keeps_a_file_that_exists(folder, capsys):
    (folder / "recipe.yaml").write_text("mine")
    assert call(["init", "clicks.csv"]) == 2
    assert "recipe.yaml: the file exists. Choose another --output, or add --force." in capsys.readouterr().err
    assert (folder / "recipe.yaml").read_text() == "mine"
    assert call(["init", "clicks.csv", "--force"]) == 0
    assert read_recipe("recipe.yaml").data.path == "clicks.csv"


def test_init_of_a_missing_log(folder, capsys):
    assert call(["init", "none.csv"]) == 2
    assert "none.csv: there is no such file" in capsys.readouterr().err


def test_check_prints_roles_with_reasons(folder, capsys):
    (folder / "r.yaml").write_text("data: {path: reviews.csv}\nmodel: {name: two-tower}\n")
    assert call(["check", "r.yaml"]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert ["reviewerID", "user_id", "string     by its name"] in [
        [*line[:2], line[2].strip()] for line in lines if len(line) > 2
    ]
    assert any(line[:2] == ["unixReviewTime", "time"] for line in lines)


def test_check_tells_all_faults_of_recipe_columns_and_tables(folder, capsys):
    pq.write_table(logs.shop().select(["sku", "category"]).slice(0, 5), folder / "items.parquet")
    (folder / "r.yaml").write_text(
        "data: {path: shop.csv}\n"
        "tables: {items: {path: items.parquet, key: skuu}, users: {path: none.csv, key: visitor}}\n"
        "columns: {user_id: visitr, weigth: price, targets: {buy: {from: event_type, values: [byu]}}}\n"
        "features: {price: [logg]}\n"
        "model: {name: dlrm, dropout: 2}\n"
        "gate: {auk: 0.5}\n"
    )
    assert call(["check", "r.yaml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "emrys: r.yaml: 8 faults"
    keys = [line.split(":")[0].strip() for line in lines[1:]]
    assert keys == [
        "columns.weigth", "model.dropout", "tables.items.key", "tables.users.path", "columns.user_id",
        "columns.targets.buy", "features.price.0", "gate.auk",
    ]  # fmt: skip


def test_check_of_a_log_that_is_not_there_tells_the_other_faults_too(folder, capsys):
    (folder / "r.yaml").write_text("data: {path: none.csv}\nmodel: {name: dlrm, dropot: 0.1}\n")
    assert call(["check", "r.yaml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["model.dropot", "data.path"]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("own.model:build", None),
        (
            "own.model:Build",
            "no such function in model.py; expected one of keras, build, got 'Build'. Did you mean 'build'?",
        ),
        ("own.modell:build", "there is no module 'own.modell'"),
        ("broken:build", "broken.py is no Python"),
        ("json:loads", None),
    ],
)
def test_check_looks_for_modules_of_the_user_without_running_them(folder, capsys, model, words):
    (folder / "own").mkdir()
    (folder / "own" / "model.py").write_text(
        "import keras\n\ndef build(schema, config):\n    ...\n\nraise SystemExit\n"
    )
    (folder / "broken.py").write_text("def build(:\n")
    (folder / "r.yaml").write_text(
        f"data: {{path: houses.csv}}\ncolumns: {{targets: {{target: regression}}}}\nmodel: {{module: '{model}'}}\n"
    )
    status = call(["check", "r.yaml"])
    err = capsys.readouterr().err
    assert (status, err) == (0, "") if words is None else (status == 2 and words in err)


def test_recipe_show(capsys):
    assert call(["recipe", "show", "ml-1m"]) == 0
    assert capsys.readouterr().out == recipe_text("ml-1m", "ranking")
    assert call(["recipe", "show", "ml-1m", "--task", "retrieval"]) == 0
    assert capsys.readouterr().out == recipe_text("ml-1m", "retrieval")
    assert call(["recipe", "show", "ml-2m"]) == 2
    assert "Did you mean 'ml-1m'?" in capsys.readouterr().err


def test_run_takes_a_recipe_and_arguments_override_it(folder, capsys, monkeypatch):
    requests = []

    def record(request, progress, on_line):
        requests.append(request)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_command, "run_pipeline", record)
    (folder / "recipes").mkdir()
    (folder / "recipes" / "mine.yaml").write_text(
        "data: {path: ../reviews.csv}\nmodel: {name: two-tower}\ntrain: {epochs: 7, patience: 3}\n"
    )
    assert call(["run", "recipes/mine.yaml", "--epochs", "2", "--set", "batch_size=32"]) == 130
    (request,) = requests
    assert (request.pipeline, request.output) == ("retrieval", folder / "runs" / "mine")
    assert request.code == folder / "recipes"
    assert request.arguments["recipe"]["data"]["path"] == str(folder / "reviews.csv")
    assert {name: request.arguments[name] for name in ("epochs", "patience", "batch_size", "architecture")} == {
        "epochs": 2, "patience": 3, "batch_size": 32, "architecture": "two-tower",
    }  # fmt: skip
    call(["run", "recipes/mine.yaml", "--dataset", "reviews.csv", "--output", "out"])
    assert requests[1].arguments["recipe"]["data"]["path"] == str(folder / "reviews.csv")
    assert requests[1].output == folder / "out"


def test_run_checks_the_recipe_first(folder, capsys):
    (folder / "r.yaml").write_text("data: {path: reviews.csv}\ncolumns: {user_id: x}\nmodel: {name: two-towr}\n")
    assert call(["run", "r.yaml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "emrys: r.yaml: 2 faults"
    assert not (folder / "runs").exists()


def test_run_tells_what_is_left_out(folder, capsys, monkeypatch):
    monkeypatch.setattr(run_command, "run_pipeline", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    (folder / "r.yaml").write_text(
        "data: {path: houses.csv}\ncolumns: {ignore: [area], targets: {target: regression}}\nmodel: {name: mlp}\n"
    )
    call(["run", "r.yaml"])
    assert "emrys: the column 'area' is left out: the recipe ignores it\n" in capsys.readouterr().err


def test_a_recipe_that_is_not_there(folder, capsys):
    assert call(["run", "none.yaml"]) == 2
    assert "none.yaml: the recipe is missing" in capsys.readouterr().err


@pytest.mark.slow
def test_compile_makes_the_recipe_the_default(folder, capsys):
    (folder / "r.yaml").write_text("data: {path: gs://bucket/log/*.parquet}\nmodel: {name: dcn, depth: 2}\n")
    assert call(["compile", "r.yaml", "-o", "out.yaml", "--set", "epochs=4"]) == 0
    compiled = yaml.safe_load((folder / "out.yaml").read_text())
    inputs = compiled["root"]["inputDefinitions"]["parameters"]
    assert json.loads(json.dumps(inputs["recipe"]["defaultValue"])) == {
        "data": {"path": "gs://bucket/log/*.parquet"},
        "model": {"name": "dcn", "depth": 2},
    }
    assert (inputs["epochs"]["defaultValue"], inputs["dropout"]["defaultValue"]) == (4, 0)
    assert compiled["pipelineInfo"]["name"] == "ranking"
