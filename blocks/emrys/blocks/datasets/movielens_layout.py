"""What a release of MovieLens looks like on disk: the base of the readers of 100K and 1M."""

from __future__ import annotations

import abc
from typing import ClassVar

import pyarrow as pa

from emrys.blocks.datasets.file_source import FileSource


class MovieLensLayout(abc.ABC):
    """Reads the three tables of one release.

    A subclass names its files and reads each of them into the columns of `LOG_SCHEMA` that it holds.
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
