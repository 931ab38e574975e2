import dataclasses
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from emrys.blocks.errors import ArtifactError, DataError
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.statistics import Statistics
from emrys.components.events import EVENT_PREFIX
from emrys.components.ingest.step import IngestConfig
from emrys.components.ingest.step import run as ingest
from emrys.components.validate.step import ValidateConfig, run
from tests import real_data
from tests.components.validate.logs import NOW, START, log, validate, write


def told(statistics, severity=None):
    """Check and column of what was found."""
    return [(one["check"], one["column"]) for one in statistics.findings if severity in (None, one["severity"])]


def errors_of(tmp_path, **splits):
    """Everything wrong with splits, as texts; the run goes on."""
    found = validate(tmp_path, config={"on_anomaly": "mark", **splits.pop("config", {})}, **splits)
    assert found.verdict == ("marked" if told(found, "error") else "passed")
    return found


class TestSoundData:
    def test_nothing_is_found(self, tmp_path):
        found = validate(tmp_path)
        assert (found.verdict, found.findings, found.plots) == ("passed", [], {})
        assert found.rows == {"train": 2000, "valid": 200, "test": 200}
        assert list(found.columns) == list(Splits(tmp_path / "run-splits").columns)
        assert sorted(os.listdir(tmp_path)) == ["run", "run-splits"]

    def test_nor_in_another_draw_of_the_same(self, tmp_path):
        validate(tmp_path)
        found = validate(tmp_path, "second", previous="run", train=log(seed=7), valid=log(200, 8, START + 10_000))
        assert (found.verdict, found.findings) == ("passed", [])
        assert found.validation["previous"] == Statistics(tmp_path / "run").fingerprint

    def test_the_same_again_gives_the_same_bytes(self, tmp_path):
        assert validate(tmp_path).fingerprint == validate(tmp_path, "again").fingerprint

    @pytest.mark.parametrize("rows", [1500, 60_000])
    @pytest.mark.slow
    def test_the_synthetic_log_passes(self, tmp_path, rows):
        ingest(IngestConfig(synthetic_rows=rows), tmp_path / "splits")
        found = run(tmp_path / "splits", ValidateConfig(), tmp_path / "out")
        assert (found.verdict, found.findings) == ("passed", [])

    @pytest.mark.slow
    def test_movielens_passes_and_so_does_its_growth(self, tmp_path):
        raw = ingest(IngestConfig(str(real_data.path("ml-100k.zip"))), tmp_path / "splits")
        tables = {name: raw.read(name) for name in ("train", "valid", "test")}
        shorter = {**tables, "train": tables["train"].slice(0, 60_000)}
        Splits.write(tmp_path / "earlier", shorter, raw.metadata)
        first = run(tmp_path / "earlier", ValidateConfig(), tmp_path / "first")
        found = run(tmp_path / "splits", ValidateConfig(), tmp_path / "second", tmp_path / "first")
        assert (first.verdict, first.findings) == ("passed", [])
        assert (found.verdict, found.findings) == ("passed", [])
        # Counted with awk: 943 users aged 7 to 73; those of train are in its first 79,999 rows.
        ages = found.columns["age"].numbers
        assert (ages.min, ages.max, ages.count) == (7, 73, 79_999)
        assert found.columns["occupation"].distinct == 21
        # What a movie says about the label alone is known to be about 0.7; nothing says more.
        assert max(found.validation["alone"].values()) == pytest.approx(0.70, abs=0.02)


def test_histories_are_no_raw_column(tmp_path):
    # They grow with the log: their lengths would drift in every run.
    ingest(IngestConfig(synthetic_rows=1500), tmp_path / "short")
    first = run(tmp_path / "short", ValidateConfig(), tmp_path / "first")
    ingest(IngestConfig(synthetic_rows=1500, history=20), tmp_path / "splits")
    found = run(tmp_path / "splits", ValidateConfig(), tmp_path / "out", tmp_path / "first")
    assert (found.verdict, found.findings) == ("passed", [])
    assert found.columns == first.columns


