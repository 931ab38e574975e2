import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from emrys.blocks.datasets import LOG_SCHEMA, movielens_like
from emrys.blocks.errors import ConfigError


@pytest.fixture(scope="module")
def drawn():
    return movielens_like(seed=3)


def column(log, name):
    return log.table[name].to_numpy()


def test_the_default_size(drawn):
    assert drawn.table.schema == LOG_SCHEMA
    assert drawn.table.num_rows == 60_000
    assert abs(len(np.unique(column(drawn, "userId"))) - 2000) < 20
    assert abs(len(np.unique(column(drawn, "movieId"))) - 1000) < 20


def test_the_seed_decides_everything():
    first, again, other = movielens_like(2000, seed=1), movielens_like(2000, seed=1), movielens_like(2000, seed=2)
    assert first.table.equals(again.table)
    assert np.array_equal(first.probability, again.probability)
    assert not first.table.equals(other.table)


def test_good_ratings_come_as_often_as_the_probability_says(drawn):
    good = column(drawn, "rating") > 3
    assert set(column(drawn, "rating")) == {1, 2, 3, 4, 5}
    for low in np.arange(0.0, 1.0, 0.1):
        bin = (drawn.probability >= low) & (drawn.probability < low + 0.1)
        # A bin of n rows: the standard deviation of the share is at most 0.5 / sqrt(n); four of them.
        assert bin.sum() > 1000
        assert abs(good[bin].mean() - drawn.probability[bin].mean()) < 2 / np.sqrt(bin.sum())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_best_auc_is_far_above_what_means_reach(seed):
    log = movielens_like(seed=seed)
    good = (column(log, "rating") > 3).astype(float)
    train, test = np.arange(48_000), np.arange(54_000, 60_000)
    scores = np.zeros(len(test))
    for name in ("userId", "movieId"):
        ids = column(log, name)
        count = np.bincount(ids[train], minlength=ids.max() + 1)
        total = np.bincount(ids[train], good[train], minlength=ids.max() + 1)
        scores += ((total + 10 * good[train].mean()) / (count + 10))[ids[test]]
    best, means = roc_auc_score(good[test], log.probability[test]), roc_auc_score(good[test], scores)
    assert 0.80 < best < 0.87
    assert means < best - 0.08


def test_features_tell_of_the_rating(drawn):
    """Ratings differ between men and women who rate one genre, beyond the noise of such means."""
    good, gender = column(drawn, "rating") > 3, column(drawn, "gender")
    genres = drawn.table["genres"].to_pylist()
    deviations = []
    for genre in ("Drama", "Comedy", "Action", "Thriller", "Horror", "War"):
        of_genre = np.array([genre in listed for listed in genres])
        women, men = good[of_genre & (gender == "F")], good[of_genre & (gender == "M")]
        deviations.append(abs(women.mean() - men.mean()) / np.sqrt(0.25 / len(women) + 0.25 / len(men)))
    assert max(deviations) > 6


def test_histories_predict_the_next_item(drawn):
    """One half of a user's movies has more of the genres of the other half, beyond what all users watch."""
    user, genres = column(drawn, "userId"), drawn.table["genres"].to_pylist()
    half = np.random.default_rng(0).integers(2, size=len(user))
    rows = np.stack([np.bincount(user[half == part], minlength=user.max() + 1) for part in (0, 1)])
    active = rows.min(axis=0) >= 10
    correlations = []
    for genre in sorted({genre for listed in genres for genre in listed}):
        of_genre = np.array([genre in listed for listed in genres], float)
        first, second = (
            np.bincount(user[half == part], of_genre[half == part], minlength=user.max() + 1)[active]
            / rows[part][active]
            for part in (0, 1)
        )
        correlations.append(np.corrcoef(first, second)[0, 1])
    # The standard deviation of the mean of 18 correlations over 1,000 users is about 1 / sqrt(18 * 1,000); five of it.
    assert np.mean(correlations) > 0.04


def test_rows_are_in_time_order_and_late_ones_are_of_old_and_new_users(drawn):
    time, user = column(drawn, "timestamp"), column(drawn, "userId")
    assert (np.diff(time) >= 0).all()
    assert 946_684_800 <= time[0] < time[-1] < 1_041_379_200  # 2000-01-01 and 2003-01-01
    known = np.isin(user[54_000:], user[:48_000])
    assert 0.6 < known.mean() < 0.95


def test_no_user_rates_a_movie_twice(drawn):
    pairs = column(drawn, "userId") * 10_000 + column(drawn, "movieId")
    assert len(np.unique(pairs)) == 60_000


def test_few_movies_get_most_ratings(drawn):
    counts = np.sort(np.bincount(column(drawn, "movieId")))[::-1]
    assert counts[:100].sum() > 0.3 * 60_000
    assert counts[-500:].sum() < 0.3 * 60_000


def test_some_features_are_missing(drawn):
    share = {name: drawn.table[name].null_count / 60_000 for name in LOG_SCHEMA.names}
    assert [share[name] for name in ("userId", "movieId", "timestamp", "rating")] == [0, 0, 0, 0]
    assert all(0 < share[name] < 0.1 for name in ("title", "release_year", "gender", "age", "occupation", "zipcode"))
    lengths = {len(genres) for genres in drawn.table["genres"].to_pylist()}
    assert lengths == {0, 1, 2, 3, 4}


def test_features_of_a_user_or_movie_are_equal_in_all_its_rows(drawn):
    frame = drawn.table.to_pandas()
    frame["genres"] = frame["genres"].map(tuple)
    assert (frame.groupby("userId")[["gender", "age", "occupation", "zipcode"]].nunique(dropna=False) == 1).all(None)
    assert (frame.groupby("movieId")[["title", "genres", "release_year"]].nunique(dropna=False) == 1).all(None)


def test_any_number_of_rows():
    for rows in (1, 10, 1000):
        assert movielens_like(rows).table.num_rows == rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0}, "column 'rows': the number is too small; expected at least 1, got 0"),
        ({"users": 0}, "column 'users': the number is too small; expected at least 1, got 0"),
        ({"movies": -1}, "column 'movies': the number is too small; expected at least 1, got -1"),
        ({"seed": -1}, "column 'seed': the seed is negative; expected at least 0, got -1"),
        (
            {"rows": 1000, "users": 30, "movies": 100},
            "column 'rows': too many ratings for the users and movies; expected at most 750 for 30 users and 100 "
            "movies, got 1000",
        ),
    ],
)
def test_numbers_that_cannot_be(arguments, message):
    with pytest.raises(ConfigError) as error:
        movielens_like(**arguments)
    assert str(error.value) == message
