"""The items to leave out: building, saving, looking up."""

from __future__ import annotations

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import ArtifactError, ConfigError, DataError
from emrys.blocks.retrieval.seen_items import SeenItems, as_seen_items

LOG = pd.DataFrame({"user_id": [3, 1, 3, 3, 1, 8], "item_id": [30, 11, 10, 30, 12, 5]})


def as_lists(found):
    values, offsets = found
    return [values[start:stop].tolist() for start, stop in itertools.pairwise(offsets)]


@pytest.mark.parametrize("kind", ["frame", "table", "file"])
def test_from_a_log(kind, tmp_path):
    log = LOG if kind == "frame" else pa.Table.from_pandas(LOG)
    if kind == "file":
        pq.write_table(log, tmp_path / "log.parquet")
        log = tmp_path / "log.parquet"
    seen = SeenItems.from_interactions(log)
    assert len(seen) == 3
    # Each item once, in ascending order; user 2 is not known.
    assert as_lists(seen.lookup([3, 2, 1, 3])) == [[10, 30], [], [11, 12], [10, 30]]


def test_a_log_with_gaps_and_without_rows():
    log = pa.table({"user": pa.array([1, None, 2]), "item": pa.array([7, 8, None])})
    assert as_lists(SeenItems.from_interactions(log, "user", "item").lookup([1, 2])) == [[7], []]
    empty = SeenItems.from_interactions(LOG[:0])
    assert as_lists(empty.lookup([1, 2])) == [[], []]


def test_an_empty_list_is_a_list():
    seen = SeenItems(pa.table({"user_id": [4, 5], "item_id": pa.array([[], [9]], pa.list_(pa.int32()))}))
    assert as_lists(seen.lookup(np.array([[4], [5]]))) == [[], [9]]
    assert as_lists(seen.lookup([])) == []


def test_queries_that_are_texts():
    seen = SeenItems(pa.table({"session": ["a", "ü"], "item_id": [[1], [2, 3]]}))
    assert as_lists(seen.lookup(np.array(["ü", "b"]))) == [[2, 3], []]
    # What a tensor of strings holds.
    assert as_lists(seen.lookup(np.array(["ü".encode(), b"a"], object))) == [[2, 3], [1]]


def test_comes_back_from_its_file(tmp_path):
    seen = SeenItems.from_interactions(LOG)
    seen.save(tmp_path / "seen.parquet")
    again = SeenItems.load(tmp_path / "seen.parquet")
    assert (again.query_column, again.item_column) == ("user_id", "item_id")
    assert again.table.to_pydict() == {"user_id": [1, 3, 8], "item_id": [[11, 12], [10, 30], [5]]}
    assert as_lists(as_seen_items(tmp_path / "seen.parquet").lookup([8])) == [[5]]
    assert as_seen_items(seen.table).table == seen.table


def test_agrees_with_a_dictionary_on_many_queries():
    draw = np.random.default_rng(0)
    log = pd.DataFrame({"user_id": draw.integers(0, 5000, 20_000) * 10**12, "item_id": draw.integers(0, 300, 20_000)})
    seen = SeenItems.from_interactions(log)
    expected = log.groupby("user_id")["item_id"].apply(lambda items: sorted(set(items))).to_dict()
    asked = draw.integers(0, 6000, 3000) * 10**12
    assert as_lists(seen.lookup(asked)) == [expected.get(user, []) for user in asked.tolist()]


@pytest.mark.slow
def test_several_threads():
    table = pa.table({"user_id": range(200_000), "item_id": pa.array([[item] for item in range(200_000)])})
    asked = np.arange(199_990, 200_010)
    for _ in range(5):
        seen = SeenItems(table)
        with ThreadPoolExecutor(8) as threads:
            for found in threads.map(lambda _: seen.lookup(asked)[0].tolist(), range(16)):  # noqa: B023
                assert found == list(range(199_990, 200_000))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"user_id": [1]}), r"two columns.*got 1 columns"),
        (pa.table({"u": [1.5], "i": [[1]]}), r"column 'u': .*expected integers or strings, got double"),
        (pa.table({"u": [1], "i": [1]}), r"column 'i': .*expected lists of integers, got int64"),
        (pa.table({"u": [1], "i": [["a"]]}), r"column 'i': .*expected lists of integers, got list<\w+: string>"),
        (pa.table({"u": [1, None], "i": [[1], [2]]}), r"column 'u': .*nulls.*got 1 nulls"),
        (pa.table({"u": [1, 2], "i": [[1], None]}), r"column 'i': .*nulls.*got 1 nulls"),
        (pa.table({"u": [1, 2], "i": [[1], [None]]}), r"column 'i': .*nulls.*got 1 nulls"),
        (pa.table({"u": [6, 2, 6], "i": [[1], [2], [3]]}), r"column 'u': .*more than once.*got 6"),
    ],
)
def test_a_table_that_does_not_fit(table, message, tmp_path):
    with pytest.raises(DataError, match=message):
        SeenItems(table)
    pq.write_table(table, tmp_path / "seen.parquet")
    with pytest.raises(ArtifactError, match=rf"seen.parquet: the file is no seen-items artifact \(.*{message}"):
        SeenItems.load(tmp_path / "seen.parquet")


def test_files_that_are_no_seen_items(tmp_path):
    with pytest.raises(ArtifactError, match=r"none.parquet: the file is missing"):
        SeenItems.load(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(ArtifactError, match=r"text.parquet: .*cannot be read"):
        SeenItems.load(tmp_path / "text.parquet")
    other = pa.table({"u": [1], "i": [[1]]}).replace_schema_metadata({"emrys": "seen-items", "emrys-version": "9"})
    pq.write_table(other, tmp_path / "later.parquet")
    with pytest.raises(ArtifactError, match=r"later.parquet: the file is no seen-items artifact; expected .*b'9'"):
        SeenItems.load(tmp_path / "later.parquet")


def test_bad_arguments():
    with pytest.raises(DataError, match=r"column 'movie': the log misses a column; got user_id, item_id"):
        SeenItems.from_interactions(LOG, item_column="movie")
    with pytest.raises(DataError, match=r"column 'item_id': item ids must be integers; .*got double"):
        SeenItems.from_interactions(LOG.astype({"item_id": float}))
    with pytest.raises(DataError, match=r"column 'user_id': query ids.*expected integers"):
        SeenItems.from_interactions(LOG).lookup(["a"])
    with pytest.raises(ConfigError, match=r"seen_items; expected SeenItems, a table or the path of a file, got list"):
        as_seen_items([1])


@pytest.mark.slow
def test_needs_no_tensorflow():
    program = (
        "import sys, emrys.blocks.retrieval.seen_items; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