class TestInjectedDrift:
    @pytest.fixture
    def before(self, tmp_path):
        return validate(tmp_path)

    def test_ages_plus_20_stop_the_run(self, tmp_path, before, capsys):
        older = log(seed=7)
        older = older.set_column(
            older.schema.get_field_index("age"), older.schema.field("age"), pc.add(older["age"], 20)
        )
        with pytest.raises(DataError) as error:
            validate(tmp_path, "second", previous="run", train=older)
        text = str(error.value)
        page = tmp_path / "second.html"
        assert text.startswith(
            f"validate: {tmp_path}/second-splits: column 'age': drift: the values changed since the previous run; "
            "expected Jensen-Shannon distance of at most 0.1"
        )
        assert text.endswith(f"See {page}. With on_anomaly=mark the run continues.")
        assert "median from 39 to 59" in text
        assert error.value.exit_status == 2
        assert sorted(os.listdir(tmp_path)) == ["run", "run-splits", "second-splits", "second.html"]
        assert ">stopped<" in page.read_text(encoding="utf-8")
        lines = capsys.readouterr().err.splitlines()
        events = [json.loads(line.removeprefix(EVENT_PREFIX)) for line in lines if line.startswith(EVENT_PREFIX)]
        assert events[-1] == {"step": "validate", "event": "error", "text": text, "exit_status": 2}
        assert events[-2]["text"].startswith("error: drift: column 'age': the values changed")

    def test_a_new_most_frequent_genre(self, tmp_path, before):
        # 0.0531 is what a share of 0.3 (between 0 and 0.6) in 2,000 rows reaches by chance: among four values 0.1 % of
        # the time beyond 3.66 standard deviations of sqrt(0.3 * 0.7 * (1 / 2000 + 1 / 2000)) = 0.0145.
        genres = [["Anime"]] * 1200 + log()["genres"].to_pylist()[1200:]
        with pytest.raises(
            DataError, match=r"column 'genres': drift: .*at most 0\.0531, got 0\.6 \('Anime' from 0\.0 to 60"
        ):
            validate(tmp_path, "second", previous="run", train=log(genres=genres))

    def test_marked_it_goes_on_with_pictures(self, tmp_path, before):
        genres = [["Anime"]] * 1200 + log()["genres"].to_pylist()[1200:]
        ages = [age + 20 for age in log()["age"].to_pylist()]
        found = validate(
            tmp_path, "second", previous="run", train=log(genres=genres, age=ages), config={"on_anomaly": "mark"}
        )
        # The farther beyond its limit comes first: 0.6 is 12 times 0.05.
        assert (found.verdict, told(found)) == ("marked", [("drift", "genres"), ("drift", "age")])
        assert set(found.plots) == {"genres", "age"}
        assert "Anime" in found.plots["genres"]
        assert found.metadata["verdict"] == "marked"
        drift = {one["part"]: one for one in found.validation["drift"]["genres"]}
        assert (drift["values"]["value"], drift["values"]["now"]) == ("Anime", 0.6)
        assert drift["lengths"]["distance"] == 0.0

    def test_a_page_of_a_try_that_stopped_goes_when_it_passes(self, tmp_path, before):
        ages = [age + 20 for age in log()["age"].to_pylist()]
        with pytest.raises(DataError):
            validate(tmp_path, "second", previous="run", train=log(age=ages))
        config = {"columns": {"age": {"js_distance": 1}}}
        assert validate(tmp_path, "second", previous="run", train=log(age=ages), config=config).verdict == "passed"
        assert not (tmp_path / "second.html").exists()

    def test_a_stopped_run_keeps_existing_files(self, tmp_path, before):
        fingerprint = before.fingerprint
        with pytest.raises(DataError):
            validate(tmp_path, "run", train=log(rating=[9.0, 1.0] * 1000))
        assert Statistics(tmp_path / "run").fingerprint == fingerprint

    def test_nulls_and_rows_and_columns(self, tmp_path, before):
        zipcodes = [None] * 400 + log(900)["zipcode"].to_pylist()[400:]
        without = {
            "train": log(900, zipcode=zipcodes, title=None),
            "valid": log(200, 1, START + 10_000, title=None),
            "test": log(200, 2, START + 20_000, title=None),
        }
        found = errors_of(tmp_path, name="second", previous="run", **without)
        assert set(told(found)) == {("columns", "title"), ("rows", None), ("null_drift", "zipcode")}
        rows = next(one for one in found.findings if one["check"] == "rows")
        assert rows["expected"] == "at least 0.5 times the 2,000 of the previous run"
        assert "zipcode" in found.plots
        back = errors_of(tmp_path, name="third", previous="second")
        assert told(back, "warning") == [("new_column", "title")]

    def test_a_vocabulary_that_explodes(self, tmp_path, before):
        jobs = [f"{i % 900}" for i in range(2000)]
        found = errors_of(tmp_path, name="second", previous="run", train=log(occupation=jobs))
        first = found.findings[0]
        assert (first["check"], first["column"], first["got"]) == ("vocabulary", "occupation", "900")
        assert first["expected"] == "at most 6, where the previous run had 3"

    def test_with_as_many_more_rows_there_may_be_more_values(self, tmp_path, before):
        jobs = [("artist", "doctor", "writer")[i % 3] for i in range(10_000)]
        jobs[:30] = [f"job {i}" for i in range(27)] + jobs[:3]  # 30 values, and 3 * 2 * 5 may be
        found = errors_of(tmp_path, name="second", previous="run", train=log(10_000, occupation=jobs))
        assert told(found) == []

    def test_a_damaged_previous_run(self, tmp_path, before):
        (tmp_path / "run" / "statistics.json").write_text("{}", encoding="utf-8")
        with pytest.raises(ArtifactError, match=r"validate: .*statistics\.json: a file of the artifact is damaged"):
            validate(tmp_path, "second", previous="run")
        assert not (tmp_path / "second").exists()


