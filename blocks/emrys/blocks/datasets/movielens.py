"""MovieLens 100K and 1M: readers of the published files, joined into one rating log."""

from __future__ import annotations

import abc
import os
from pathlib import PurePosixPath
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.datasets.delimited import read_delimited
from emrys.blocks.datasets.file_source import FileSource
from emrys.blocks.datasets.log_schema import LOG_SCHEMA
from emrys.blocks.errors import DataError


class MovieLensLayout(abc.ABC):
    """Base of the readers of the three files of a release.

    A subclass lists the files and reads each of them into its columns of `LOG_SCHEMA`.
    """

    #: File names of the ratings, the movies and the users.
    files: ClassVar[tuple[str, str, str]]

    @abc.abstractmethod
    def read_ratings(self, source: FileSource, name: str) -> pa.Table:
        """Columns userId, movieId, rating, timestamp; one row per rating."""

    @abc.abstractmethod
    def read_movies(self, source: FileSource, name: str) -> pa.Table:
        """Columns movieId, title, release_year, genres; one row per movie."""

    @abc.abstractmethod
    def read_users(self, source: FileSource, name: str) -> pa.Table:
        """Columns userId, gender, age, occupation, zipcode; one row per user."""


#: Genres in the order of the flags of `u.item`, after the flag `unknown`.
GENRES = (
    "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip


class MovieLens100K(MovieLensLayout):
    """`u.data` (tabs), `u.item` and `u.user` (bars); one flag per genre; the release year is in the date."""

    files = ("u.data", "u.item", "u.user")

    def read_ratings(self, source: FileSource, name: str) -> pa.Table:
        """Columns userId, movieId, rating, timestamp; one row per rating."""
        columns = {"userId": pa.int64(), "movieId": pa.int64(), "rating": pa.float32(), "timestamp": pa.int64()}
        return read_delimited(source, name, separator="\t", columns=columns, required=columns)

    def read_movies(self, source: FileSource, name: str) -> pa.Table:
        """Columns movieId, title, release_year, genres; one row per movie.

        The flag `unknown` means that the genre is not known; it is not in the list.
        """
        text = ("title", "release date", "video release date", "url")
        flags = ("unknown", *GENRES)
        columns = {"movieId": pa.int64(), **dict.fromkeys(text, pa.string()), **dict.fromkeys(flags, pa.int64())}
        table = read_delimited(source, name, separator="|", columns=columns, required=("movieId", *flags))
        for flag in flags:
            wrong = table.filter(pc.invert(pc.is_in(table[flag], pa.array([0, 1]))))
            if wrong.num_rows:
                raise DataError(
                    f"wrong genre flag of movie {wrong['movieId'][0]}",
                    path=source.where(name),
                    column=flag,
                    expected="0 or 1",
                    got=f"{wrong[flag][0]}",
                )
        date = pc.extract_regex(table["release date"], r"(?P<year>\d{4})$")
        return pa.table(
            {
                "movieId": table["movieId"],
                "title": table["title"],
                "release_year": pc.struct_field(date, "year").cast(pa.float32()),
                "genres": _genre_lists(np.stack([table[genre].to_numpy() for genre in GENRES], axis=1)),
            }
        )

    def read_users(self, source: FileSource, name: str) -> pa.Table:
        """Columns userId, gender, age, occupation, zipcode; one row per user."""
        text = ("gender", "occupation", "zipcode")
        columns = {"userId": pa.int64(), "age": pa.int64(), **dict.fromkeys(text, pa.string())}
        return read_delimited(source, name, separator="|", columns=columns, required=("userId",))


def _genre_lists(flags: npt.NDArray[np.int64]) -> pa.ListArray:
    """Flags (movies, genres) of 0 and 1 as lists of genre names."""
    offsets = np.concatenate([[0], np.cumsum(flags.sum(axis=1))])
    names = pa.array(GENRES).take(pa.array(np.nonzero(flags)[1]))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), names)


#: Occupations by their code in `users.dat`.
OCCUPATIONS = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer",
    "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman",
    "unemployed", "writer",
)  # fmt: skip


