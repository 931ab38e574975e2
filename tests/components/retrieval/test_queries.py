import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import DataError
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import InteractionLog, Queries


def log(*rows):
    users, items, liked = zip(*rows, strict=True)
    return InteractionLog(np.array(users), np.array(items), np.array(liked, bool))


@pytest.fixture
def catalogue(tmp_path):
    # 50 is too rare for an id of its own: it is 2, as all that is unseen.
    # 60 is liked by nobody.
    table = pa.table(
        {
            "movieId": [4, 3, 2, 4, 5, 6],
            "genres": [[6], [7, 8], [1], [9], [], [7]],
            "liked": [0, 1, 1, 1, 1, 0],
        }
    )
    pq.write_table(table, tmp_path / "train.parquet")
    return Catalogue.of(tmp_path / "train.parquet", "movieId", "liked", ["genres"], np.array([20, 10, 50, 20, 30, 60]))


def test_the_catalogue_has_each_item_once_with_what_its_first_row_says(catalogue):
    assert catalogue.keys.tolist() == [10, 20, 30]
    assert catalogue.features.to_pydict() == {"movieId": [3, 4, 5], "genres": [[7, 8], [6], []]}
    assert catalogue.rows.tolist() == [1, 0, 4]
    assert catalogue.positions([30, 10, 50, 99, 60]).tolist() == [2, 0, -1, -1, -1]


def test_a_catalogue_without_items(tmp_path):
    pq.write_table(pa.table({"movieId": [1, 2, 3], "liked": [1, 1, 0]}), tmp_path / "train.parquet")
    with pytest.raises(
        DataError, match=r"column 'movieId': there is no item to recommend; expected an item with a positive label"
    ):
        Catalogue.of(tmp_path / "train.parquet", "movieId", "liked", [])


def test_queries_are_the_users_who_like_something_new(catalogue):
    train = log((1, 10, 1), (1, 30, 0), (2, 20, 1), (2, 10, 1), (3, 10, 1))
    test = log((2, 30, 0), (1, 20, 1), (9, 10, 1), (9, 50, 1), (2, 30, 1), (3, 10, 1), (4, 20, 0), (1, 10, 1))
    queries = Queries.of(train, test, catalogue)
    # 3 likes what it has had, 4 likes nothing. 1 has had 10 too.
    assert queries.users.tolist() == [1, 2, 9]
    assert queries.rows.tolist() == [1, 0, 2]  # the first of each in test
    assert [queries.relevant.slice(i, i + 1).values.tolist() for i in range(3)] == [[1], [2], [0]]
    assert queries.relevant_counts.tolist() == [1, 1, 2]  # 50 cannot be recommended, and counts
    assert [queries.seen.slice(i, i + 1).values.tolist() for i in range(3)] == [[0, 2], [1, 0], []]
    assert [queries.positives.slice(i, i + 1).values.tolist() for i in range(3)] == [[0], [1, 0], []]


SHOP = Catalogue(np.array(["hat", "mug", "pen"], object), pa.table({"sku": [3, 4, 5]}), np.arange(3))


def visits(*rows):
    """Rows of a user or session, and an item, each a positive."""
    users, items = zip(*rows, strict=True)
    return InteractionLog(np.array(users, object), np.array(items, object), np.ones(len(rows), bool))


def lists(ragged):
    return [ragged.slice(i, i + 1).values.tolist() for i in range(len(ragged))]


def test_ids_may_be_text():
    train, test = visits(("bo", "pen"), ("al", "hat")), visits(("bo", "pen"), ("al", "mug"), ("cy", "cap"))
    queries = Queries.of(train, test, SHOP)
    assert queries.users.tolist() == ["al", "cy"]  # bo has had the pen
    assert queries.rows.tolist() == [1, 2]
    assert lists(queries.relevant) == [[1], []]
    assert queries.relevant_counts.tolist() == [1, 1]  # the catalogue lacks the cap, which counts
    assert queries.known.tolist() == [True, False]


def test_seen_items_are_answers_where_people_come_back():
    train, test = visits(("bo", "pen"), ("bo", "hat")), visits(("bo", "pen"), ("bo", "pen"), ("al", "mug"))
    queries = Queries.of(train, test, SHOP, exclude_seen=False)
    assert queries.users.tolist() == ["al", "bo"]
    assert lists(queries.relevant) == [[1], [2]]  # the pen once
    assert lists(queries.seen) == [[], []]
    assert lists(queries.positives) == [[], [2, 0]]
    assert queries.known.tolist() == [False, True]


def test_the_answer_of_a_session_is_its_last_positive_item():
    before = visits(("s1", "hat"), ("s9", "pen"))
    users = ["s1", "s2", "s3", "s2", "s1", "s2", "s1", "s4"]
    items = ["mug", "pen", "hat", "hat", "pen", "mug", "hat", "pen"]
    positive = [1, 1, 1, 1, 1, 0, 1, 0]
    test = InteractionLog(np.array(users, object), np.array(items, object), np.array(positive, bool))
    queries = Queries.of_sessions([before], test, SHOP, exclude_seen=False)
    # s3 has one row alone, s4 no positive one. The last row of s2 is no positive: its answer is the hat before.
    assert queries.users.tolist() == ["s1", "s2"]
    assert queries.rows.tolist() == [6, 3]
    assert lists(queries.relevant) == [[0], [0]]
    assert lists(queries.positives) == [[0, 1, 2], [2]]
    # Without what the session has seen, the hat is no answer of s1, which began with it.
    fresh = Queries.of_sessions([before], test, SHOP)
    assert fresh.users.tolist() == ["s2"]
    assert fresh.rows.tolist() == [3]
    assert lists(fresh.seen) == [[2]]


def test_a_catalogue_without_labels_and_one_of_a_table(tmp_path):
    pq.write_table(pa.table({"sku": [4, 3, 2, 4], "price": [1.0, 2.0, 3.0, 4.0]}), tmp_path / "train.parquet")
    keys = np.array(["mug", "hat", "rare", "mug"], object)
    of_train = Catalogue.of(tmp_path / "train.parquet", "sku", None, ["price"], keys)
    assert of_train.keys.tolist() == ["hat", "mug"]
    # The table has an item that nobody has bought.
    pq.write_table(pa.table({"sku": [5, 3, 2, 4], "price": [9.0, 2.0, 3.0, 1.0]}), tmp_path / "items.parquet")
    table = Catalogue.of_table(
        tmp_path / "items.parquet", "sku", ["price"], np.array(["new", "hat", "x", "mug"], object)
    )
    assert table.keys.tolist() == ["hat", "mug", "new"]
    assert table.features.to_pydict() == {"sku": [3, 4, 5], "price": [2.0, 1.0, 9.0]}
    assert table.positions(["new", "x"]).tolist() == [2, -1]
    pq.write_table(pa.table({"sku": [2, 1]}), tmp_path / "items.parquet")
    with pytest.raises(DataError, match=r"column 'sku': there is no item to recommend; .* Lower `min_count`"):
        Catalogue.of_table(tmp_path / "items.parquet", "sku", [], np.array(["a", "b"], object))
