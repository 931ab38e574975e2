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
