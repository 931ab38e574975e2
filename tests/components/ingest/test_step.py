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
from emrys.components.contracts.data_schema import DataSchema
from emrys.components.contracts.splits import SPLIT_SCHEMA, Splits
from emrys.components.events import EVENT_PREFIX
from emrys.components.ingest.content import fingerprint
from emrys.components.ingest.split_table import SplitTable
from emrys.components.ingest.step import IngestConfig, run
from tests import real_data
from tests.blocks.datasets.small_movielens import ONE_M, write_zip
from tests.components.ingest.parquet_logs import columns, write
from tests.components.storage.conftest import gcs  # noqa: F401

#: Columns of a rating log in the splits: the raw ones, then the target.
COLUMNS = [name for name in SPLIT_SCHEMA.names if name != "rating_binary"] + ["rating_binary"]


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
    assert whole.schema == pa.schema([SPLIT_SCHEMA.field(name) for name in COLUMNS])
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
    assert splits.metadata["positives"]["rating_binary"]["test"] == sum(
        splits.read("test")["rating_binary"].to_pylist()
    )
    labels, best = splits.read("test")["rating_binary"].to_numpy(), drawn.probability[-counts["test"] :]
    assert splits.metadata["best_auc"]["test"] == pytest.approx(roc_auc_score(labels, best), abs=1e-12)
    assert splits.metadata["columns"] == COLUMNS
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


@pytest.mark.slow
def test_the_real_100k(tmp_path, capsys):
    splits = ingest(real_data.path("ml-100k.zip"), tmp_path)
    assert sum(splits.metadata["rows"].values()) == 100_000
    # Counted with awk: ratings above 3.
    assert sum(splits.metadata["positives"]["rating_binary"].values()) == 55_375
    ranges = splits.metadata["time_range"]
    assert (ranges["train"][0], ranges["test"][1]) == (874724710, 893286638)
    assert ranges["train"][1] < ranges["valid"][0]
    assert ranges["valid"][1] < ranges["test"][0]
    # Lines 79,998 to 80,001 of the sorted times end in 7247, 7247, 7269, 7269: valid begins at the third of them, one
    # row before its place. Lines 90,000 and 90,001 are 891382267 and 891382309.
    assert ranges["valid"][0] == 889237269
    assert ranges["test"][0] == 891382309
    assert splits.metadata["best_auc"] is None
    assert splits.read("test").column_names == COLUMNS
    shown = events(capsys)
    assert [event["event"] for event in shown] == ["start", *["progress"] * 4, "end"]
    assert shown[-2]["text"] == "train 79,999, valid 10,001, test 10,000 rows"


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
    # The rating keeps its kind: it is only what the target is made of.
    whole = pa.field("rating", pa.int64())
    assert table.schema == pa.schema([whole if name == "rating" else SPLIT_SCHEMA.field(name) for name in COLUMNS])
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
    assert splits.columns == tuple(name for name in COLUMNS if name != "zipcode")
    # The label is always made from the rating.
    assert splits.read("test")["rating_binary"].to_pylist() == [0, 1]
    texts = [event["text"] for event in events(capsys) if event["event"] == "message"]
    assert texts == ["unused columns: mood, rating_binary"]
    assert splits.metadata["unused"] == {
        "mood": "the recipe names its features, and not this column",
        "rating_binary": "the recipe ignores it",
    }


def test_a_log_that_is_split_already_keeps_its_split(tmp_path, capsys):
    first = run(IngestConfig(synthetic_rows=1000, split="time"), tmp_path / "first")
    again = ingest(tmp_path / "first", tmp_path)
    assert again.metadata["split"] == "given"
    assert again.metadata["content"] == first.metadata["content"]
    texts = [event["text"] for event in events(capsys) if event["event"] == "message"]
    assert texts == ["the data set is already split into train, valid and test", "unused columns: rating_binary"]


def test_train_after_test_is_refused_but_for_other_ways_to_split(tmp_path):
    for name, start in (("train", 1000), ("valid", 1040), ("test", 1010)):
        write(tmp_path / "made" / f"{name}.parquet", timestamp=list(range(start, start + 20)))
    path = tmp_path / "made"
    assert error_of(path, tmp_path) == (
        f"ingest: {path}: column 'timestamp': train has rows later than the first row of test; "
        "expected no row of train after 1010, "
        "the first of test, got 1019. Split by time, or choose another method in split.by."
    )
    assert ingest(path, tmp_path, split="random").metadata["rows"] == {"train": 20, "valid": 20, "test": 20}


