from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import ArtifactError, DataError
from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.fitted_workflow import FittedWorkflowArtifact
from emrys.components.contracts.transformed import Transformed
from emrys.components.preprocess.offline import OfflineWorkflow, transform
from emrys.components.preprocess.step import PreprocessConfig, run
from tests.components.preprocess import raw

SPLITS = ("train", "valid", "test")


def only(*, rows_per_partition: int = 1_000_000, fold_seed: int = 42, **features: Any) -> PreprocessConfig:
    """Settings with the operators of a few columns."""
    return PreprocessConfig(raw.recipe(features), rows_per_partition=rows_per_partition, fold_seed=fold_seed)


def encoded(**options: Any) -> list[dict[str, Any]]:
    """A target encoding alone."""
    return [{"target_encoding": {"target": "rating", **options}}]


def fit(tmp_path: Path, splits: Path, config: PreprocessConfig) -> tuple[Transformed, FittedWorkflow]:
    run(splits, config, data=tmp_path / "data", workflow=tmp_path / "workflow")
    return Transformed(tmp_path / "data"), FittedWorkflowArtifact(tmp_path / "workflow").workflow


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Transformed, FittedWorkflow]:
    folder = tmp_path_factory.mktemp("everything")
    tables = {
        "train": raw.random_table(700, 0),
        "valid": raw.random_table(200, 1, users=90, movies=200),  # with users and movies that train does not hold
        "test": raw.random_table(200, 2, users=90, movies=200),
    }
    splits = raw.write(folder / "splits", row_group_size=250, **tables)
    data, workflow = fit(folder, splits, PreprocessConfig(raw.recipe(raw.RANKING), rows_per_partition=500))
    return splits, data, workflow


def test_ids_by_falling_frequency_then_by_value(tmp_path: Path) -> None:
    # Three times d, twice b and c, once a; nulls have their own id and no place in the order.
    gender = ["d", "c", None, "b", "d", None, "a", "b", "", "c", "d"]
    rows = raw.table(gender=gender, movieId=[9, 8, 7, 7, 8, 9, -1, 9, 8, 7, 9])
    other = raw.table(gender=["z", None, "a", "d"], movieId=[-1, 6, 9, 8])
    data, workflow = fit(
        tmp_path,
        raw.write(tmp_path / "splits", train=rows, valid=other),
        only(gender=["categorify"], movieId=["categorify"]),
    )
    assert data.read("train")["gender"].to_pylist() == [3, 5, 1, 4, 3, 1, 6, 4, 1, 5, 3]
    # 9 four times, 7 and 8 three times, -1 once
    assert data.read("train")["movieId"].to_pylist() == [3, 5, 4, 4, 5, 3, 6, 3, 5, 4, 3]
    assert data.read("valid")["gender"].to_pylist() == [2, 1, 6, 3]
    assert data.read("valid")["movieId"].to_pylist() == [6, 2, 3, 5]
    assert [column.cardinality for column in workflow.output_columns] == [7, 7]


def test_many_equally_frequent_values_are_ordered_by_value(tmp_path: Path) -> None:
    values = [f"{number:03d}" for number in np.random.default_rng(3).permutation(200)]
    splits = raw.write(tmp_path / "splits", train=raw.table(zipcode=values))
    data, _ = fit(tmp_path, splits, only(zipcode=["categorify"]))
    assert data.read("train")["zipcode"].to_pylist() == [3 + int(value) for value in values]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"min_count": 2}, {"a": 3, "b": 4, "c": 2, "d": 2}),  # c and d stand once
        ({"max_size": 6}, {"a": 3, "b": 4, "c": 5, "d": 2}),  # three ids are reserved, three are left
        ({"min_count": 3, "max_size": 6}, {"a": 3, "b": 2, "c": 2, "d": 2}),
        ({"min_count": 9}, {"a": 2, "b": 2, "c": 2, "d": 2}),
    ],
)
def test_rare_values_count_as_unseen(tmp_path: Path, settings: dict[str, int], expected: dict[str, int]) -> None:
    gender = list("aaabbdc")
    config = only(gender=[{"categorify": settings}, *encoded(smoothing=0, folds=1)])
    data, workflow = fit(tmp_path, raw.write(tmp_path / "splits", train=raw.table(gender=gender)), config)
    assert data.read("train")["gender"].to_pylist() == [expected[letter] for letter in gender]
    assert workflow.output_columns[0].cardinality == max(2, *expected.values()) + 1
    # The target encoding knows all values nevertheless: d has rating 1 and c 2, as ratings go 1 2 3 4 5 1 2.
    made = dict(zip(gender, data.read("train")["TE_gender_rating"].to_pylist(), strict=True))
    assert made["d"] < made["c"]


