import datetime
import json
import os
import shutil
import subprocess
import sys

import pyarrow as pa
import pytest
from google.cloud import storage
from sklearn.metrics import roc_auc_score

from emrys.blocks.datasets import movielens_like
from emrys.blocks.errors import DataError, EmrysError
from emrys.components.contracts.splits import SPLIT_SCHEMA, Splits
from emrys.components.events import EVENT_PREFIX
from emrys.components.ingest.step import IngestConfig, run
from tests import real_data
from tests.blocks.datasets.small_movielens import ONE_M, write_zip
from tests.components.ingest.parquet_logs import columns, write
from tests.components.storage.conftest import gcs  # noqa: F401


def events(capsys):
    lines = capsys.readouterr().err.splitlines()
    return [json.loads(line.removeprefix(EVENT_PREFIX)) for line in lines if line.startswith(EVENT_PREFIX)]


def ingest(dataset, tmp_path, **settings):
    return run(IngestConfig(dataset=str(dataset), **settings), tmp_path / "out")


def error_of(dataset, tmp_path, **settings):
    """The line that a run ends with; it must leave nothing behind."""
    with pytest.raises(EmrysError) as error:
        ingest(dataset, tmp_path, **settings)
    assert error.value.exit_status == 2
    assert not [name for name in os.listdir(tmp_path) if "out" in name]
    return str(error.value)


def rows_of(splits):
    return {name: splits.read(name).to_pylist() for name in ("train", "valid", "test")}


def test_the_synthetic_log(tmp_path):
    splits = ingest("synthetic", tmp_path, synthetic_rows=3000, seed=5)
    drawn = movielens_like(3000, seed=5)
    whole = pa.concat_tables([splits.read(name) for name in ("train", "valid", "test")])
    assert whole.schema == SPLIT_SCHEMA
    # It is in time order already, so splitting it by time leaves the rows as they are.
    assert whole.drop_columns(["rating_binary"]).equals(drawn.table.combine_chunks())
    assert whole["rating_binary"].to_pylist() == [int(rating > 3) for rating in drawn.table["rating"].to_pylist()]
    counts, ranges = splits.metadata["rows"], splits.metadata["time_range"]
    assert sum(counts.values()) == 3000
    assert all(abs(counts[name] - 300) <= 1 for name in ("valid", "test"))
    times = drawn.table["timestamp"].to_pylist()
    assert ranges["train"] == [times[0], times[counts["train"] - 1]]
    assert ranges["test"] == [times[3000 - counts["test"]], times[-1]]
    assert ranges["train"][1] < ranges["valid"][0] <= ranges["valid"][1] < ranges["test"][0]
    assert splits.metadata["positives"]["test"] == sum(splits.read("test")["rating_binary"].to_pylist())
    labels, best = splits.read("test")["rating_binary"].to_numpy(), drawn.probability[-counts["test"] :]
    assert splits.metadata["best_auc"]["test"] == pytest.approx(roc_auc_score(labels, best), abs=1e-12)
    assert splits.metadata["columns"] == SPLIT_SCHEMA.names
    assert (splits.metadata["dataset"], splits.metadata["split"]) == ("synthetic", "time")


def test_the_same_again_and_another_seed(tmp_path):
    first = run(IngestConfig(synthetic_rows=1000), tmp_path / "1")
    again = run(IngestConfig(synthetic_rows=1000), tmp_path / "2")
    other = run(IngestConfig(synthetic_rows=1000, seed=1), tmp_path / "3")
    assert first.metadata == again.metadata
    assert first.fingerprint == again.fingerprint
    assert first.metadata["content"] != other.metadata["content"]


@pytest.mark.parametrize("method", ["random", "per_user"])
def test_other_ways_to_split_keep_every_row_and_its_best_auc(tmp_path, method):
    splits = ingest("synthetic", tmp_path, synthetic_rows=6000, split=method)
    drawn = movielens_like(6000, seed=42).table
    pairs = {(row["userId"], row["movieId"], row["rating"]) for part in rows_of(splits).values() for row in part}
    expected = zip(*(drawn[name].to_pylist() for name in ("userId", "movieId", "rating")), strict=True)
    assert pairs == set(expected)
    assert sum(splits.metadata["rows"].values()) == 6000
    # It would be about 0.5 if the probabilities were not those of the rows of the split.
    assert all(0.8 < best < 0.88 for best in splits.metadata["best_auc"].values())
    if method == "per_user":
        last = {row["userId"]: row["timestamp"] for row in splits.read("train").to_pylist()}
        assert all(last[row["userId"]] <= row["timestamp"] for row in splits.read("test").to_pylist())


