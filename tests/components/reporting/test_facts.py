from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.reporting.facts import ColumnFacts, SplitFacts, plain_facts

LIKES = DataSchema((), (Target("like", TargetKind.BINARY),))
TIMED = DataSchema((DataColumn("at", "int64", Role.TIME, unit="s"),), LIKES.targets)


def test_a_split_in_a_line(tmp_path):
    # 1997-09-20 03:05:10 and 1998-04-22 23:10:38, UTC: the first and the last event of MovieLens 100K.
    table = pa.table({"at": [893286638, 874724710, 880000000], "like": pa.array([1, 0, 0], pa.int8())})
    pq.write_table(table, tmp_path / "train.parquet")
    assert SplitFacts.of(tmp_path / "train.parquet", TIMED) == SplitFacts("train", 3, 1 / 3, "1997-09-20", "1998-04-22")


def test_a_split_without_time_or_rows(tmp_path):
    pq.write_table(pa.table({"like": pa.array([], pa.int8())}), tmp_path / "valid.parquet")
    assert SplitFacts.of(tmp_path / "valid.parquet", LIKES) == SplitFacts("valid", 0, 0.0, None, None)


def test_a_time_beyond_all_calendars_is_shown_as_it_is(tmp_path):
    pq.write_table(pa.table({"at": [0, 2**62], "like": [0, 1]}), tmp_path / "test.parquet")
    facts = SplitFacts.of(tmp_path / "test.parquet", TIMED)
    assert (facts.begin, facts.end) == ("1970-01-01", str(2**62))


def test_times_in_milliseconds_and_no_binary_target(tmp_path):
    # 1997-09-20 03:05:10.5 and half a day later, UTC.
    pq.write_table(pa.table({"at": [874724710500, 874767910500], "stars": [1.0, 5.0]}), tmp_path / "train.parquet")
    schema = DataSchema((DataColumn("at", "int64", Role.TIME, unit="ms"),), (Target("stars", TargetKind.REGRESSION),))
    expected = SplitFacts("train", 2, None, "1997-09-20", "1997-09-20")
    assert SplitFacts.of(tmp_path / "train.parquet", schema) == expected


def test_columns_of_a_schema():
    genres = SimpleNamespace(
        name="genres",
        is_list=True,
        dtype=SimpleNamespace(name="int64"),
        int_domain=SimpleNamespace(min=0, max=21),
        tags=[SimpleNamespace(value="item"), SimpleNamespace(value="categorical")],
    )
    assert ColumnFacts.of(genres) == ColumnFacts("genres", "list of int64", 22, ("categorical", "item"))
    year = SimpleNamespace(
        name="year", is_list=False, dtype=SimpleNamespace(name="float32"), int_domain=None, tags=["item"]
    )
    assert ColumnFacts.of(year) == ColumnFacts("year", "float32", None, ("item",))


def test_plain_facts_leave_out_what_is_nested_or_unknown():
    metadata = {"dataset": "ml", "time_range": {"train": [1, 2]}, "seed": 3, "best_auc": None, "columns": ["a"]}
    assert plain_facts(metadata) == {"dataset": "ml", "seed": "3"}
