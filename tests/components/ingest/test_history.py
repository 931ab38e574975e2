import pyarrow as pa
import pytest

from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.splits import HISTORY, SPLIT_SCHEMA, Splits
from emrys.components.ingest.history import with_histories
from emrys.components.ingest.step import IngestConfig, run


def rows(*given):
    users, items, liked = zip(*given, strict=True)
    return pa.table({"userId": pa.array(users, pa.int64()), "movieId": pa.array(items, pa.int64()),
                     "rating_binary": pa.array(liked, pa.int8())})  # fmt: skip


TABLES = {
    "train": rows((1, 10, 1), (2, 30, 1), (1, 20, 0), (1, 30, 1), (1, 40, 1), (2, 10, 0)),
    "valid": rows((1, 50, 1), (3, 10, 1)),
    "test": rows((2, 10, 1), (1, 10, 0)),
}


def histories(length):
    made = with_histories(TABLES, length)
    assert all(table.schema.field("history") == HISTORY for table in made.values())
    return {name: table["history"].to_pylist() for name, table in made.items()}


def test_a_row_of_train_does_not_have_its_own_item():
    found = histories(10)
    # 1 likes 10, 30 and 40 in train; 20 is not liked. 2 likes 30.
    assert found["train"] == [[30, 40], [], [10, 30, 40], [10, 40], [10, 30], [30]]


def test_the_rows_of_valid_and_test_have_the_end_of_train():
    found = histories(10)
    assert found["valid"] == [[10, 30, 40], []]  # what is liked in valid is not there
    assert found["test"] == [[30], [10, 30, 40]]


def test_the_latest_are_kept():
    found = histories(2)
    assert found["train"] == [[30, 40], [], [30, 40], [10, 40], [10, 30], [30]]
    assert found["test"] == [[30], [30, 40]]
    assert histories(1)["train"] == [[40], [], [40], [40], [30], [30]]


def test_the_step_adds_the_column_where_it_is_asked_for(tmp_path):
    plain = run(IngestConfig(synthetic_rows=2000, split="per_user"), tmp_path / "plain")
    made = run(IngestConfig(synthetic_rows=2000, split="per_user", history=5), tmp_path / "splits")
    assert "history" not in plain.columns
    assert made.columns == (*SPLIT_SCHEMA.names, "history")
    assert made.metadata["content"] != plain.metadata["content"]
    train = made.read("train").to_pylist()
    assert max(len(row["history"]) for row in train) == 5
    liked = {(row["userId"], row["movieId"]) for row in train if row["rating_binary"]}
    for split in ("train", "valid", "test"):
        for row in made.read(split).to_pylist():
            assert all((row["userId"], item) in liked for item in row["history"])
            assert row["movieId"] not in row["history"]


def test_a_history_of_another_type_is_refused(tmp_path):
    made = run(IngestConfig(synthetic_rows=2000), tmp_path / "a")
    tables = {name: made.read(name) for name in ("train", "valid", "test")}
    wrong = {name: table.append_column("history", table["genres"]) for name, table in tables.items()}
    with pytest.raises(ArtifactError, match="'history': the column has the wrong type"):
        Splits.write(tmp_path / "b", wrong, {})