def test_a_movielens_archive(tmp_path):
    ratings = "".join(f"{1 + i % 2}::{(10, 20)[i // 2 % 2]}::{3 + i % 2}::{1000 - i}\n" for i in range(20))
    splits = ingest(write_zip(tmp_path / "1m.zip", {**ONE_M, "ratings.dat": ratings}), tmp_path)
    # The last two in time are the first two lines: users 1 and 2, movie 10, ratings 3 and 4 at 1000 and 999.
    kept = ["userId", "movieId", "timestamp", "rating_binary", "gender", "title"]
    assert splits.read("test", kept).to_pylist() == [
        dict(zip(kept, (2, 10, 999, 1, "M", "Café Nord: The Film (1995)"), strict=True)),
        dict(zip(kept, (1, 10, 1000, 0, "F", "Café Nord: The Film (1995)"), strict=True)),
    ]
    assert splits.metadata["time_range"] == {"train": [981, 996], "valid": [997, 998], "test": [999, 1000]}


def test_the_real_100k(tmp_path, capsys):
    splits = ingest(real_data.path("ml-100k.zip"), tmp_path)
    assert sum(splits.metadata["rows"].values()) == 100_000
    # Counted with awk: ratings above 3.
    assert sum(splits.metadata["positives"].values()) == 55_375
    ranges = splits.metadata["time_range"]
    assert (ranges["train"][0], ranges["test"][1]) == (874724710, 893286638)
    assert ranges["train"][1] < ranges["valid"][0]
    assert ranges["valid"][1] < ranges["test"][0]
    # Lines 79,998 to 80,001 of the sorted times end in 7247, 7247, 7269, 7269: valid begins at the third of them, one
    # row before its place. Lines 90,000 and 90,001 are 891382267 and 891382309.
    assert ranges["valid"][0] == 889237269
    assert ranges["test"][0] == 891382309
    assert splits.metadata["best_auc"] is None
    assert splits.read("test").schema == SPLIT_SCHEMA
    shown = events(capsys)
    assert [event["event"] for event in shown] == ["start", *["progress"] * 4, "end"]
    assert shown[-2]["text"] == "train 79,999, valid 10,001, test 10,000 ratings"


@pytest.mark.slow
def test_a_fetched_archive_is_taken_from_the_cache(tmp_path):
    archive = real_data.path("ml-100k.zip")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "ml-100k.zip").symlink_to(archive)
    by_name = run(IngestConfig("ml-100k", cache_dir=str(tmp_path / "cache")), tmp_path / "1")
    by_path = run(IngestConfig(str(archive)), tmp_path / "2")
    assert by_name.metadata["content"] == by_path.metadata["content"]
    assert by_name.metadata["dataset"] == "ml-100k"


def test_a_parquet_file(tmp_path):
    splits = ingest(write(tmp_path / "log.parquet"), tmp_path)
    parts = rows_of(splits)
    # Twenty rows, a tenth each for valid and test.
    assert [len(parts[name]) for name in ("train", "valid", "test")] == [16, 2, 2]
    assert parts["test"][1] == {
        "userId": 2,
        "movieId": 19,
        "timestamp": 1019,
        "rating": 4.0,
        "rating_binary": 1,
        "title": "Film 19",
        "genres": ["War", "Crime"],
        "release_year": 1990.0,
        "gender": "F",
        "age": 30,
        "occupation": "artist",
        "zipcode": "12345",
    }


def test_a_folder_of_parquet_files_is_one_log(tmp_path):
    late = {"timestamp": list(range(2000, 2020)), "movieId": list(range(50, 70))}
    write(tmp_path / "logs" / "a.parquet", **late)
    write(tmp_path / "logs" / "b.parquet")
    splits = ingest(tmp_path / "logs", tmp_path)
    assert splits.metadata["rows"] == {"train": 32, "valid": 4, "test": 4}
    assert splits.read("train")["timestamp"].to_pylist() == [*range(1000, 1020), *range(2000, 2012)]