MANY = [f"film {i}" for i in range(2000)]


@pytest.mark.parametrize(
    ("replaced", "found"),
    [
        ({"rating": [5.5, 1.0, *[4.0, 1.0] * 999]}, ("range", "rating", "a value is too large", "5.5")),
        ({"rating": [0.0, 4.0, *[4.0, 1.0] * 999]}, ("range", "rating", "a value is too small", "0")),
        ({"rating": [float("inf"), 1.0, *[4.0, 1.0] * 999]}, ("range", "rating", "values are infinite", "1 infinite")),
        ({"age": [-1] * 20 + [30, 40] * 990}, ("range", "age", "a value is too small", "-1")),
        ({"rating_binary": [0, 1, 2, 1] * 500}, ("label", "rating_binary", "the label is not binary", "0, 1, 2")),
        (
            {"rating_binary": [1] * 2000},
            ("label", "rating_binary", "the label has only one class", "2,000 rows, all 1"),
        ),
        ({"userId": [None, *range(1999)]}, ("required", "userId", "values are missing", "1 nulls in 2,000 rows")),
        ({"zipcode": [None] * 2000}, ("empty", "zipcode", "there is no value in any row", None)),
        ({"genres": [[]] * 2000}, ("empty", "genres", "there is no element in any list", None)),
        ({"title": MANY}, ("vocabulary", "title", "nearly every row has a distinct value", "2,000 in 2,000 rows")),
        ({"timestamp": [START * 1000 + i for i in range(2000)]},
         ("future", "timestamp", "times are in milliseconds", "1000000001999")),
        ({"timestamp": [*range(START - 1999, START), NOW + 86_401]},
         ("future", "timestamp", "a time is in the future", str(NOW + 86_401))),
    ],
)  # fmt: skip
def test_impossible_training_values(tmp_path, replaced, found):
    later = {"valid": log(200, 1, NOW * 1000), "test": log(200, 2, NOW * 1000)} if "timestamp" in replaced else {}
    statistics = errors_of(tmp_path, train=log(**replaced), **later)
    first = next(one for one in statistics.findings if one["severity"] == "error")
    assert (first["check"], first["column"], first["problem"], first["got"]) == found


