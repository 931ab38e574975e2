"""Synthetic rating logs in the shape of MovieLens, with a known best AUC."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.blocks.datasets.log_schema import LOG_SCHEMA
from emrys.blocks.datasets.movielens import GENRES, OCCUPATIONS
from emrys.blocks.errors import ConfigError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_AGES = np.array([1, 18, 25, 35, 45, 50, 56])
_AGE_SHARES = np.array([0.04, 0.18, 0.35, 0.20, 0.09, 0.08, 0.06])
_START, _END = 946684800, 1041379200  # 2000-01-01 and 2003-01-01 in UTC
_MEAN, _SPREAD = 0.2, 1.8  # of the utility over the rows
_CHOICE = 1.5  # weight of the standardized utility in the choice of movies
#: The rating is 1 plus the number of these below the noisy utility; the last but one is that of rating > 3.
_THRESHOLDS = np.array([-2.6, -1.4, 0.0, 1.7])
_FIRST = (
    "Quiet", "Broken", "Golden", "Last", "Hidden", "Burning", "Distant", "Silver", "Lost", "Crimson", "Endless",
    "Paper", "Winter", "Electric", "Hollow", "Wild", "Second", "Painted", "Northern", "Midnight", "Borrowed", "Iron",
    "Gentle", "Stolen", "Velvet", "Foreign", "Bitter", "Sleeping", "Narrow", "Open", "Salted", "Perfect",
)  # fmt: skip
_SECOND = (
    "River", "House", "Summer", "Letters", "Garden", "Harbour", "Promise", "Road", "Machine", "Kingdom", "Shadow",
    "Orchard", "Station", "Witness", "Horizon", "Brothers", "Island", "Mirror", "Parade", "Country", "Lantern",
    "Stranger", "Bridge", "Game", "Voyage", "Colony", "Waltz", "Daughter", "Frontier", "Circus", "Tide", "Theorem",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class MovieLensLike:
    """A synthetic log and its true probabilities.

    Attributes:
        table: One row per rating in the order of time, with the columns of `LOG_SCHEMA`.
        probability: The true P(rating > 3) of every row, float64, shape (rows,). They are the best
            possible ranking of the rows on average.
    """

    table: pa.Table
    probability: Floats


def movielens_like(
    rows: int = 60_000, *, users: int | None = None, movies: int | None = None, seed: int = 0
) -> MovieLensLike:
    """Samples a rating log from a latent-factor model.

    User u rates movie i with the utility

        z = a_u + b_i + <w(gender_u, age_u, occupation_u), genres_i> + s(age_u) * year_i + <p_u, q_i>

    where a, b, p, q are latent factors of the user and the movie and w, s are effects of their features, so that both
    the ids and the features are informative. Logistic noise is added and the sum is discretized to ratings 1 to 5, so
    P(rating > 3) = 1 / (1 + exp(-z)) is known; z is scaled so that the best AUC is about 0.84. A few movies have most
    of the ratings, and a few users too. Users are more likely to watch, and so to rate, movies with a higher z: earlier
    ratings predict the next movie. Users arrive over three years and stay, so that late rows are of known and new
    users. No user rates a movie twice. A few feature values are missing.

    Args:
        rows: Number of ratings.
        users: Number of users; by default 2,000 for 60,000 rows, growing with the square root of the rows.
        movies: Number of movies; by default half the users.
        seed: Seed; the log is reproducible.

    Returns:
        The table and the true probability of every row.

    Raises:
        ConfigError: if a number is below 1, or there are more rows than a quarter of all pairs of user and movie.
    """
    users = math.ceil(2000 * math.sqrt(max(rows, 1) / 60_000)) + 1 if users is None else users
    movies = users // 2 + 1 if movies is None else movies
    for name, value in (("rows", rows), ("users", users), ("movies", movies)):
        if value < 1:
            raise ConfigError("the number is too small", column=name, expected="at least 1", got=str(value))
    if seed < 0:
        raise ConfigError("the seed is negative", column="seed", expected="at least 0", got=str(seed))
    if 4 * rows > users * movies:
        raise ConfigError(
            "too many ratings for the users and movies",
            column="rows",
            expected=f"at most {users * movies // 4} for {users} users and {movies} movies",
            got=str(rows),
        )
    random = np.random.Generator(np.random.PCG64(seed))
    people = _People.draw(random, users)
    films = _Films.draw(random, movies)
    user, movie = _draw_pairs(random, 2 * rows, users, movies)
    utility = _utility(random, people, films, user, movie)
    # The largest values of weight + Gumbel noise are samples without replacement by exp(weight).
    watched = np.argsort(-(_CHOICE * utility + random.gumbel(size=len(utility))), kind="stable")[:rows]
    user, movie, utility = user[watched], movie[watched], _scale(utility[watched])
    arrival = 0.92 * random.beta(1.0, 1.5, users)
    time = arrival[user] + (1.0 - arrival[user]) * random.beta(0.9, 1.3, rows)
    order = np.argsort(time, kind="stable")
    user, movie, time, utility = user[order], movie[order], time[order], utility[order]
    noisy = utility + random.logistic(size=rows)
    columns = {
        "userId": user + 1,
        "movieId": movie + 1,
        "timestamp": _START + np.floor(time * (_END - _START)).astype(np.int64),
        "rating": (1 + np.searchsorted(_THRESHOLDS, noisy)).astype(np.float32),
    }
    features = {
        **{name: column.take(pa.array(movie)) for name, column in films.columns(random).items()},
        **{name: column.take(pa.array(user)) for name, column in people.columns(random).items()},
    }
    table = pa.table({**columns, **features}).select(LOG_SCHEMA.names).cast(LOG_SCHEMA)
    return MovieLensLike(table, 1.0 / (1.0 + np.exp(-utility)))


@dataclasses.dataclass(frozen=True)
class _People:
    gender: Ints  # 0 F, 1 M
    age: Ints  # index into _AGES
    occupation: Ints
    zipcode: Ints

    @classmethod
    def draw(cls, random: np.random.Generator, users: int) -> _People:
        return cls(
            gender=(random.random(users) < 0.68).astype(np.int64),
            age=random.choice(len(_AGES), users, p=_AGE_SHARES),
            occupation=random.choice(len(OCCUPATIONS), users, p=_zipf(len(OCCUPATIONS), 0.7)),
            zipcode=random.choice(400, users, p=_zipf(400, 0.6)) * 233 + 1001,
        )

    def columns(self, random: np.random.Generator) -> dict[str, pa.Array]:
        zipcode = np.char.zfill(self.zipcode.astype(str), 5)
        return {
            "gender": _array(np.array(["F", "M"])[self.gender], random, 0.01),
            "age": _array(_AGES[self.age], random, 0.01),
            "occupation": _array(np.array(OCCUPATIONS)[self.occupation], random, 0.01),
            "zipcode": _array(zipcode, random, 0.03),
        }


@dataclasses.dataclass(frozen=True)
class _Films:
    genres: npt.NDArray[np.bool_]  # (movies, genres), one to four each
    year: Ints

    @classmethod
    def draw(cls, random: np.random.Generator, movies: int) -> _Films:
        share = np.log(_zipf(len(GENRES), 0.8)[random.permutation(len(GENRES))])
        # The n largest values of log share + Gumbel noise are n samples without replacement.
        rank = np.argsort(np.argsort(-(share + random.gumbel(size=(movies, len(GENRES)))), axis=1), axis=1)
        count = random.choice([1, 2, 3, 4], movies, p=[0.4, 0.35, 0.18, 0.07])
        year = 2000 - np.floor(random.exponential(9.0, movies)).astype(np.int64)
        return cls(genres=rank < count[:, None], year=np.maximum(year, 1920))

    def columns(self, random: np.random.Generator) -> dict[str, pa.Array]:
        movies = len(self.year)
        names = np.array([f"{first} {second}" for first in _FIRST for second in _SECOND])
        number = random.permutation(movies)
        title = names[(number * 397) % len(names)]  # 397 and 1,024 are coprime: no name repeats before all are used
        part = np.where(number < len(names), "", np.char.mod(" %d", number // len(names) + 1))
        no_year = random.random(movies) < 0.02
        shown = np.where(no_year, "", np.char.mod(" (%d)", self.year))
        genres = np.where(random.random(movies)[:, None] < 0.01, False, self.genres)
        offsets = np.concatenate([[0], np.cumsum(genres.sum(axis=1))])
        return {
            "title": _array(np.char.add(np.char.add(title, part), shown), random, 0.005),
            "genres": pa.ListArray.from_arrays(
                pa.array(offsets, pa.int32()), pa.array(GENRES).take(pa.array(np.nonzero(genres)[1]))
            ),
            "release_year": pa.array(self.year.astype(np.float32), mask=no_year),
        }


def _utility(random: np.random.Generator, people: _People, films: _Films, user: Ints, movie: Ints) -> Floats:
    users, movies, genres = len(people.gender), len(films.year), len(GENRES)
    taste = (
        random.normal(0, 0.5, genres)
        + random.normal(0, 0.6, (2, genres))[people.gender]
        + random.normal(0, 0.7, (len(_AGES), genres))[people.age]
        + random.normal(0, 0.5, (len(OCCUPATIONS), genres))[people.occupation]
        + random.normal(0, 0.3, (users, genres))
    )
    share = films.genres / np.sqrt(films.genres.sum(axis=1, keepdims=True))
    newness = (films.year - 1991) / 9.0
    novelty_preference = np.linspace(0.45, -0.55, len(_AGES))[people.age]
    p, q = random.normal(0, 0.5, (users, 4)), random.normal(0, 0.5, (movies, 4))
    a = random.normal(0, 0.5, users) + random.normal(0, 0.3, len(OCCUPATIONS))[people.occupation]
    b = random.normal(0, 0.55, movies)
    latent = np.einsum("rf,rf->r", p[user], q[movie])
    known = np.einsum("rg,rg->r", taste[user], share[movie]) + novelty_preference[user] * newness[movie]
    z: Floats = a[user] + b[movie] + known + latent
    return (z - z.mean()) / (z.std() + 1e-12)


def _scale(z: Floats) -> Floats:
    """Scales the utility of the rows, so that the best AUC hardly depends on the seed."""
    return _MEAN + _SPREAD * (z - z.mean()) / (z.std() + 1e-12)


def _draw_pairs(random: np.random.Generator, rows: int, users: int, movies: int) -> tuple[Ints, Ints]:
    """Unique pairs of user and movie, in random order."""
    activity = random.lognormal(0.0, 0.8, users)
    popularity = _zipf(movies, 0.9, shift=8.0)[random.permutation(movies)]
    pairs: Ints = np.empty(0, np.int64)
    while len(pairs) < rows:
        wanted = 2 * (rows - len(pairs)) + 16
        user = random.choice(users, wanted, p=activity / activity.sum())
        pairs = np.unique(np.concatenate([pairs, user * movies + random.choice(movies, wanted, p=popularity)]))
    pairs = random.permutation(pairs)[:rows]
    return pairs // movies, pairs % movies


def _zipf(count: int, power: float, shift: float = 1.0) -> Floats:
    weight = (np.arange(count) + shift) ** -power
    return weight / weight.sum()


def _array(values: npt.NDArray[np.generic], random: np.random.Generator, missing: float) -> pa.Array:
    return pa.array(values, mask=random.random(len(values)) < missing)