def test_lists_keep_their_order_and_lose_what_is_missing(tmp_path: Path) -> None:
    # c three times, a and b twice
    genres = [["b", "c"], [], None, ["c", None, "a", "", "c"], ["a", "b"]]
    rows = raw.table(genres=genres)
    other = raw.table(genres=[["x", "a"], None, [None], ["b", "b"]])
    data, _ = fit(tmp_path, raw.write(tmp_path / "splits", train=rows, valid=other), only(genres=["categorify"]))
    assert data.read("train")["genres"].to_pylist() == [[5, 3], [], [], [3, 4, 3], [4, 5]]
    assert data.read("valid")["genres"].to_pylist() == [[2, 4], [], [], [5, 5]]


def test_numbers_are_filled_with_the_train_mean_and_normalised(tmp_path: Path) -> None:
    # The mean of what is there is 4, so the filled column is 1 4 4 7: its variance is 18 / 3 = 6.
    rows = raw.table(release_year=[1.0, None, math.nan, 7.0], rating=[1.0, 4, 1, 4])
    other = raw.table(release_year=[4.0, 10.0, None], rating=[1.0, 4, 4])
    splits = raw.write(tmp_path / "splits", train=rows, valid=other)
    data, _ = fit(tmp_path, splits, only(release_year=[{"fill": "mean"}, "normalize"]))
    std = math.sqrt(6)
    np.testing.assert_allclose(data.read("train")["release_year"], [-3 / std, 0, 0, 3 / std], rtol=1e-6)
    np.testing.assert_allclose(data.read("valid")["release_year"], [0, 6 / std, 0], rtol=1e-6)
    # Filled with 0 the train column is 1 0 0 7: mean 2, variance (1 + 4 + 4 + 25) / 3.
    data, _ = fit(tmp_path, splits, only(release_year=[{"fill": 0}, "normalize"]))
    std = math.sqrt(34 / 3)
    np.testing.assert_allclose(data.read("valid")["release_year"], [2 / std, 8 / std, -2 / std], rtol=1e-6)


def test_target_encoding_by_hand(tmp_path: Path) -> None:
    # numpy.random.RandomState(42).choice(2, 8) gives the folds 0 1 0 0 0 1 0 0.
    gender = ["M", "M", "F", "F", "M", "F", None, "M"]
    rating = [5.0, 3.0, 4.0, 2.0, 1.0, 2.0, 3.0, 4.0]
    # The overall mean is 24 / 8 = 3; with a smoothing of 2 rows every encoding is (sum + 6) / (count + 2).
    # Row 0 (M, fold 0) sees the M of fold 1, which is row 1: (3 + 6) / 3; so do rows 4 and 7.
    # Row 1 (M, fold 1) sees rows 0, 4 and 7: (10 + 6) / 5. Rows 2 and 3 see row 5: (2 + 6) / 3.
    # Row 5 sees rows 2 and 3: (6 + 6) / 4. Row 6 is the only null: 6 / 2.
    out_of_fold = [3, 3.2, 8 / 3, 8 / 3, 3, 3, 3, 3]
    mean, std = statistics.mean(out_of_fold), statistics.stdev(out_of_fold)
    # The other splits get whole-train statistics: M (13 + 6) / 6, F (8 + 6) / 5, null (3 + 6) / 3, unseen 3.
    whole = {"M": 19 / 6, "F": 14 / 5, None: 3.0, "?": 3.0}
    other = raw.table(gender=["M", "F", None, "?"], rating=[1.0, 5, 5, 5])
    config = only(gender=encoded(folds=2, smoothing=2))
    splits = raw.write(tmp_path / "splits", train=raw.table(gender=gender, rating=rating), valid=other)
    data, workflow = fit(tmp_path, splits, config)
    name = "TE_gender_rating"
    np.testing.assert_allclose(data.read("train")[name], [(x - mean) / std for x in out_of_fold], atol=1e-6)
    expected = [(x - mean) / std for x in whole.values()]
    np.testing.assert_allclose(data.read("valid")[name], expected, atol=1e-6)
    served = workflow.transform({"gender": np.array([b"M", b"F", b"", b"?"], dtype=object)})
    np.testing.assert_allclose(served[name][:, 0], expected, atol=1e-6)