FEATURES = ("title", "genres", "release_year", "gender", "age", "occupation", "zipcode")
MORE = "Increase split.valid and split.test, use more rows, or choose another method in split.by."
POSITIVE = (
    "Change what is positive of column 'rating' for the target rating_binary in columns.targets or columns.events."
)


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (
            {"drop": ["userId"], "user_id": [1] * 20},
            "columns.user_id: no such column; expected one of movieId, timestamp, rating, title, genres, release_year, "
            "gender, age, occupation, zipcode, user_id, got 'userId'. Did you mean 'user_id'?",
        ),
        (
            {"rating": ["2", "4"] * 10},
            "columns.targets.rating_binary.above: it needs numbers; expected numbers, got string in 'rating'. "
            "Say values: the values that are positive.",
        ),
        (
            {"age": [30.5] * 20},
            "columns.categorical: the column does not fit; expected texts or whole numbers, got double in 'age'. "
            "Name it under columns.continuous, or bucketize it.",
        ),
        (
            {"rating": [2.0, None, float("nan"), 4.0] * 5},
            "columns.targets.rating_binary: values are missing; expected a value in every row, got 10 nulls in the "
            "first 20 rows of 'rating'. Set columns.nulls: drop to leave such rows out.",
        ),
        (
            {"timestamp": list(range(978307200000, 978307200020))},
            "columns.time.unit: in s the times are past the year 3000; expected ms, got s. Write unit: ms, or leave it "
            "out.",
        ),
    ],
)
def test_a_log_that_does_not_fit_the_recipe(tmp_path, made, fault):
    path = write(tmp_path / "log.parquet", **made)
    assert error_of(path, tmp_path) == f"1 fault in the recipe\n  {fault}"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            {"rating": [2.0, float("inf")] * 10},
            "column 'rating': the target rating_binary cannot be made; expected finite numbers, got an infinite one. "
            "Correct the values.",
        ),
        ({"rows": 0}, "the file has no rows; expected at least one. Write it again, or correct the path."),
        (
            {"rows": 4},
            f"the valid split has no rows; expected at least one, got 4 in train, 0 in valid, 0 in test. {MORE}",
        ),
        (
            {"timestamp": [1000] * 20},
            f"the valid split has no rows; expected at least one, got 20 in train, 0 in valid, 0 in test. {MORE}",
        ),
        (
            {"rating": [2.0, 4.0] * 9 + [5.0, 4.0]},
            "column 'rating_binary': the target has only one class in the test split; expected rows with 1 and rows "
            f"with 0, got 2 rows, all 1. {POSITIVE} {MORE}",
        ),
        (
            {"rating": [3.0] * 20},
            "column 'rating_binary': the target has only one class in the train split; expected rows with 1 and rows "
            f"with 0, got 16 rows, all 0. {POSITIVE} {MORE}",
        ),
        (
            {"rating": [5.0] * 20},
            "column 'rating_binary': the target has only one class in the train split; expected rows with 1 and rows "
            "with 0, got 16 rows, all 1. For a log of positives alone set split.negatives, or columns.feedback to "
            "implicit.",
        ),
        (
            {"release_year": [float("nan")] * 16 + [1990.0] * 4},
            "column 'release_year': every value is null in the train split; expected a value in some rows. "
            "Fill the column, or name it in columns.ignore.",
        ),
        (
            {"genres": [[], [""]] * 10},
            "column 'genres': every value is null in the train split; expected a value in some rows. "
            "Fill the column, or name it in columns.ignore.",
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
    problem = "the file is empty; expected a zip archive of MovieLens"
    if name == "log.parquet":
        problem = "the file has no rows; expected at least one. Write it again, or correct the path."
    assert line == f"ingest: {path}: {problem}"


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
    assert line.startswith(f"ingest: {path}: not a whole Parquet file (")
    assert "Parquet magic bytes not found in footer." in line
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
        "index 0); expected string. Write it again."
    )


def test_a_file_without_a_column_has_nulls_there(tmp_path):
    late = list(range(900, 920))
    write(tmp_path / "logs" / "a.parquet", drop=FEATURES[1:], timestamp=late)
    write(tmp_path / "logs" / "b.parquet", drop=FEATURES[2:])
    train = ingest(tmp_path / "logs", tmp_path).read("train")
    assert train.column_names == ["userId", "movieId", "timestamp", "rating", "title", "genres", "rating_binary"]
    assert train["genres"].to_pylist()[18:22] == [None, None, ["Drama"], ["War", "Crime"]]


