import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import ArtifactError, DataError
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.evaluate.interactions import read_interactions

TARGET = Target("rating_binary", TargetKind.BINARY)
SCHEMA = DataSchema(
    (DataColumn("userId", "int64", Role.USER_ID), DataColumn("movieId", "int64", Role.ITEM_ID)), (TARGET,)
)


def write(path, users, items, labels, **other):
    columns = {"userId": pa.array(users), "movieId": pa.array(items), "rating_binary": pa.array(labels, pa.int8())}
    pq.write_table(pa.table({**columns, **other}), path)


@pytest.fixture
def files(tmp_path):
    train, test, after = (tmp_path / name for name in ("train.parquet", "test.parquet", "after.parquet"))
    write(train, [10, 20, None], [7, 8, 8], [1, 0, 1])
    write(test, [20, 30], [None, 7], [1, 0])
    write(after, [4, 2], [1, 3], [1, 0])
    return train, test, after


def read(files):
    return read_interactions(*files, SCHEMA, TARGET)


def test_codes_mean_the_same_in_both_splits(files):
    train, test = read(files)
    assert train.users.tolist() == [0, 1, -1]
    assert train.items.tolist() == [0, 1, 1]
    assert train.labels.tolist() == [1.0, 0.0, 1.0]
    assert test.users.tolist() == [1, 2]
    assert test.items.tolist() == [-1, 0]
    assert (len(train), len(test)) == (3, 2)


def test_ids_may_be_text(files):
    write(files[0], ["a", "b", "a"], [1, 2, 3], [1, 0, 1])
    write(files[1], ["c", "b"], [1, 2], [1, 0])
    train, test = read(files)
    assert train.users.tolist() == [0, 1, 0]
    assert test.users.tolist() == [2, 1]


def test_another_number_of_rows(files):
    write(files[2], [4], [1], [1])
    with pytest.raises(ArtifactError) as caught:
        read(files)
    assert str(caught.value) == (
        f"{files[2]}: the rows do not match those of the raw split; expected 2 rows, got 1."
        " Run preprocess again on these splits."
    )


def test_another_order_of_rows(files):
    write(files[2], [2, 4], [3, 1], [0, 1])
    with pytest.raises(ArtifactError) as caught:
        read(files)
    assert str(caught.value) == (
        f"{files[2]}: column 'rating_binary': the rows do not match those of the raw split; expected the labels of"
        " test.parquet in the same order, got 2 different ones, the first in row 0."
        " Run preprocess again on these splits."
    )


def test_a_label_with_one_class(files):
    write(files[1], [1, 2], [1, 2], [1, 1])
    with pytest.raises(DataError) as caught:
        read(files)
    assert str(caught.value) == (
        f"{files[1]}: column 'rating_binary': the label has only one class; expected both 0 and 1,"
        " got 1 in all 2 rows. Use more data, or change `split` or `columns.targets` in the recipe."
    )


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([1, 3], "the label is not binary; expected 0 or 1, got 3"),
        ([1, None], "the label is null; got 1 null rows"),
        ([], "the split has no rows"),
    ],
)
def test_a_label_that_is_none(files, labels, text):
    write(files[1], pa.array([5] * len(labels), pa.int64()), pa.array([5] * len(labels), pa.int64()), labels)
    with pytest.raises(DataError, match=text):
        read(files)


def test_a_label_of_text(files):
    pq.write_table(pa.table({"userId": [1, 2], "movieId": [1, 2], "rating_binary": ["0", "1"]}), files[1])
    with pytest.raises(DataError, match="column 'rating_binary': the label is not a number; expected 0 or 1, got str"):
        read(files)


def test_a_missing_column(files):
    pq.write_table(pa.table({"user_id": [1, 2], "movieId": [1, 2], "rating_binary": [0, 1]}), files[0])
    with pytest.raises(DataError) as caught:
        read(files)
    expected = f"{files[0]}: column 'userId': the column is missing; got columns user_id, movieId, rating_binary"
    assert str(caught.value) == expected


def test_a_truncated_file(files):
    files[1].write_bytes(files[1].read_bytes()[:-20])
    with pytest.raises(
        ArtifactError, match=r"test.parquet: not a whole Parquet file .* Run the step that wrote it again"
    ):
        read(files)


def test_a_missing_file(files):
    files[2].unlink()
    with pytest.raises(ArtifactError, match=r"after.parquet: the file is missing"):
        read(files)
