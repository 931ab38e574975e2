import numpy as np
import pyarrow as pa

from emrys.components.evaluate_retrieval.baselines import popularity, recommend_by_last_item, recommend_popular
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import Queries
from tests.components.evaluate_retrieval.retrieval_runs import log

#: Items 10, 11, 12, 13 stand at places 0 to 3.
CATALOGUE = Catalogue(np.array([10, 11, 12, 13]), pa.table({"movieId": [3, 4, 5, 6]}), np.arange(4))
TRAIN = log(
    (1, 10, 1), (1, 11, 1), (1, 12, 0),
    (2, 10, 1), (2, 11, 1), (2, 13, 1),
    (3, 12, 1), (3, 13, 1),
    (4, 13, 1),
    (5, 11, 1), (5, 10, 1),
)  # fmt: skip
#: 4 has liked 13 alone, 5 last 10; 9 is new.
TEST = log((4, 12, 1), (5, 13, 1), (9, 10, 1))
QUERIES = Queries.of(TRAIN, TEST, CATALOGUE)


def test_popularity_counts_who_likes_an_item():
    assert popularity(TRAIN, CATALOGUE).tolist() == [3, 3, 1, 3]  # 12 is disliked by one user


def test_popular_items_without_those_that_were_had():
    # 10, 11 and 13 are liked by three, so that the first places come first.
    assert recommend_popular(TRAIN, QUERIES, CATALOGUE, 3).tolist() == [[0, 1, 2], [3, 2, -1], [0, 1, 3]]


def test_items_that_go_with_the_last_one():
    # With 13: 10 and 11 by user 2, 12 by user 3; 10 and 11 are more popular. With 10: 11 three times, 13 once.
    # A new user gets the popular ones.
    assert recommend_by_last_item(TRAIN, QUERIES, CATALOGUE, 3).tolist() == [[0, 1, 2], [3, 2, -1], [0, 1, 3]]


def test_the_last_item_is_the_latest_positive():
    train = log(*zip(TRAIN.users, TRAIN.items, TRAIN.positive, strict=True), (6, 10, 1), (6, 12, 1), (6, 11, 0))
    queries = Queries.of(train, log((6, 13, 1)), CATALOGUE)
    # 6 liked 12 last, which 3 liked with 13 and 6 with 10; 10 has been had and 11 too, though it was not liked.
    assert recommend_by_last_item(train, queries, CATALOGUE, 3).tolist() == [[3, -1, -1]]


def test_a_repeated_positive_counts_once():
    train = log((1, 10, 1), (1, 10, 1), (2, 11, 1), (3, 11, 1))
    assert popularity(train, CATALOGUE).tolist() == [1, 2, 0, 0]


def test_repeated_items_are_recommended_where_they_are_answers():
    queries = Queries.of(TRAIN, TEST, CATALOGUE, exclude_seen=False)
    assert recommend_popular(TRAIN, queries, CATALOGUE, 3).tolist() == [[0, 1, 3]] * 3
    # 13 goes most often with itself (by 2, 3 and 4), then with the more popular of 10 and 11, by 2.
    assert recommend_by_last_item(TRAIN, queries, CATALOGUE, 3).tolist() == [[3, 0, 1], [0, 1, 3], [0, 1, 3]]