def test_names_and_paths_that_lead_nowhere(tmp_path):
    there = "a file, a folder with files, or a glob that matches some. Correct the path."
    assert error_of("ml-100", tmp_path) == (
        f"ingest: ml-100: there is no such file; expected synthetic, ml-100k, ml-1m, or {there}"
    )
    (tmp_path / "log.xls").write_text("userId,movieId\n")
    assert error_of(tmp_path / "log.xls", tmp_path) == (
        f"ingest: {tmp_path}/log.xls: the format of the files is not known; expected names that end in one of "
        ".parquet, .pq, .parq, .csv, .tsv, .tab, .txt, .jsonl, .ndjson, .json, or MovieLens, got log.xls. Rename the "
        "files, or set data.reader to parquet, csv or json."
    )
    (tmp_path / "empty").mkdir()
    assert error_of(tmp_path / "empty", tmp_path) == (
        f"ingest: {tmp_path}/empty: there is no such file; expected {there}"
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


@pytest.mark.slow
def test_a_data_set_in_a_bucket(gcs, tmp_path):  # noqa: F811
    bucket = storage.Client().bucket("models")
    local = write(tmp_path / "log" / "part.parquet")
    bucket.blob("log/part.parquet").upload_from_filename(str(local))
    bucket.blob("log/_SUCCESS").upload_from_string(b"")
    here = ingest(local, tmp_path).metadata["content"]
    for uri in ("gs://models/log", "gs://models/log/part.parquet"):
        assert ingest(uri, tmp_path).metadata["content"] == here
    with pytest.raises(DataError, match="gs://models/none: there is no such file"):
        ingest("gs://models/none", tmp_path)


@pytest.mark.parametrize(
    ("settings", "content"),
    [
        # Of the release before recipes, from the same settings.
        ({"seed": 5}, "b226aabbb061a3704a25b1305a34bc828850a652c1e56a5c47084d960eee0261"),
        ({"split": "random", "seed": 1}, "648b5161a710611d46b6bd34b54f5b3d42b32567715d7c8d5bb148314791aac1"),
        (
            {"split": "per_user", "valid_fraction": 0.2, "test_fraction": 0.1},
            "c47cf331e4503123d47b942fe50be33d0c27df8113f4bed797d02e260e27af21",
        ),
    ],
)
def test_the_splits_are_those_of_the_release_before_recipes(tmp_path, settings, content):
    splits = ingest("synthetic", tmp_path, synthetic_rows=3000, **settings)
    names = ("train", "valid", "test")
    assert fingerprint({name: SplitTable(splits.read(name).select(SPLIT_SCHEMA.names)) for name in names}) == content


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "content"),
    [
        ({}, "e63524e1080814c5f7fe76f339f2809b8f8b526b272088ce5528f2eca6cfe306"),
        (
            {"split": "per_user", "test_fraction": 0.2},
            "7e0527d6355ed2207949eafcdea1cd298f43a138a44b7035507e4f19575c6b54",
        ),
    ],
)
def test_the_splits_of_the_real_100k_are_those_of_before(tmp_path, settings, content):
    splits = ingest(real_data.path("ml-100k.zip"), tmp_path, **settings)
    names = ("train", "valid", "test")
    assert fingerprint({name: SplitTable(splits.read(name).select(SPLIT_SCHEMA.names)) for name in names}) == content


def test_a_parameter_adds_histories_of_earlier_positives(tmp_path):
    splits = ingest("synthetic", tmp_path, synthetic_rows=2000, split="per_user", history=5)
    assert splits.data_schema.column("history").max_length == 5
    assert splits.data_schema == DataSchema.read(tmp_path / "out")
    rows = [row for name in ("train", "valid", "test") for row in splits.read(name).to_pylist()]
    assert max(len(row["history"]) for row in rows) == 5
    for row in rows[::17]:
        before = [
            (other["timestamp"], other["movieId"])
            for other in rows
            if other["userId"] == row["userId"] and other["rating_binary"] and other["timestamp"] < row["timestamp"]
        ]
        assert row["history"] == [item for _, item in sorted(before, key=lambda pair: pair[0])[-5:]]
