"""Opening the source that a recipe names."""

from __future__ import annotations

from collections.abc import Sequence

from emrys.blocks.errors import DataError
from emrys.components.recipe.recipe import DataSource
from emrys.components.sources.csv_format import CsvFormat
from emrys.components.sources.file_format import FileFormat
from emrys.components.sources.file_source import FileSource
from emrys.components.sources.json_format import JsonFormat
from emrys.components.sources.listing import SourceFile, list_files
from emrys.components.sources.movielens import FILES, RELEASES, MovieLensSource
from emrys.components.sources.parquet_format import ParquetFormat
from emrys.components.sources.source import Source
from emrys.components.sources.synthetic import SYNTHETIC, SyntheticSource

#: Names of the data sets that need no path. A name always stands for the same rows.
DATASET_NAMES = (SYNTHETIC, *RELEASES)


def open_source(data: DataSource, seed: int = 42) -> Source:
    """Opens a source; of files, no more is read than their columns.

    Args:
        data: Path, reader and its options.
        seed: Seed of the synthetic reader. Default: 42.

    Raises:
        DataError: if there are no files, or none with rows, or they cannot be read.
        StorageError: if a bucket cannot be read.
    """
    name = "; ".join(data.path) if isinstance(data.path, tuple) else data.path
    if data.reader == "synthetic" or (data.reader == "auto" and data.path == SYNTHETIC):
        return SyntheticSource(data.rows, seed)
    if data.reader == "movielens" or (data.reader == "auto" and data.path in RELEASES):
        return MovieLensSource(name, data.cache_dir)
    try:
        files = list_files(data.path)
    except DataError as error:
        if "/" not in name and "." not in name:
            error.expected = f"{', '.join(DATASET_NAMES)}, or {error.expected}"
        raise
    if data.reader == "auto" and isinstance(data.path, str) and _is_movielens(files):
        return MovieLensSource(data.path, data.cache_dir)
    formats: tuple[FileFormat, ...] = (ParquetFormat(), CsvFormat(data.delimiter, data.header), JsonFormat())
    if data.reader != "auto":
        chosen = formats[("parquet", "csv", "json").index(data.reader)]
        return FileSource(name, files, chosen)
    file_format, files = _by_suffix(name, files, formats)
    return FileSource(name, files, file_format)


def _is_movielens(files: Sequence[SourceFile]) -> bool:
    names = {file.path.rpartition("/")[2] for file in files}
    return bool(names & set(FILES)) or (len(files) == 1 and files[0].suffix == ".zip")


def _by_suffix(
    path: str, files: Sequence[SourceFile], formats: Sequence[FileFormat]
) -> tuple[FileFormat, list[SourceFile]]:
    """The format of the files, and those of that format."""
    matching = {each: [file for file in files if file.suffix in each.suffixes] for each in formats}
    found = [each for each in formats if matching[each]]
    if len(found) > 1:  # a folder of tables may hold a description of them
        found = [each for each in found if any(file.suffix != ".json" for file in matching[each])]
    if len(found) == 1:
        return found[0], matching[found[0]]
    if found:
        raise DataError(
            "the files are of several formats",
            path=path,
            expected="files of one",
            got=", ".join(f"{len(matching[each])} of {each.name}" for each in found),
            fix="Choose files by a glob in data.path, or set data.reader.",
        )
    suffixes = ", ".join(suffix for each in formats for suffix in each.suffixes)
    raise DataError(
        "the format of the files is not known",
        path=path,
        expected=f"names that end in one of {suffixes}, or MovieLens",
        got=", ".join(file.path.rpartition("/")[2] for file in files[:5]),
        fix="Rename the files, or set data.reader to parquet, csv or json.",
    )
