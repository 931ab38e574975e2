"""Interface of a file format."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import ClassVar

import pyarrow as pa

from emrys.components.sources.listing import SourceFile

Types = Mapping[str, pa.DataType]


class FileFormat(abc.ABC):
    """Base of the file formats."""

    #: Name in messages.
    name: ClassVar[str]
    #: Endings of the files, without those of a compression.
    suffixes: ClassVar[tuple[str, ...]]
    #: Whether the files do not hold types, so that these are found from the values.
    is_text: ClassVar[bool]

    @abc.abstractmethod
    def schema(self, file: SourceFile) -> pa.Schema | None:
        """Columns of a file, those of a text file from its first block; None if the file has no rows."""

    @abc.abstractmethod
    def head(self, file: SourceFile, rows: int, types: Types) -> pa.Table:
        """The first rows.

        Args:
            file: The file.
            rows: Maximum number of rows.
            types: Types that text columns are read as. Default: found from the values.
        """

    @abc.abstractmethod
    def read(self, file: SourceFile, columns: Sequence[str], types: Types) -> pa.Table:
        """All rows.

        Args:
            file: The file.
            columns: Columns to read, all of which are in the file.
            types: Types that text columns are read as. Default: found from the values.
        """