class MovieLens1M(MovieLensLayout):
    """`ratings.dat`, `movies.dat` and `users.dat`, separated by `::`; the release year is in the title."""

    files = ("ratings.dat", "movies.dat", "users.dat")

    def read_ratings(self, source: FileSource, name: str) -> pa.Table:
        """Columns userId, movieId, rating, timestamp; one row per rating."""
        columns = {"userId": pa.int64(), "movieId": pa.int64(), "rating": pa.float32(), "timestamp": pa.int64()}
        return read_delimited(source, name, separator="::", columns=columns, required=columns)

    def read_movies(self, source: FileSource, name: str) -> pa.Table:
        """Columns movieId, title, release_year, genres; one row per movie."""
        columns = {"movieId": pa.int64(), "title": pa.string(), "genres": pa.string()}
        table = read_delimited(source, name, separator="::", columns=columns, required=("movieId",))
        year = pc.extract_regex(table["title"], r"\((?P<year>\d{4})\)\s*$")
        none = pa.scalar([], pa.list_(pa.string()))
        return pa.table(
            {
                "movieId": table["movieId"],
                "title": table["title"],
                "release_year": pc.struct_field(year, "year").cast(pa.float32()),
                "genres": pc.coalesce(pc.split_pattern(table["genres"], "|"), none),
            }
        )

    def read_users(self, source: FileSource, name: str) -> pa.Table:
        """Columns userId, gender, age, occupation, zipcode; one row per user."""
        columns = {
            "userId": pa.int64(),
            "gender": pa.string(),
            "age": pa.int64(),
            "occupation": pa.int64(),
            "zipcode": pa.string(),
        }
        table = read_delimited(source, name, separator="::", columns=columns, required=("userId",))
        codes = table["occupation"]
        known = pc.and_(pc.greater_equal(codes, 0), pc.less(codes, len(OCCUPATIONS)))
        if not pc.all(known, min_count=0).as_py():
            wrong = table.filter(pc.invert(known))
            raise DataError(
                f"unknown occupation of user {wrong['userId'][0]}",
                path=source.where(name),
                column="occupation",
                expected=f"a code from 0 to {len(OCCUPATIONS) - 1}",
                got=f"{wrong['occupation'][0]}",
            )
        position = table.column_names.index("occupation")
        return table.set_column(position, "occupation", pa.array(OCCUPATIONS).take(codes.combine_chunks()))


_LAYOUTS: tuple[MovieLensLayout, ...] = (MovieLens100K(), MovieLens1M())


def load_movielens(path: str | os.PathLike[str]) -> pa.Table:
    """Reads MovieLens 100K or 1M from its zip archive or from the extracted folder.

    The release is detected by its files: `u.data`, `u.item` and `u.user`, or `ratings.dat`, `movies.dat` and
    `users.dat`. They can be in a folder of the archive.

    Args:
        path: The zip archive or the folder.

    Returns:
        One row per rating in the order of the ratings file, with the columns of `LOG_SCHEMA`. Ages of 1M are the
        lower bounds of its age groups (1 means under 18). Empty text is null; a movie of unknown genre has an empty
        list of genres.

    Raises:
        DataError: if the archive or a file is missing, damaged or of another format, or if the user or movie of a
            rating is missing.

    Example:
        >>> load_movielens("ml-100k.zip").num_rows  # doctest: +SKIP
        100000
    """
    source = FileSource(path)
    layout, (ratings_file, movies_file, users_file) = _find_files(source)
    joined = layout.read_ratings(source, ratings_file)
    joined = _join(joined, layout.read_movies(source, movies_file), "movieId", source.where(movies_file))
    joined = _join(joined, layout.read_users(source, users_file), "userId", source.where(users_file))
    return joined.select(LOG_SCHEMA.names).cast(LOG_SCHEMA).combine_chunks()


def _find_files(source: FileSource) -> tuple[MovieLensLayout, tuple[str, ...]]:
    """Detects the release; returns its layout and the names of its ratings, movies and users files."""
    known = set(source.names)
    matches: list[tuple[MovieLensLayout, tuple[str, ...]]] = []
    missing: list[str] = []
    for folder in sorted({PurePosixPath(name).parent for name in source.names}):
        for layout in _LAYOUTS:
            files = tuple((folder / file).as_posix() for file in layout.files)
            absent = [file for file in files if file not in known]
            if not absent:
                matches.append((layout, files))
            elif len(absent) < len(files):
                missing.append(absent[0])
    if len(matches) > 1:
        folders = ", ".join(str(PurePosixPath(files[0]).parent) for _, files in matches)
        raise DataError("several MovieLens data sets are there", path=source.path, got=folders, fix="Pass one of them.")
    if matches:
        return matches[0]
    if missing:
        raise DataError("the file is missing", path=source.where(missing[0]), fix="Download the data set again.")
    raise DataError(
        "there is no MovieLens data set",
        path=source.path,
        expected=" or ".join(", ".join(layout.files) for layout in _LAYOUTS),
        got=", ".join(source.names[:5]) or "no files",
    )


def _join(ratings: pa.Table, side: pa.Table, key: str, where: str) -> pa.Table:
    """Joins the columns of `side` to the ratings by a key; the order of the ratings is unchanged."""
    counts = pc.value_counts(side[key])
    if len(counts) < side.num_rows:
        duplicate = counts.filter(pc.greater(pc.struct_field(counts, "counts"), 1))[0].as_py()
        raise DataError(f"{key} {duplicate['values']} has {duplicate['counts']} lines", path=where, column=key)
    rows = pc.index_in(ratings[key], value_set=side[key].combine_chunks())
    if rows.null_count:
        unknown = ratings[key].filter(pc.is_null(rows)).unique()
        raise DataError(
            f"{key} {unknown[0]} has ratings but no line here",
            path=where,
            column=key,
            expected="one line for each in the ratings",
            got=f"none for {len(unknown)} of them",
            fix="Download the data set again.",
        )
    joined = side.take(rows)
    for name in side.column_names:
        if name != key:
            ratings = ratings.append_column(name, joined[name])
    return ratings
