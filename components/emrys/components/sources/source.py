"""The interface of a source: one table, whatever files it comes from."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class Part(NamedTuple):
    """A file of a source, and the number of its rows."""

    name: str
    rows: int


class Source(abc.ABC):
    """Rows of one or several files.

    Attributes:
        path: The path as the user wrote it, for messages.
        skipped: Files without rows, which are left out.
    """

    path: str
    skipped: tuple[str, ...] = ()

    @property
    @abc.abstractmethod
    def schema(self) -> pa.Schema:
        """Columns of all files and their common types; those of text files are found in their first block."""

    @abc.abstractmethod
    def head(self, rows: int) -> pa.Table:
        """The first rows, with all columns and their common types."""

    @abc.abstractmethod
    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows.

        Args:
            columns: Columns to read. Default: all.

        Raises:
            DataError: if a file is damaged or does not fit the others.
        """

    @property
    def parts(self) -> tuple[Part, ...]:
        """Files with rows, in the order of the table, after `read`; empty if the source has none."""
        return ()

    @property
    def probability(self) -> npt.NDArray[np.float64] | None:
        """True probability of the first target in each row, after `read`; None if it is not known."""
        return None