def test_the_other_splits_are_looked_at_too(tmp_path):
    found = errors_of(tmp_path, test=log(200, 2, START + 20_000, rating=[7.0, 1.0] * 100))
    assert [(one["check"], one["column"], one["problem"]) for one in found.findings] == [
        ("range", "rating", "a value is too large in the test split"),
    ]


def test_a_time_in_the_future_of_test_alone(tmp_path):
    found = errors_of(tmp_path, test=log(200, 2, NOW + 100_000))
    assert told(found) == [("future", "timestamp")]
    assert found.findings[0]["problem"] == "a time is in the future in the test split"


def test_warnings_stop_nothing(tmp_path):
    times = list(range(2000))
    found = validate(
        tmp_path,
        train=log(gender=["F"] * 2000, zipcode=[None] * 1500 + ["1", "2"] * 250, timestamp=times),
        valid=log(200, 1, 5000),
        test=log(200, 2, 6000),
    )
    assert found.verdict == "passed"
    assert set(told(found)) == {("constant", "gender"), ("nulls", "zipcode"), ("time_unit", "timestamp")}


def test_sizes(tmp_path):
    assert told(errors_of(tmp_path, config={"min_rows": 2001})) == [("rows", None)]
    assert told(errors_of(tmp_path, config={"max_rows": 1999})) == [("rows", None)]
    assert told(errors_of(tmp_path, config={"columns": {"zipcode": {"max_distinct": 49}}})) == [
        ("vocabulary", "zipcode")
    ]


class TestLeaks:
    def test_an_input_that_is_the_label(self, tmp_path):
        ages = [40 if rating > 3 else 20 for rating in log()["rating"].to_pylist()]
        with pytest.raises(DataError, match="column 'age': leak_label: the label is a function of this input"):
            validate(tmp_path, train=log(age=ages))

    def test_an_input_that_predicts_it_alone(self, tmp_path):
        draw = np.random.default_rng(5)
        years = [1990 + 3 * (rating > 3) + noise for rating, noise in
                 zip(log()["rating"].to_pylist(), draw.normal(0, 1, 2000), strict=True)]  # fmt: skip
        found = errors_of(tmp_path, train=log(release_year=years))
        # Two normals 3 apart: P(x < y) = Phi(3 / sqrt(2)) = 0.983.
        assert told(found) == [("leak_feature", "release_year")]
        assert float(found.findings[0]["got"]) == pytest.approx(0.983, abs=0.01)
        limits = {"columns": {"release_year": {"leak_auc": 1.0}}}
        assert errors_of(tmp_path, train=log(release_year=years), config=limits).verdict == "passed"

    def test_the_rating_is_what_the_label_is_made_of(self, tmp_path):
        alone = validate(tmp_path).validation["alone"]
        assert not {"rating", "rating_binary"} & set(alone)
        assert max(alone.values()) < 0.57

    def test_a_sample_finds_it_too(self, tmp_path):
        ages = [40 if rating > 3 else 20 for rating in log()["rating"].to_pylist()]
        assert told(errors_of(tmp_path, train=log(age=ages), config={"leak_sample": 200})) == [("leak_label", "age")]

    @pytest.mark.parametrize("split", ["time", "given"])
    def test_test_rows_from_before_the_end_of_train(self, tmp_path, split):
        with pytest.raises(DataError) as error:
            validate(tmp_path, test=log(200, 2, START + 1990), split=split)
        assert "column 'timestamp': leak_time: test begins before the end of train; expected no earlier than " in str(
            error.value
        )
        # 10^9 seconds are the moment 2001-09-09 01:46:40.
        assert "1000001999 (2001-09-09 02:19:59 UTC), got 1000001990 (2001-09-09 02:19:50 UTC)" in str(error.value)

    def test_a_split_at_random(self, tmp_path):
        assert validate(tmp_path, test=log(200, 2, START + 1990), split="random").verdict == "passed"

    def test_a_split_by_user_is_in_order_for_each_user(self, tmp_path):
        # User 1 has ended after 1,000 s, user 2 goes on to the end of train, at 2,000 s.
        train = log(userId=[1] * 1000 + [2] * 1000)
        valid = log(100, 1, START + 5000, userId=[1] * 100)
        files = {"train": train, "valid": valid, "split": "per_user"}
        assert validate(tmp_path, test=log(200, 2, START + 1000, userId=[1] * 200), **files).verdict == "passed"
        with pytest.raises(DataError) as error:
            validate(tmp_path, test=log(200, 2, START + 1990, userId=[2] * 200), **files)
        # Of 200 rows from 1,990 s on, those of 1,990 to 1,998 s are before the last of train, at 1,999 s.
        assert "leak_time: test has rows before the last train row of the same user; expected none, got 9" in str(
            error.value
        )

    def test_rows_that_are_in_train_and_in_test(self, tmp_path):
        both = pa.concat_tables([log(200, 2, START + 20_000), log().slice(5, 3)])
        found = errors_of(tmp_path, test=both, split="random")
        assert told(found) == [("leak_rows", None)]
        assert found.findings[0]["got"] == "3 of 203 rows"
        config = {"max_shared": 0.02}
        assert errors_of(tmp_path, test=both, split="random", config=config).verdict == "passed"

    def test_rows_that_are_in_train_twice(self, tmp_path):
        twice = pa.concat_tables([log(), log().slice(0, 3)])
        found = errors_of(tmp_path, train=twice)
        assert told(found) == [("duplicates", None)]
        assert (found.findings[0]["expected"], found.findings[0]["got"]) == (
            "at most 0.1 % of its rows",
            "3 of 2,003 rows",
        )