def test_columns_of_other_types_are_converted(tmp_path):
    start = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)  # 978307200
    path = write(
        tmp_path / "log.parquet",
        userId=pa.array([1, 2] * 10, pa.uint32()),
        rating=pa.array([2, 4] * 10, pa.int8()),
        timestamp=pa.array([start + datetime.timedelta(seconds=i) for i in range(20)], pa.timestamp("us", "UTC")),
        title=pa.array(["A", ""] * 10).dictionary_encode(),
        genres=pa.array([["x", "", None], None] * 10, pa.large_list(pa.large_string())),
        release_year=pa.array([1990.0, float("nan")] * 10, pa.float64()),
        age=pa.array([30.0, float("nan")] * 10, pa.float64()),
    )
    splits = ingest(path, tmp_path)
    table = splits.read("test")
    assert table.schema == SPLIT_SCHEMA
    assert table["timestamp"].to_pylist() == [978307218, 978307219]
    assert table["userId"].to_pylist() == [1, 2]
    assert table["rating_binary"].to_pylist() == [0, 1]
    assert table["title"].to_pylist() == ["A", None]
    assert table["genres"].to_pylist() == [["x"], None]
    assert table["release_year"].to_pylist() == [1990.0, None]
    assert table["age"].to_pylist() == [30, None]


def test_other_columns_are_left_out_and_named(tmp_path, capsys):
    path = write(tmp_path / "log.parquet", drop=["zipcode"], mood=["fine"] * 20, rating_binary=[1] * 20)
    splits = ingest(path, tmp_path)
    assert splits.columns == tuple(name for name in SPLIT_SCHEMA.names if name != "zipcode")
    # The label is always made from the rating.
    assert splits.read("test")["rating_binary"].to_pylist() == [0, 1]
    texts = [event["text"] for event in events(capsys) if event["event"] == "message"]
    assert texts == ["log.parquet: ignoring unknown columns: mood"]


def test_a_log_that_is_split_already_keeps_its_split(tmp_path, capsys):
    first = run(IngestConfig(synthetic_rows=1000, split="time"), tmp_path / "first")
    again = ingest(tmp_path / "first", tmp_path)
    assert again.metadata["split"] == "given"
    assert again.metadata["content"] == first.metadata["content"]
    texts = [event["text"] for event in events(capsys) if event["event"] == "message"]
    assert texts == ["the data set is already split into train, valid and test"]


def test_train_after_test_is_refused_but_for_other_ways_to_split(tmp_path):
    for name, start in (("train", 1000), ("valid", 1040), ("test", 1010)):
        write(tmp_path / "made" / f"{name}.parquet", timestamp=list(range(start, start + 20)))
    path = tmp_path / "made"
    assert error_of(path, tmp_path) == (
        f"ingest: {path}: column 'timestamp': train has rows later than the first row of test; "
        "expected no row of train after 1010, "
        "the first of test, got 1019. Split by time, or choose another split method."
    )
    assert ingest(path, tmp_path, split="random").metadata["rows"] == {"train": 20, "valid": 20, "test": 20}