def test_no_train_row_sees_its_own_target(tmp_path: Path) -> None:
    # Every user stands once, so nothing but the overall mean is left for a row of another fold.
    splits = raw.write(tmp_path / "splits", train=raw.random_table(50, 5), valid=raw.table(userId=[1, 2, 3, 4]))
    rows = raw.table(userId=list(range(50)))
    raw.write(tmp_path / "splits", train=rows)
    data, _ = fit(tmp_path, splits, only(userId=encoded()))
    assert set(data.read("train")["TE_userId_rating"].to_pylist()) == {0.0}
    assert len(set(data.read("valid")["TE_userId_rating"].to_pylist())) == 5


def test_folds_over_several_parts(tmp_path: Path) -> None:
    rows = raw.random_table(230, 9)
    splits = raw.write(tmp_path / "splits", row_group_size=50, train=rows)
    config = only(age=encoded(folds=3, smoothing=4), fold_seed=7, rows_per_partition=100)
    data, _ = fit(tmp_path, splits, config)
    # Two row groups make a part: 100, 100 and 30 rows. Each part draws its folds anew.
    folds = [int(fold) for part in (100, 100, 30) for fold in np.random.RandomState(7).choice(3, part)]
    ages, ratings = rows["age"].to_pylist(), rows["rating"].to_pylist()
    mean = statistics.mean(ratings)
    expected = []
    for age, fold in zip(ages, folds, strict=True):
        seen = [r for a, r, f in zip(ages, ratings, folds, strict=True) if a == age and f != fold]
        expected.append((sum(seen) + 4 * mean) / (len(seen) + 4))
    centre, spread = statistics.mean(expected), statistics.stdev(expected)
    made = data.read("train")["TE_age_rating"]
    np.testing.assert_allclose(made, [(x - centre) / spread for x in expected], atol=1e-5)


