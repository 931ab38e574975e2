"""Validation of logs with other columns than those of a rating log."""

import numpy as np
import pyarrow as pa
import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.column_statistics import ColumnKind
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.contracts.splits import Splits
from emrys.components.validate.step import ValidateConfig, run

NOW = 1_790_900_000


def _write(folder, schema, tables, split="random"):
    arrow = {name: pa.table(columns, schema=schema.arrow) for name, columns in tables.items()}
    Splits.write(folder, arrow, {"dataset": "made", "split": split}, schema)
    return folder


def _findings(statistics):
    return {(each["check"], each["column"]) for each in statistics.findings}


def _clicks(rows, seed, **replaced):
    random = np.random.default_rng(seed)
    columns = {
        "C1": random.choice(["a", "b", "c"], rows).tolist(),
        "I1": random.normal(size=rows).tolist(),
        "label": random.integers(0, 2, rows).tolist(),
    }
    return {**columns, **replaced}


CLICKS = DataSchema(
    (DataColumn("C1", "string", Role.CONTEXT), DataColumn("I1", "float32", Role.CONTEXT, continuous=True)),
    (Target("label", TargetKind.BINARY),),
)


def test_clicks_without_ids_and_times(tmp_path):
    # Equal rows are not taken for one event: with 3 values and no time there are many.
    tables = {
        name: _clicks(rows, seed) for name, rows, seed in (("train", 600, 1), ("valid", 200, 2), ("test", 200, 3))
    }
    found = run(_write(tmp_path / "splits", CLICKS, tables), ValidateConfig(), tmp_path / "out", now=NOW)
    assert (found.verdict, found.findings) == ("passed", [])
    kinds = {name: column.kind for name, column in found.columns.items()}
    assert kinds == {"C1": ColumnKind.TEXT, "I1": ColumnKind.NUMBER, "label": ColumnKind.LABEL}


def test_an_input_that_is_the_label(tmp_path):
    train = _clicks(600, 1)
    train["I1"] = [3.0 if label else -1.0 for label in train["label"]]
    tables = {"train": train, "valid": _clicks(200, 2), "test": _clicks(200, 3)}
    config = ValidateConfig(on_anomaly="mark")
    found = run(_write(tmp_path / "splits", CLICKS, tables), config, tmp_path / "out", now=NOW)
    assert ("leak_label", "I1") in _findings(found)


STARS = DataSchema(
    (
        DataColumn("reader", "string", Role.USER_ID),
        DataColumn("book", "int64", Role.ITEM_ID),
        DataColumn("when", "int64", Role.TIME, unit="ms"),
        DataColumn("trust", "float32", Role.WEIGHT),
        DataColumn("pages", "float32", Role.ITEM, continuous=True),
        DataColumn("raw_stars", "float32", Role.SOURCE),
    ),
    (Target("stars", TargetKind.REGRESSION, source="raw_stars"),),
)


def _stars(rows, seed, start, **replaced):
    random = np.random.default_rng(seed)
    stars = random.normal(3, 1, rows)
    columns = {
        "reader": [f"r{code}" for code in random.integers(0, 40, rows)],
        "book": random.integers(0, 30, rows).tolist(),
        "when": [(start + second) * 1000 for second in range(rows)],
        "trust": [1.0] * (rows - 1) + [2.0],
        "pages": random.normal(200, 20, rows).tolist(),
        "raw_stars": stars.tolist(),
        "stars": stars.tolist(),
    }
    return {**columns, **replaced}


def _stars_splits(**train):
    return {
        "train": _stars(500, 1, 1_790_000_000, **train),
        "valid": _stars(100, 2, 1_790_100_000),
        "test": _stars(100, 3, 1_790_200_000),
    }


def test_a_regression_with_times_in_milliseconds(tmp_path):
    found = run(
        _write(tmp_path / "splits", STARS, _stars_splits(), "time"), ValidateConfig(), tmp_path / "out", now=NOW
    )
    assert (found.verdict, found.findings) == ("passed", [])
    times = found.columns["when"].numbers
    assert (times.min, times.max) == (1_790_000_000, 1_790_000_499)  # in seconds
    assert found.columns["reader"].kind is ColumnKind.IDENTIFIER


def test_what_predicts_a_regression_alone(tmp_path):
    # Pages are a step of the stars: the label of the check is whether they are above their median.
    stars = np.random.default_rng(1).normal(3, 1, 500)
    splits = _stars_splits(stars=stars.tolist(), raw_stars=stars.tolist(), pages=(2 * stars).tolist())
    found = run(
        _write(tmp_path / "splits", STARS, splits, "time"), ValidateConfig(on_anomaly="mark"), tmp_path / "out", now=NOW
    )
    assert _findings(found) == {("leak_label", "pages")}


def test_rows_before_the_end_of_train_name_the_column_of_the_time(tmp_path):
    splits = _stars_splits()
    splits["test"]["when"][0] = 1_790_000_100_000
    config = ValidateConfig(on_anomaly="mark")
    found = run(_write(tmp_path / "splits", STARS, splits, "time"), config, tmp_path / "out", now=NOW)
    assert _findings(found) == {("leak_time", "when")}
    # The same splits by user: of that reader there may be a later row in train.
    found = run(_write(tmp_path / "by-session", STARS, splits, "session"), config, tmp_path / "again", now=NOW)
    assert found.findings == []


def test_a_repeated_event(tmp_path):
    train = _stars(500, 1, 1_790_000_000)
    for column in train.values():
        column[1:4] = column[:1] * 3
    splits = {**_stars_splits(), "train": train}
    config = ValidateConfig(on_anomaly="mark")
    found = run(_write(tmp_path / "splits", STARS, splits, "time"), config, tmp_path / "out", now=NOW)
    assert ("duplicates", None) in _findings(found)
    # Without targets every row is a unit that was taken, and may be there twice.
    implicit = DataSchema(STARS.columns[:3])
    kept = {name: {column: table[column] for column in implicit.names} for name, table in splits.items()}
    found = run(_write(tmp_path / "units", implicit, kept, "time"), config, tmp_path / "more", now=NOW)
    assert found.findings == []


def test_limits_of_a_column_that_is_not_there(tmp_path):
    tables = {name: _clicks(200, seed) for seed, name in enumerate(("train", "valid", "test"))}
    raw = _write(tmp_path / "splits", CLICKS, tables)
    with pytest.raises(ConfigError, match=r"got 'I2'\. Did you mean 'I1'"):
        run(raw, ValidateConfig(columns={"I2": {"max": 3}}), tmp_path / "out", now=NOW)