FEATURES = ("title", "genres", "release_year", "gender", "age", "occupation", "zipcode")


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            {"drop": ["userId"]},
            "column 'userId': the column is missing; expected the columns userId, movieId, timestamp, rating, "
            "got movieId, timestamp, rating, " + ", ".join(FEATURES),
        ),
        (
            {"drop": ["userId"], "user_id": [1] * 20},
            "column 'userId': the column is missing; got 'user_id'. Rename 'user_id' to 'userId'.",
        ),
        (
            {"drop": ["movieId"], "movie": [1] * 20},
            "column 'movieId': the column is missing; got 'movie'. Rename 'movie' to 'movieId'.",
        ),
        (
            {"drop": ["zipcode"], "zip_code": ["1"] * 20},
            "column 'zipcode': the column is missing; got 'zip_code'. Rename 'zip_code' to 'zipcode'.",
        ),
        (
            {"rating": ["2", "4"] * 10},
            "column 'rating': the column has the wrong type; expected numbers, got string. Convert it to float.",
        ),
        (
            {"timestamp": ["2001-01-01"] * 20},
            "column 'timestamp': the column has the wrong type; expected whole numbers, got string. "
            "Convert it to int64.",
        ),
        (
            {"genres": ["Drama|War"] * 20},
            "column 'genres': the column has the wrong type; expected lists of texts, got string. "
            "Convert it to list<item: string>.",
        ),
        (
            {"zipcode": [12345] * 20},
            "column 'zipcode': the column has the wrong type; expected texts, got int64. Convert it to string.",
        ),
        (
            {"age": [30.5] * 20},
            "column 'age': a value does not fit (Float value 30.500000 was truncated converting to int64); expected "
            "whole numbers",
        ),
        (
            {"rating": [2.0, None, float("nan"), 4.0] * 5},
            "column 'rating': values are missing; expected a value in every row, got 10 nulls in 20 rows. "
            "Drop these rows.",
        ),
        ({"rating": [2.0, float("inf")] * 10}, "column 'rating': a rating is infinite; expected finite numbers"),
        (
            {"timestamp": list(range(978307200000, 978307200020))},
            "column 'timestamp': a time is past the year 3000; expected seconds since 1970, got 978307200019. "
            "Divide milliseconds by 1,000.",
        ),
        ({"rows": 0}, "the file has no rows; expected at least one rating"),
        (
            {"rows": 4},
            "the valid split has no rows; expected at least one. Increase its fraction, use more ratings, "
            "or another split method.",
        ),
        (
            {"timestamp": [1000] * 20},
            "the valid split has no rows; expected at least one. Increase its fraction, use more ratings, "
            "or another split method.",
        ),
        (
            {"rating": [2.0, 4.0] * 9 + [5.0, 4.0]},
            "column 'rating_binary': the label has only one class in the test split; expected "
            "ratings above 3 and others, "
            "got 2 rows, all 1. Use more ratings, or another split method.",
        ),
        (
            {"rating": [3.0] * 20},
            "column 'rating_binary': the label has only one class in the train split; expected "
            "ratings above 3 and others, "
            "got 16 rows, all 0. Use more ratings, or another split method.",
        ),
        (
            {"gender": pa.nulls(20)},
            "column 'gender': every value is null in the train split; expected a value in some rows. "
            "Fill the column, or remove it.",
        ),
        (
            {"release_year": [float("nan")] * 16 + [1990.0] * 4},
            "column 'release_year': every value is null in the train split; expected a value in some rows. "
            "Fill the column, or remove it.",
        ),
        (
            {"genres": [[], [""]] * 10},
            "column 'genres': every value is null in the train split; expected a value in some rows. "
            "Fill the column, or remove it.",
        ),
    ],
)
def test_a_log_that_cannot_be_used_ends_in_one_line(tmp_path, made, message):
    path = write(tmp_path / "log.parquet", **made)
    assert error_of(path, tmp_path) == f"ingest: {path}: {message}"


@pytest.mark.parametrize("name", ["log.parquet", "ml.zip"])
def test_an_empty_file(tmp_path, name):
    path = tmp_path / name
    path.touch()
    line = error_of(path, tmp_path)
    assert line == f"ingest: {path}: the file is empty; expected a zip archive or a Parquet file"


def test_a_truncated_archive(tmp_path):
    path = write_zip(tmp_path / "1m.zip", ONE_M)
    path.write_bytes(path.read_bytes()[:200])
    line = error_of(path, tmp_path)
    assert (
        line
        == f"ingest: {path}: the archive is damaged or not a zip archive (File is not a zip file). Download it again."
    )