@pytest.mark.slow
def test_online_and_offline_agree(everything: tuple[Path, Transformed, FittedWorkflow]) -> None:
    splits, data, workflow = everything
    for split in ("valid", "test"):
        rows = pq.read_table(splits / f"{split}.parquet")
        served, stored = workflow.transform_table(rows), data.read(split)
        ids = {name for name in served.column_names if served[name].type != pa.float32()}
        assert 2 in {value for name in ids - {"genres"} for value in stored[name].to_pylist()}
        for name in served.column_names:
            if name in ids:
                assert served[name].to_pylist() == stored[name].to_pylist()
            else:
                np.testing.assert_allclose(served[name], stored[name], rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_the_rebuilt_workflow_gives_what_was_stored(
    everything: tuple[Path, Transformed, FittedWorkflow], tmp_path: Path
) -> None:
    splits, data, workflow = everything
    workflow.save(tmp_path / "copy")
    rows = pq.read_table(splits / "test.parquet")
    features = [column.name for column in workflow.output_columns]
    assert transform(tmp_path / "copy", rows).equals(data.read("test", features))
    assert transform(tmp_path / "copy", rows.select([c.name for c in workflow.raw_columns])).num_rows == 200


def test_rows_at_the_edges_offline_and_online(everything: tuple[Path, Transformed, FittedWorkflow]) -> None:
    _, _, workflow = everything
    unseen = raw.table(
        userId=[10**12, -(2**63), None],
        movieId=[2**63 - 1, 0, None],
        title=["never", "", None],
        genres=[["never", None, "Drama"], [], None],
        release_year=[math.inf, -math.inf, None],
        gender=["?", "", None],
        age=[-5, 10**15, None],
        occupation=["\U0001f600", "", None],
        zipcode=["", "\x00", None],
        rating=[1.0, 5.0, 1.0],
    )
    with OfflineWorkflow(workflow) as offline:
        for rows in (unseen, unseen.slice(2), unseen.slice(0, 0)):
            assert offline.transform(rows).equals(workflow.transform_table(rows))
        made = offline.transform(unseen)
    assert made["userId"].to_pylist() == [2, 1, 1]
    assert made["zipcode"].to_pylist() == [1, 2, 1]
    assert [len(row) for row in made["genres"].to_pylist()] == [2, 0, 0]
    year = made["release_year"].to_pylist()  # filled with the mean, which is what is taken off
    np.testing.assert_allclose(year, [0, 0, 0], atol=1e-6)


def test_rows_targets_and_columns_keep_their_order(everything: tuple[Path, Transformed, FittedWorkflow]) -> None:
    splits, data, workflow = everything
    encoded = ("userId", "movieId", "gender", "age", "occupation", "zipcode")
    data_order = ("userId", "movieId", "title", "genres", "release_year", "gender", "age", "occupation", "zipcode")
    names = [output for name in data_order for output in ((name, f"TE_{name}_rating") if name in encoded else (name,))]
    names += ["rating_binary", "rating"]
    assert data.columns == tuple(names)
    for split in SPLITS:
        rows, stored = pq.read_table(splits / f"{split}.parquet"), data.read(split)
        for target in ("rating", "rating_binary"):
            assert stored[target].equals(rows[target])
        # ids stand for users: the pairs are one to one but for the unseen
        pairs = Counter(zip(rows["userId"].to_pylist(), stored["userId"].to_pylist(), strict=True))
        assert len({user for user, code in pairs if code != 2}) == len({code for _, code in pairs if code != 2})
    assert workflow.targets == ("rating_binary", "rating")
    assert data.metadata["rows"] == {"train": 700, "valid": 200, "test": 200}
    assert data.metadata["workflow"] == FittedWorkflowArtifact(data.path.parent / "workflow").fingerprint


@pytest.mark.slow
def test_nothing_is_learnt_from_the_other_splits(
    everything: tuple[Path, Transformed, FittedWorkflow], tmp_path: Path
) -> None:
    splits, _, workflow = everything
    train = pq.read_table(splits / "train.parquet")
    again = raw.write(tmp_path / "splits", row_group_size=250, train=train, valid=raw.random_table(40, 99))
    _, other = fit(tmp_path, again, PreprocessConfig(raw.recipe(raw.RANKING), rows_per_partition=500))
    assert other.ops == workflow.ops


@pytest.mark.slow
def test_equal_input_gives_equal_bytes_in_another_process(
    everything: tuple[Path, Transformed, FittedWorkflow], tmp_path: Path
) -> None:
    splits, data, _ = everything
    code = """if True:
        import sys
        from pathlib import Path
        from emrys.components.preprocess.step import PreprocessConfig, run
        from tests.components.preprocess import raw
        splits, output = map(Path, sys.argv[1:])
        config = PreprocessConfig(raw.recipe(raw.RANKING), rows_per_partition=500)
        run(splits, config, data=output / "data", workflow=output / "workflow")
        print("tensorflow" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(splits), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "77", "PATH": ""},
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "False"
    assert {line.split()[0] for line in done.stderr.splitlines()} == {"emrys-event"}  # and no warnings
    for name in ("data", "workflow"):
        mine, theirs = data.path.parent / name, tmp_path / name
        assert sorted(f.name for f in mine.iterdir()) == sorted(f.name for f in theirs.iterdir())
        for file in mine.iterdir():
            if file.name != "manifest.json":  # which holds the time of the step
                assert file.read_bytes() == (theirs / file.name).read_bytes(), file.name
            assert file.suffix in {".json", ".parquet"}  # data, nothing that runs


GOOD: dict[str, list[Any]] = {
    "gender": ["F", "M", "M", "F"],
    "age": [1, 2, 3, 4],
    "genres": [["a"], [], [], []],
    "release_year": [1.0] * 4,
}
USED = only(
    gender=["categorify"],
    age=["categorify", *encoded()],
    genres=["categorify"],
    release_year=[{"fill": "mean"}, "normalize"],
)


@pytest.mark.parametrize(
    ("changes", "file", "message"),
    [
        (
            {"gender": [None, "", None, ""]},
            "train",
            "column 'gender': every value of the column is null; expected a value in some row. Leave it out in the",
        ),
        ({"genres": [[], None, [None], [""]]}, "train", "column 'genres': every value of the column is null"),
        (
            {"release_year": [None, math.nan, None, None]},
            "train",
            "column 'release_year': every value of the column is null",
        ),
        (
            {"rating": [5.0, 4, 4, 5]},
            "train",
            "column 'rating_binary': the label has only one class; expected at least two values, got 1. Use more rows",
        ),
        (
            {"rating_binary": [0, None, 1, 1]},
            "train",
            "column 'rating_binary': the target holds nulls; expected a value in every row, got 1 nulls",
        ),
        ({name: [] for name in (*GOOD, "rating")}, "valid", "the split has no rows. Split the data so that"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    tmp_path: Path, changes: dict[str, list[Any]], file: str, message: str
) -> None:
    tables = {"train": raw.table(**{**GOOD, "rating": [1.0, 5, 1, 5]})}
    tables[file] = raw.table(**{**GOOD, "rating": [1.0, 5, 1, 5], **changes})
    splits = raw.write(tmp_path / "splits", **tables)
    with pytest.raises(DataError) as caught:
        fit(tmp_path, splits, USED)
    assert str(caught.value).startswith(f"preprocess: {splits}/{file}.parquet: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["splits"]


def test_a_failure_half_way_leaves_neither_artifact(tmp_path: Path) -> None:
    train = raw.table(**GOOD, rating=[1.0, 5, 1, 5])
    test = raw.table(**GOOD, rating=[1.0, 5, 1, 5], rating_binary=[0, None, 0, 0])
    splits = raw.write(tmp_path / "splits", train=train, test=test)
    with pytest.raises(DataError, match=r"test.parquet: column 'rating_binary': the target holds nulls"):
        fit(tmp_path, splits, USED)
    assert [path.name for path in tmp_path.iterdir()] == ["splits"]


def test_a_damaged_file(tmp_path: Path) -> None:
    splits = raw.write(tmp_path / "splits", train=raw.table(**GOOD))
    file = splits / "valid.parquet"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(ArtifactError, match=r"valid.parquet: a file of the artifact is damaged; expected \d+ bytes"):
        fit(tmp_path, splits, USED)
    raw.write(tmp_path / "splits", train=raw.table(**GOOD))
    content = file.read_bytes()
    footer = 8 + int.from_bytes(content[-8:-4], "little")
    file.write_bytes(content[:4] + b"\xff" * (len(content) - 4 - footer) + content[-footer:])
    with pytest.raises(DataError, match=r"valid.parquet: the Parquet file cannot be read .*Run the ingest step again"):
        fit(tmp_path, splits, USED)
    assert [path.name for path in tmp_path.iterdir()] == ["splits"]
