from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from merlin.schema import Schema, Tags

from emrys.blocks.errors import ArtifactError, ConfigError, DataError, EmrysError, SchemaError
from emrys.blocks.workflow import Categorify, FillNormalize, FittedWorkflow
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.infer_schema.step import ColumnOverride, SchemaConfig, run
from emrys.components.preprocess.step import PreprocessConfig
from emrys.components.preprocess.step import run as preprocess
from tests.components.preprocess import raw


def tags(schema: Schema) -> dict[str, set[str]]:
    return {column.name: {str(getattr(tag, "value", tag)) for tag in column.tags} for column in schema}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    rows = raw.table(
        userId=[7, 8, 7, None],
        movieId=[1, 2, 3, 3],
        rating=[5.0, 1.0, 4.0, 2.0],
        title=["a", "b", "c", "c"],
        genres=[["x", "y"], ["x"], ["z", "x", "y"], ["y"]],
        release_year=[1990.0, 1991.0, 1992.0, 1992.0],
        gender=["F", "M", "F", "M"],
        age=[1, 2, 1, 3],
        occupation=["o", "p", "o", "q"],
        zipcode=["1", "2", "1", "3"],
    )
    place = rows.column_names.index("genres")
    longer = rows.set_column(place, "genres", pa.array([["x"] * 9, [], None, ["q"]], pa.list_(pa.string())))
    splits = raw.write(folder / "splits", train=rows, test=longer)
    preprocess(splits, PreprocessConfig(folds=2), data=folder / "data", workflow=folder / "workflow")
    return folder


def infer(made: Path, output: Path, **overrides: Any) -> FeatureSchema:
    run(made / "data", made / "workflow", SchemaConfig(overrides), output)
    return FeatureSchema(output)


@pytest.mark.slow
def test_the_whole_schema(made: Path, tmp_path: Path) -> None:
    schema = infer(made, tmp_path / "schema").schema
    assert tags(schema) == {
        "userId": {"categorical", "user", "id"},
        "movieId": {"categorical", "item", "id"},
        "title": {"categorical", "item"},
        "gender": {"categorical", "user"},
        "age": {"categorical", "user"},
        "occupation": {"categorical", "user"},
        "zipcode": {"categorical", "user"},
        "genres": {"categorical", "item"},
        "release_year": {"continuous", "item"},
        "TE_age_rating": {"continuous", "user"},
        "TE_gender_rating": {"continuous", "user"},
        "TE_occupation_rating": {"continuous", "user"},
        "TE_zipcode_rating": {"continuous", "user"},
        "TE_movieId_rating": {"continuous", "item"},
        "TE_userId_rating": {"continuous", "user"},
        "rating_binary": {"binary_classification", "target"},
        "rating": {"regression", "target"},
    }
    assert schema.select_by_tag(Tags.USER_ID).column_names == ["userId"]
    assert schema.select_by_tag(Tags.ITEM_ID).column_names == ["movieId"]
    # three reserved ids, then: two users, three movies, two genders, three ages, genres x, y and z
    highest = {"userId": 4, "movieId": 5, "title": 5, "gender": 4, "age": 5, "occupation": 5, "zipcode": 5, "genres": 5}
    for column in schema:
        domain = {"min": 0, "max": highest[column.name], "name": column.name} if column.name in highest else None
        assert column.properties.get("domain") == domain
    assert {column.name: column.dtype.name for column in schema} == {
        **dict.fromkeys(schema.column_names, "float32"),
        **dict.fromkeys(highest, "int64"),
        "rating_binary": "int8",
    }
    # the lists of the train split hold one to three genres; the test split is not asked
    assert schema["genres"].properties["value_count"] == {"min": 1, "max": 3}
    assert (schema["genres"].is_list, schema["genres"].is_ragged) == (True, True)
    assert not any(column.is_list for column in schema if column.name != "genres")


@pytest.mark.slow
def test_a_list_of_one_length_is_still_ragged(made: Path, tmp_path: Path) -> None:
    rows = raw.table(genres=[["a", "b"], ["c", "d"]], rating=[1.0, 5.0])
    none: dict[str, Any] = {"categorical": (), "continuous": (), "target_encoded": ()}
    splits = raw.write(tmp_path / "splits", train=rows)
    preprocess(splits, PreprocessConfig(**none), data=tmp_path / "data", workflow=tmp_path / "workflow")
    column = infer(tmp_path, tmp_path / "schema").schema["genres"]
    assert (column.is_ragged, column.properties["value_count"]) == (True, {"min": 0, "max": 2})


