"""The files of MovieLens 1M."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.datasets.delimited import read_delimited
from emrys.blocks.datasets.file_source import FileSource
from emrys.blocks.datasets.movielens_layout import MovieLensLayout
from emrys.blocks.errors import DataError

#: By the code that stands in `users.dat`.
OCCUPATIONS = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer",
    "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman",
    "unemployed", "writer",
)  # fmt: skip


class MovieLens1M(MovieLensLayout):
    """`ratings.dat`, `movies.dat` and `users.dat`, fields between `::`; the release year is in the title."""

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
