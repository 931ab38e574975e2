"""MovieLens 100K and 1M as GroupLens publishes them, joined into one table."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.datasets.file_source import FileSource
from emrys.blocks.datasets.log_schema import LOG_SCHEMA
from emrys.blocks.datasets.movielens_1m import MovieLens1M
from emrys.blocks.datasets.movielens_100k import MovieLens100K
from emrys.blocks.datasets.movielens_layout import MovieLensLayout
from emrys.blocks.errors import DataError

_LAYOUTS: tuple[MovieLensLayout, ...] = (MovieLens100K(), MovieLens1M())


def load_movielens(path: str | os.PathLike[str]) -> pa.Table:
    """Reads MovieLens 100K or 1M from its zip archive or from the extracted folder.

    Which of the two it is shows in the files that are there: `u.data`, `u.item` and `u.user`, or `ratings.dat`,
    `movies.dat` and `users.dat`. They may lie in a folder of the archive.

    Args:
        path: The zip archive or the folder.

    Returns:
        One row per rating in the order of the ratings file, with the columns of `LOG_SCHEMA`. Ages of 1M are the
        lower ends of its age groups (1 means under 18). An empty text is null; a movie whose genre is not known has
        an empty list of genres.

    Raises:
        DataError: if the archive or a file is missing, damaged or of another form, or if a rating is of a user or a
            movie that is not described.

    Example:
        >>> load_movielens("ml-100k.zip").num_rows  # doctest: +SKIP
        100000
    """
    source = FileSource(path)
    layout, (ratings_file, movies_file, users_file) = _find_files(source)
    joined = layout.read_ratings(source, ratings_file)
    joined = _look_up(joined, layout.read_movies(source, movies_file), "movieId", source.where(movies_file))
    joined = _look_up(joined, layout.read_users(source, users_file), "userId", source.where(users_file))
    return joined.select(LOG_SCHEMA.names).cast(LOG_SCHEMA).combine_chunks()


def _find_files(source: FileSource) -> tuple[MovieLensLayout, tuple[str, ...]]:
    """The layout that is there, and the names of its ratings, movies and users files."""
    known = set(source.names)
    found: list[tuple[MovieLensLayout, tuple[str, ...]]] = []
    missing: list[str] = []
    for folder in sorted({PurePosixPath(name).parent for name in source.names}):
        for layout in _LAYOUTS:
            files = tuple((folder / file).as_posix() for file in layout.files)
            lacking = [file for file in files if file not in known]
            if not lacking:
                found.append((layout, files))
            elif len(lacking) < len(files):
                missing.append(lacking[0])
    if len(found) > 1:
        places = ", ".join(str(PurePosixPath(files[0]).parent) for _, files in found)
        raise DataError("several MovieLens data sets are there", path=source.path, got=places, fix="Give one of them.")
    if found:
        return found[0]
    if missing:
        raise DataError("the file is missing", path=source.where(missing[0]), fix="Get the whole data set again.")
    raise DataError(
        "no MovieLens data set is there",
        path=source.path,
        expected=" or ".join(", ".join(layout.files) for layout in _LAYOUTS),
        got=", ".join(source.names[:5]) or "no files",
    )


def _look_up(ratings: pa.Table, side: pa.Table, key: str, where: str) -> pa.Table:
    """Adds to every rating the row of `side` with the same key; order and number of the ratings stay."""
    counts = pc.value_counts(side[key])
    if len(counts) < side.num_rows:
        twice = counts.filter(pc.greater(pc.struct_field(counts, "counts"), 1))[0].as_py()
        raise DataError(f"{key} {twice['values']} is described {twice['counts']} times", path=where, column=key)
    rows = pc.index_in(ratings[key], value_set=side[key].combine_chunks())
    if rows.null_count:
        lost = ratings[key].filter(pc.is_null(rows)).unique()
        raise DataError(
            f"{key} {lost[0]} has ratings but is not described here",
            path=where,
            column=key,
            expected="one line for everyone that the ratings name",
            got=f"none for {len(lost)} of them",
            fix="Get the whole data set again.",
        )
    described = side.take(rows)
    for name in side.column_names:
        if name != key:
            ratings = ratings.append_column(name, described[name])
    return ratings
