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
from emrys.blocks.workflow import (
    Categorify,
    Cross,
    DatePart,
    FillNormalize,
    FittedWorkflow,
    HashBucket,
    NumberChain,
    RawColumn,
)
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
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
    preprocess(
        splits, PreprocessConfig(raw.recipe(raw.RANKING), folds=2), data=folder / "data", workflow=folder / "workflow"
    )
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
    splits = raw.write(tmp_path / "splits", train=rows)
    config = PreprocessConfig(raw.recipe({"genres": ["categorify"]}))
    preprocess(splits, config, data=tmp_path / "data", workflow=tmp_path / "workflow")
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
    for name in ("schema.pbtxt", "data_schema.json"):
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
            "several columns are the user id",
        ),
        ({"age": {"tags": ["categorical", "continuous"]}}, SchemaError, "column 'age': the tags contradict each other"),
        ({"age": {"role": "boss"}}, ConfigError, "column 'age': role cannot be used; expected user_id, item_id, sess"),
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
        data.data_schema.write(folder)
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
            "test.parquet: column 'rating': the target of the workflow is not in the data; got userId, TE_userId",
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


def by_hand(folder: Path, workflow: FittedWorkflow, rows: pa.Table, schema: DataSchema) -> Path:
    """Data and workflow as the step before writes them."""
    with FittedWorkflowArtifact.create(folder / "workflow", {}) as work:
        workflow.save(work)
    with Transformed.create(folder / "data", {}) as work:
        schema.write(work)
        for split in ("train", "valid", "test"):
            pq.write_table(rows, work / f"{split}.parquet")
    return folder


def ids(name: str, **options: Any) -> Categorify:
    return Categorify(name, "int64", pa.table({"value": [7, 8, 9], "count": [3, 2, 1]}), **options)


SHOP = DataSchema(
    (
        DataColumn("visitor", "int64", Role.USER_ID),
        DataColumn("sku", "int64", Role.ITEM_ID),
        DataColumn("visit", "int64", Role.SESSION_ID),
        DataColumn("ts", "int64", Role.TIME, unit="s"),
        DataColumn("event", "string", Role.EVENT),
        DataColumn("trust", "float32", Role.WEIGHT),
        DataColumn("plan", "int64", Role.USER),
        DataColumn("shelf", "int64", Role.ITEM),
        DataColumn("image", "float32", Role.ITEM, is_list=True, length=2, continuous=True),
        DataColumn("prices", "float32", Role.CONTEXT, is_list=True, continuous=True),
        DataColumn("recent", "int64", Role.HISTORY, is_list=True, history_of="sku"),
        DataColumn("stay", "float32", Role.SOURCE),
    ),
    (
        Target("bought", TargetKind.BINARY, source="event"),
        Target("stayed", TargetKind.BINARY, source="stay"),
        Target("spent", TargetKind.REGRESSION),
        Target("stars", TargetKind.CLASSES, classes=(1, 2, 3, 5)),
    ),
)
SHOP_OPS = (
    ids("visitor"),
    ids("sku"),
    ids("plan"),
    Cross((RawColumn("plan", "int64"), RawColumn("visitor", "int64")), 5, "plan_x_visitor"),
    Cross((RawColumn("plan", "int64"), RawColumn("sku", "int64")), 5, "plan_x_sku"),
    HashBucket("sku", "int64", 5, name="sku_hash"),
    ids("shelf"),
    DatePart("ts", "hour", "s", 0, 23),
    NumberChain("image", "float32", (), is_list=True, length=2),
    NumberChain("prices", "float32", (), is_list=True),
    ids("recent", is_list=True, ids_of="sku"),
)


def shop(folder: Path) -> Path:
    lists = {
        "image": pa.array([[0.5, 1.0], [0.0, 0.0]], pa.list_(pa.float32())),
        "prices": pa.array([[0.5, 1.0], []], pa.list_(pa.float32())),
        "recent": pa.array([[3, 4], []], pa.list_(pa.int64())),
    }
    features = {op.output.name: lists.get(op.output.name, pa.array([3, 4])) for op in SHOP_OPS}
    targets = {
        "bought": pa.array([0, 1], pa.int8()),
        "stayed": pa.array([0, 1], pa.int8()),
        "spent": pa.array([0.0, 9.5], pa.float32()),
        "stars": pa.array([0, 2]),
        "stay": pa.array([3.0, 4.0], pa.float32()),
        "trust": pa.array([1.0, 0.5], pa.float32()),
    }
    workflow = FittedWorkflow(SHOP_OPS, ("bought", "stayed", "spent", "stars", "stay"))
    return by_hand(folder, workflow, pa.table({**features, **targets}), SHOP)


def test_a_log_with_names_of_its_own(tmp_path: Path) -> None:
    inferred = infer(shop(tmp_path), tmp_path / "schema")
    assert inferred.roles == {
        "visitor": "user_id",
        "sku": "item_id",
        "plan": "user",
        "plan_x_visitor": "user",
        "plan_x_sku": "context",
        "sku_hash": "item",
        "shelf": "item",
        "ts_hour": "context",
        "image": "item",
        "prices": "context",
        "recent": "history",
        "bought": "binary_classification",
        "stayed": "binary_classification",
        "spent": "regression",
        "stars": "multi_class_classification",
        "stay": "regression",
    }
    found = tags(inferred.schema)
    assert found["sku"] == {"categorical", "item", "id"}
    assert found["recent"] == {"categorical", "user", "sequence"}
    assert found["image"] == {"embedding", "item"}
    assert found["stars"] == {"multi_class_classification", "target"}
    assert "trust" not in found
    schema = inferred.schema
    assert schema["recent"].properties["domain"] == {"min": 0, "max": 5, "name": "sku"}
    assert schema["stars"].properties["domain"] == {"min": 0, "max": 3, "name": "stars"}
    assert schema["image"].properties["value_count"] == {"min": 2, "max": 2}
    assert (schema["image"].is_list, schema["image"].is_ragged) == (True, False)
    assert (schema["prices"].is_list, schema["prices"].is_ragged) == (True, True)
    assert schema["prices"].properties["value_count"] == {"min": 0, "max": 2}
    assert inferred.data_schema == SHOP


def test_an_id_of_the_settings_takes_the_place_of_the_other(tmp_path: Path) -> None:
    roles = infer(shop(tmp_path), tmp_path / "schema", plan={"role": "user_id"}).roles
    assert (roles["plan"], roles["visitor"], roles["plan_x_visitor"]) == ("user_id", "user", "user")


def test_a_workflow_of_columns_that_the_data_schema_lacks(tmp_path: Path) -> None:
    rows = pa.table({"Sku": [3, 4], "bought": pa.array([0, 1], pa.int8())})
    schema = DataSchema(SHOP.columns[:2], SHOP.targets[:1])
    made = by_hand(tmp_path, FittedWorkflow([ids("Sku")], ("bought",)), rows, schema)
    with pytest.raises(
        SchemaError, match=r"column 'Sku': the data schema lacks a raw column of the workflow\. Did you"
    ):
        infer(made, tmp_path / "schema")


def test_ids_seen_in_the_data_stay_below_the_cardinality(made: Path, tmp_path: Path) -> None:
    schema = infer(made, tmp_path / "schema").schema
    data = Transformed(made / "data")
    for column in schema.select_by_tag(Tags.CATEGORICAL):
        values = data.read("test")[column.name]
        flat = pc.list_flatten(values) if column.is_list else values
        assert pc.max(flat).as_py() <= column.properties["domain"]["max"]