def test_overrides(made: Path, tmp_path: Path) -> None:
    inferred = infer(
        made,
        tmp_path / "schema",
        title={"tags": ["text", "mine"]},
        zipcode=ColumnOverride(role="context", max=99),
        gender={"drop": True},
        release_year={"min": -10, "max": 10.5, "dtype": "float64"},
        age={"role": "item", "tags": ["continuous"]},
        rating={"role": "context"},
    )
    schema = inferred.schema
    found = tags(schema)
    assert "gender" not in found
    assert found["title"] == {"text", "mine"}
    assert found["release_year"] == {"continuous", "item"}
    assert found["zipcode"] == {"categorical", "context"}
    assert found["TE_zipcode_rating"] == {"continuous", "user"}
    assert found["age"] == {"continuous", "item"}
    assert found["rating"] == {"context"}
    assert schema["zipcode"].properties["domain"]["max"] == 99
    assert schema["release_year"].properties["domain"] == {"min": -10.0, "max": 10.5, "name": "release_year"}
    assert schema["release_year"].dtype.name == "float64"
    assert (inferred.roles["zipcode"], inferred.roles["userId"]) == ("context", "user_id")


@pytest.mark.slow
def test_equal_bytes_whatever_the_hash_seed(made: Path, tmp_path: Path) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        from emrys.components.infer_schema.step import SchemaConfig, run
        made, output = map(Path, sys.argv[1:])
        run(made / "data", made / "workflow", SchemaConfig({}), output)
        print("tensorflow" in sys.modules)
    """
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(made), str(tmp_path / seed)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            cwd=Path(__file__).parents[3],
        )
        assert done.stdout.strip() == "False"
    for name in ("schema.pbtxt", "manifest.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    assert FeatureSchema(tmp_path / "1").fingerprint == infer(made, tmp_path / "3").fingerprint


@pytest.mark.parametrize(
    ("overrides", "kind", "message"),
    [
        ({"Gender": {"drop": True}}, ConfigError, "column 'Gender': there is no such column to override. Did you"),
        (
            {"age": {"max": 4}},
            SchemaError,
            "column 'age': the data lies outside of the domain; expected 0 to 4, got 3 to 5. Widen min and max",
        ),
        ({"age": {"dtype": "float32"}}, SchemaError, "column 'age': the dtype does not fit the data; expected int64"),
        (
            {"age": {"role": "user_id"}, "userId": {"role": "user_id"}},
            SchemaError,
            "several columns could be the user id",
        ),
        ({"age": {"tags": ["categorical", "continuous"]}}, SchemaError, "column 'age': the tags contradict each other"),
        ({"age": {"role": "boss"}}, ConfigError, "column 'age': role cannot be used; expected user_id, item_id, user,"),
        ({"age": {"kind": 1}}, ConfigError, "column 'age': the override cannot be used; expected some of tags, role,"),
        ({"age": {"tags": "user"}}, ConfigError, "column 'age': tags cannot be used; expected a list of names"),
        ({"age": {"min": 3, "max": 2}}, ConfigError, "column 'age': min lies above max; got 3 and 2"),
        ({"age": {"dtype": "text"}}, ConfigError, "column 'age': dtype cannot be used; expected int8, int16"),
    ],
)
def test_overrides_that_cannot_be(
    made: Path, tmp_path: Path, overrides: dict[str, Any], kind: type[EmrysError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        infer(made, tmp_path / "schema", **overrides)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def tampered(made: Path, output: Path, split: str, change: Any) -> Path:
    """The transformed data with one split changed, and no word of the workflow that made it."""
    data = Transformed(made / "data")
    with Transformed.create(output / "data", {}) as folder:
        for name in ("train", "valid", "test"):
            table = data.read(name)
            pq.write_table(change(table) if name == split else table, folder / f"{name}.parquet")
    FittedWorkflowArtifact(made / "workflow").workflow.save(output / "plain")
    with FittedWorkflowArtifact.create(output / "workflow", {}) as folder:
        FittedWorkflow.load(output / "plain").save(folder)
    return output


def replaced(name: str, values: pa.Array) -> Any:
    return lambda table: table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("split", "change", "message"),
    [
        (
            "train",
            replaced("age", pa.array([3, 6, 3, 3])),
            "column 'age': the column holds an id that the workflow does not assign; expected 0 to 5, got 6. The",
        ),
        ("test", replaced("age", pa.array([3, -1, 3, 3])), "expected 0 to 5, got -1"),
        (
            "test",
            lambda table: table.drop_columns(["rating"]),
            "test.parquet: column 'rating': the target of the workflow is not in the data; got userId, movieId",
        ),
        (
            "valid",
            lambda table: table.drop_columns(["age"]),
            "column 'age': the column of the workflow is not in the data",
        ),
        (
            "valid",
            replaced("release_year", pa.array([0.0, float("nan"), 0.0, 0.0], pa.float32())),
            "valid.parquet: column 'release_year': the column holds NaN or infinities; expected finite numbers",
        ),
        ("train", replaced("TE_age_rating", pa.array([0.0, None, 0, 0], pa.float32())), "the column holds nulls"),
        ("train", replaced("genres", pa.array([[3], [None], [], []], pa.list_(pa.int64()))), "the column holds nulls"),
        (
            "train",
            replaced("age", pa.array(["a"] * 4)),
            "column 'age': the column has the wrong type; expected int64, got",
        ),
        ("train", replaced("genres", pa.array([3] * 4)), "expected list<int64>, got int64"),
        (
            "train",
            replaced("rating", pa.array(["a"] * 4)),
            "column 'rating': the column has the wrong type; expected a n",
        ),
        (
            "train",
            lambda table: table.append_column("extra", pa.array([1] * 4)),
            "column 'extra': the workflow does not produce the column",
        ),
    ],
)
def test_data_that_contradicts_the_workflow(made: Path, tmp_path: Path, split: str, change: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        infer(tampered(made, tmp_path, split, change), tmp_path / "schema")
    assert str(caught.value).startswith("infer_schema: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "schema").exists()


def test_data_of_another_workflow(made: Path, tmp_path: Path) -> None:
    with FittedWorkflowArtifact.create(tmp_path / "workflow", {}) as folder:
        FittedWorkflow([FillNormalize("x", 0.0, 0.0, 1.0)]).save(folder)
    with pytest.raises(ArtifactError, match="the data was transformed by another workflow"):
        run(made / "data", tmp_path / "workflow", SchemaConfig(), tmp_path / "schema")


def by_hand(folder: Path, columns: dict[str, list[int]], targets: dict[str, list[float]]) -> Path:
    """Data and workflow of columns that are ids already."""
    ops = []
    for name, values in columns.items():
        known = pa.array(range(max(values) - 2), pa.int64())
        ops.append(Categorify(name, "int64", pa.table({"value": known, "count": known})))
    with FittedWorkflowArtifact.create(folder / "workflow", {}) as work:
        FittedWorkflow(ops, tuple(targets)).save(work)
    with Transformed.create(folder / "data", {}) as work:
        for split in ("train", "valid", "test"):
            pq.write_table(pa.table({**columns, **targets}), work / f"{split}.parquet")
    return folder


def test_roles_by_what_the_data_determines(tmp_path: Path) -> None:
    columns = {
        "visitor_id": [3, 3, 4, 4, 5],
        "article_id": [3, 4, 3, 4, 4],
        "plan": [3, 3, 4, 4, 3],  # one for every visitor
        "shelf": [4, 3, 4, 3, 3],  # one for every article
        "hour": [3, 4, 5, 3, 3],  # one for neither
        "constant": [3, 3, 3, 3, 3],  # one for both
        "item_size": [3, 4, 5, 4, 3],  # by its name
    }
    targets = {"click": [0.0, 1, 1, 0, 1], "seconds": [0.0, 1, 2, 0, 1]}
    inferred = infer(by_hand(tmp_path, columns, targets), tmp_path / "schema")
    assert inferred.roles == {
        "visitor_id": "user_id",
        "article_id": "item_id",
        "plan": "user",
        "shelf": "item",
        "hour": "context",
        "constant": "context",
        "item_size": "item",
        "click": "binary_classification",
        "seconds": "regression",
    }


def test_ids_whose_names_say_nothing(tmp_path: Path) -> None:
    columns = {"who": [3, 3, 4, 4, 5], "plan": [3, 3, 4, 4, 3]}
    made = by_hand(tmp_path, columns, {"click": [0.0, 1, 1, 0, 1]})
    assert infer(made, tmp_path / "1").roles == {
        "who": "context",
        "plan": "context",
        "click": "binary_classification",
    }
    assert infer(made, tmp_path / "2", who={"role": "user_id"}).roles == {
        "who": "user_id",
        "plan": "user",
        "click": "binary_classification",
    }


def test_ids_seen_in_the_data_stay_below_the_cardinality(made: Path, tmp_path: Path) -> None:
    schema = infer(made, tmp_path / "schema").schema
    data = Transformed(made / "data")
    for column in schema.select_by_tag(Tags.CATEGORICAL):
        values = data.read("test")[column.name]
        flat = pc.list_flatten(values) if column.is_list else values
        assert pc.max(flat).as_py() <= column.properties["domain"]["max"]