class TestSettings:
    def test_a_severity(self, tmp_path):
        data = {"train": log(rating=[9.0, 1.0] * 1000)}
        off = validate(tmp_path, config={"severity": {"range": "off"}}, **data)
        assert (off.verdict, off.findings) == ("passed", [])
        warned = validate(tmp_path, config={"severity": {"range": "warning"}}, **data)
        assert (warned.verdict, told(warned, "warning")) == ("passed", [("range", "rating")])

    def test_other_errors_are_named_in_the_message(self, tmp_path):
        with pytest.raises(
            DataError, match=r"column 'rating': range: .* Also: range in 'age', empty in 'zipcode'\. See"
        ):
            validate(tmp_path, train=log(rating=[9.0, 1.0] * 1000, age=[200] * 2000, zipcode=[None] * 2000))

    def test_a_place_for_the_page(self, tmp_path):
        raw = write(tmp_path / "splits")
        found = run(raw, ValidateConfig(), tmp_path / "out", report=tmp_path / "page", now=NOW)
        assert (tmp_path / "page").read_bytes() == found.report.read_bytes()
        with pytest.raises(DataError, match=rf"See {tmp_path}/page\."):
            run(raw, ValidateConfig(min_rows=9999), tmp_path / "no", report=tmp_path / "page", now=NOW)
        assert sorted(os.listdir(tmp_path)) == ["out", "page", "splits"]

    def test_the_configuration_is_kept(self, tmp_path):
        config = ValidateConfig(js_distance=0.3, columns={"age": {"max": 99}})
        found = run(write(tmp_path / "splits"), config, tmp_path / "out", now=NOW)
        assert found.validation["configuration"] == json.loads(json.dumps(dataclasses.asdict(config)))


def test_a_few_rows(tmp_path):
    """Data that are hardly there are told apart from bugs."""
    few = {"train": log(2, rating=[1.0, 5.0]), "valid": log(1, 1, START + 10), "test": log(1, 2, START + 20)}
    first = errors_of(tmp_path, **few)
    assert {("rows", None), ("label", "rating_binary")} <= set(told(first))
    errors_of(tmp_path, name="second", previous="run", **few)
    empty = errors_of(tmp_path, name="third", previous="run", **{**few, "train": log(0)})
    assert ("rows", None) in told(empty)
    assert empty.rows["train"] == 0
