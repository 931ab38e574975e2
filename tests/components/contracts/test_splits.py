import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.contracts.splits import SPLIT_SCHEMA, Splits


def table(rows, **replaced):
    columns = {
        "userId": list(range(rows)),
        "movieId": [7] * rows,
        "timestamp": list(range(100, 100 + rows)),
        "rating": [4.0] * rows,
        "rating_binary": [1] * rows,
        "title": ["A"] * rows,
        "genres": [["Drama", "War"]] * rows,
        "release_year": [None] * rows,
        "gender": ["F"] * rows,
        "age": [30] * rows,
        "occupation": ["none"] * rows,
        "zipcode": ["12345"] * rows,
    }
    return pa.table({**columns, **replaced}, schema=SPLIT_SCHEMA)


def test_order_and_types_of_the_columns():
    assert [(field.name, str(field.type)) for field in SPLIT_SCHEMA] == [
        ("userId", "int64"),
        ("movieId", "int64"),
        ("timestamp", "int64"),
        ("rating", "float"),
        ("rating_binary", "int8"),
        ("title", "string"),
        ("genres", "list<item: string>"),
        ("release_year", "float"),
        ("gender", "string"),
        ("age", "int64"),
        ("occupation", "string"),
        ("zipcode", "string"),
    ]


def test_round_trip(tmp_path):
    tables = {"train": table(5), "valid": table(2), "test": table(3)}
    splits = Splits.write(tmp_path / "s", tables, {"dataset": "made"})
    assert splits.metadata == {"dataset": "made"}
    assert splits.columns == tuple(SPLIT_SCHEMA.names)
    for name, written in tables.items():
        assert Splits(tmp_path / "s").read(name).equals(written)
    assert splits.read("valid", ["timestamp"]).to_pydict() == {"timestamp": [100, 101]}


def test_rows_are_grouped_and_compressed(tmp_path):
    splits = Splits.write(tmp_path / "s", {"train": table(70_000), "valid": table(1), "test": table(1)}, {})
    file = pq.ParquetFile(splits.file("train"))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [65_536, 4_464]
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_feature_columns_may_be_left_out(tmp_path):
    few = table(2).drop_columns(["zipcode", "genres"])
    splits = Splits.write(tmp_path / "s", {"train": few, "valid": few, "test": few}, {})
    assert "genres" not in splits.columns
    assert splits.columns[-1] == "occupation"


def test_an_unknown_split(tmp_path):
    splits = Splits.write(tmp_path / "s", dict.fromkeys(("train", "valid", "test"), table(1)), {})
    with pytest.raises(ArtifactError) as error:
        splits.read("dev")
    assert str(error.value) == f"{tmp_path}/s: no such split; expected train, valid, test, got 'dev'"


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (table(1).drop_columns(["rating_binary"]), "column 'rating_binary': the column is missing"),
        (table(1).append_column("mood", pa.array(["x"])), "column 'mood': a split has no such column"),
        (
            table(1).set_column(9, "age", pa.array(["30"])),
            "column 'age': the column has the wrong type; expected int64, got string",
        ),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, wrong, text):
    with pytest.raises(ArtifactError) as error:
        Splits.write(tmp_path / "s", {"train": table(1), "valid": wrong, "test": table(1)}, {})
    assert str(error.value) == f"{tmp_path}/s/valid.parquet: {text}"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_tables_is_refused(tmp_path):
    with Splits.create(tmp_path / "s", {}) as folder:
        for name in ("train", "valid", "test"):
            pq.write_table(pa.table({"a": [1]}), folder / f"{name}.parquet")
    with pytest.raises(ArtifactError, match=r"train\.parquet: column 'userId': the column is missing"):
        Splits(tmp_path / "s")


SHOP = DataSchema(
    (
        DataColumn("visitor", "string", Role.USER_ID),
        DataColumn("sku", "int64", Role.ITEM_ID),
        DataColumn("recent", "int64", Role.HISTORY, True, history_of="sku", max_length=3),
    ),
    (Target("bought", TargetKind.BINARY), Target("stars", TargetKind.CLASSES, classes=(1, 5))),
)


def shop(rows, **replaced):
    columns = {
        "visitor": [f"v{i}" for i in range(rows)],
        "sku": list(range(rows)),
        "recent": [[1, 2]] * rows,
        "bought": [1] * rows,
        "stars": [0] * rows,
    }
    return pa.table(
        {name: pa.array(replaced.get(name, columns[name]), SHOP.arrow.field(name).type) for name in SHOP.arrow.names}
    )


def test_splits_of_any_log(tmp_path):
    items = pa.table({"sku": [1, 2]})
    blocks = [shop(3), shop(0), shop(2)]
    tables = {"train": iter(blocks), "valid": shop(1), "test": iter([shop(0)])}
    splits = Splits.write(tmp_path / "s", tables, {}, SHOP, items)
    assert splits.data_schema == SHOP
    assert splits.columns == ("visitor", "sku", "recent", "bought", "stars")
    assert splits.read("train").equals(pa.concat_tables(blocks))
    assert (splits.read("valid").num_rows, splits.read("test").num_rows) == (1, 0)
    assert splits.items.equals(items)
    assert Splits(tmp_path / "s").files.keys() == {
        "train.parquet", "valid.parquet", "test.parquet", "items.parquet", "data_schema.json"
    }  # fmt: skip


def test_columns_must_be_those_of_the_data_schema(tmp_path):
    wrong = {
        "column 'stars': the column is missing": shop(1).drop_columns(["stars"]),
        "column 'mood': a split has no such column": shop(1).append_column("mood", pa.array(["x"])),
        "column 'bought': the column has the wrong type; expected int8, got int64": shop(1).set_column(
            3, "bought", pa.array([1])
        ),
    }
    for message, table in wrong.items():
        for made in (table, iter([table])):
            with pytest.raises(ArtifactError) as error:
                Splits.write(tmp_path / "s", {"train": shop(1), "valid": made, "test": shop(1)}, {}, SHOP)
            assert str(error.value) == f"{tmp_path}/s/valid.parquet: {message}"


def test_splits_of_earlier_releases_are_logs_of_movielens(tmp_path):
    whole = table(1).append_column("history", pa.array([[7]]))
    with Splits.create(tmp_path / "s", {}) as folder:
        for name in ("train", "valid", "test"):
            pq.write_table(whole.drop_columns(["zipcode"]), folder / f"{name}.parquet")
    schema = Splits(tmp_path / "s").data_schema
    assert (schema.user_id, schema.item_id, schema.time) == ("userId", "movieId", "timestamp")
    assert schema.of_role(Role.USER) == ("gender", "age", "occupation")
    assert schema.of_role(Role.ITEM) == ("title", "genres", "release_year")
    assert schema.column("genres").arrow_type == pa.list_(pa.string())
    assert schema.column("history").history_of == "movieId"
    assert schema.targets == (Target("rating_binary", TargetKind.BINARY, source="rating"),)
    assert Splits(tmp_path / "s").items is None
