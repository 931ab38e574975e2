"""The files of MovieLens 100K."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.datasets.delimited import read_delimited
from emrys.blocks.datasets.file_source import FileSource
from emrys.blocks.datasets.movielens_layout import MovieLensLayout
from emrys.blocks.errors import DataError

#: In the order of the flags of `u.item`, after the flag `unknown`.
GENRES = (
    "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip


class MovieLens100K(MovieLensLayout):
    """`u.data` (tabs), `u.item` and `u.user` (bars); one flag per genre; the release year is that of the date."""

    files = ("u.data", "u.item", "u.user")

    def read_ratings(self, source: FileSource, name: str) -> pa.Table:
        """Columns userId, movieId, rating, timestamp; one row per rating."""
        columns = {"userId": pa.int64(), "movieId": pa.int64(), "rating": pa.float32(), "timestamp": pa.int64()}
        return read_delimited(source, name, separator="\t", columns=columns, required=columns)

    def read_movies(self, source: FileSource, name: str) -> pa.Table:
        """Columns movieId, title, release_year, genres; one row per movie.

        The flag `unknown` says that no genre is known, so it adds nothing to the list.
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
                "genres": _lists_of_names(np.stack([table[genre].to_numpy() for genre in GENRES], axis=1)),
            }
        )

    def read_users(self, source: FileSource, name: str) -> pa.Table:
        """Columns userId, gender, age, occupation, zipcode; one row per user."""
        text = ("gender", "occupation", "zipcode")
        columns = {"userId": pa.int64(), "age": pa.int64(), **dict.fromkeys(text, pa.string())}
        return read_delimited(source, name, separator="|", columns=columns, required=("userId",))


def _lists_of_names(flags: npt.NDArray[np.int64]) -> pa.ListArray:
    """Flags (movies, genres) of 0 and 1 as lists of genre names."""
    offsets = np.concatenate([[0], np.cumsum(flags.sum(axis=1))])
    names = pa.array(GENRES).take(pa.array(np.nonzero(flags)[1]))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), names)