def test_a_truncated_parquet_file(tmp_path):
    path = write(tmp_path / "logs" / "log.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    line = error_of(tmp_path / "logs", tmp_path)
    assert line.startswith(f"ingest: {path}: not a whole Parquet file (Parquet magic bytes not found in footer.")
    assert line.endswith("Write it again, or remove it.")
    assert "\n" not in line


def test_a_damaged_parquet_file(tmp_path):
    path = write(tmp_path / "log.parquet")
    data = bytearray(path.read_bytes())
    data[4:80] = b"\xff" * 76
    path.write_bytes(bytes(data))
    line = error_of(path, tmp_path)
    assert line.startswith(f"ingest: {path}: not a whole Parquet file (")
    assert "\n" not in line


def test_texts_that_are_not_utf8(tmp_path):
    _, offsets, _ = pa.array(["ab"] * 20).buffers()
    broken = pa.Array.from_buffers(pa.string(), 20, [None, offsets, pa.py_buffer(b"\xff\xfe" * 20)])
    path = write(tmp_path / "log.parquet", title=broken)
    assert error_of(path, tmp_path) == (
        f"ingest: {path}: column 'title': the column is damaged (In chunk 0: Invalid: Invalid UTF8 sequence at string "
        "index 0). Write it again."
    )


def test_files_of_one_folder_with_other_columns(tmp_path):
    write(tmp_path / "logs" / "a.parquet", drop=[*FEATURES])
    path = write(tmp_path / "logs" / "b.parquet", drop=FEATURES[1:])
    assert error_of(tmp_path / "logs", tmp_path) == (
        f"ingest: {path}: the columns of the file differ from those of the other files; expected "
        "those of a.parquet: userId, movieId, "
        "timestamp, rating, got userId, movieId, timestamp, rating, title"
    )


def test_names_and_paths_that_lead_nowhere(tmp_path):
    assert error_of("ml-100", tmp_path) == (
        "ingest: ml-100: there is no such data set; expected synthetic, ml-100k, ml-1m or the path of a data set"
    )
    (tmp_path / "log.csv").write_text("userId,movieId\n")
    assert error_of(tmp_path / "log.csv", tmp_path) == (
        f"ingest: {tmp_path}/log.csv: not a data set; expected a .zip archive of MovieLens, a .parquet file, or a "
        "folder of either"
    )
    (tmp_path / "empty").mkdir()
    assert error_of(tmp_path / "empty", tmp_path) == (
        f"ingest: {tmp_path}/empty: there is no MovieLens data set; expected u.data, u.item, u.user or ratings.dat, "
        "movies.dat, users.dat, got no files"
    )


def test_a_failed_run_keeps_the_artifact_before_it_and_reports_the_error(tmp_path, capsys):
    before = ingest(write(tmp_path / "good.parquet"), tmp_path)
    capsys.readouterr()
    with pytest.raises(DataError):
        ingest(write(tmp_path / "bad.parquet", rating=[3.0] * 20), tmp_path)
    assert Splits(tmp_path / "out").fingerprint == before.fingerprint
    assert events(capsys)[-1]["event"] == "error"
    assert sorted(os.listdir(tmp_path)) == ["bad.parquet", "good.parquet", "out"]


def test_a_good_run_replaces_the_artifact_before_it(tmp_path):
    ingest(write(tmp_path / "a.parquet"), tmp_path)
    longer = {name: values for name, values in columns(40).items()}
    splits = ingest(write(tmp_path / "b.parquet", rows=40, **longer), tmp_path)
    assert splits.metadata["rows"] == {"train": 32, "valid": 4, "test": 4}
    assert sorted(os.listdir(tmp_path)) == ["a.parquet", "b.parquet", "out"]


FULL_DISK = """
import sys
from emrys.components.ingest.step import IngestConfig, run
try:
    run(IngestConfig(), sys.argv[1] + "/out")
except Exception as error:
    sys.exit(f"{type(error).__name__} {error.exit_status} {error}")
"""


@pytest.mark.slow
def test_a_full_disk(tmp_path):
    """On a real file system of 300 KiB, in a name space of its own: it vanishes with the process."""
    command = f"mount -t tmpfs -o size=300k tmpfs '{tmp_path}'"
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*inside, command], capture_output=True).returncode:
        pytest.skip("a file system of a given size cannot be mounted here (unshare, mount)")
    script = f"{command} && '{sys.executable}' -c \"$0\" '{tmp_path}'; status=$?; ls -A '{tmp_path}'; exit $status"
    done = subprocess.run([*inside, script, FULL_DISK], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        f"EmrysError 1 ingest: {tmp_path}/out/train.parquet: the disk is full. Free some space and run again."
    )
    assert done.returncode == 1
    assert done.stdout == ""


def test_a_data_set_in_a_bucket(gcs, tmp_path):  # noqa: F811
    bucket = storage.Client().bucket("models")
    local = write(tmp_path / "log" / "part.parquet")
    bucket.blob("log/part.parquet").upload_from_filename(str(local))
    bucket.blob("log/_SUCCESS").upload_from_string(b"")
    here = ingest(local, tmp_path).metadata["content"]
    for uri in ("gs://models/log", "gs://models/log/part.parquet"):
        assert ingest(uri, tmp_path).metadata["content"] == here
    with pytest.raises(DataError, match="gs://models/none: there is no data set"):
        ingest("gs://models/none", tmp_path)
