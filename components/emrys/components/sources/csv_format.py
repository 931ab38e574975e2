"""CSV and TSV files."""

from __future__ import annotations

import codecs
import contextlib
import csv
import dataclasses
from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from emrys.blocks.errors import ConfigError, DataError
from emrys.components.sources.file_format import FileFormat, Types
from emrys.components.sources.listing import SourceFile
from emrys.components.storage.arrow_files import bucket_errors

_SAMPLE = 1 << 18  # bytes that the separator is found from
_DELIMITERS = (",", "\t", ";", "|")
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_NULLS = ("", "NA", "N/A", "NULL", "null", "None", "NaN", "nan", "\\N")


@dataclasses.dataclass(frozen=True)
class Dialect:
    """Dialect of a CSV file.

    Args:
        delimiter: Separator of the values.
        encoding: Encoding of the text.
        decimal_point: Sign between the whole and the decimals of a number.
        texts: Columns of digits that are no numbers, such as 007.
        empty: Whether the file has no rows.
    """

    delimiter: str
    encoding: str = "utf-8"
    decimal_point: str = "."
    texts: frozenset[str] = frozenset()
    empty: bool = False


class CsvFormat(FileFormat):
    """Text files of values with a separator; quoted values may hold separators and line ends.

    Args:
        delimiter: Separator. Default: found by looking.
        header: Whether the first line names the columns; or their names, if it does not.
    """

    name = "CSV"
    suffixes = (".csv", ".tsv", ".tab", ".txt")
    is_text = True

    def __init__(self, delimiter: str = "", header: bool | tuple[str, ...] = True) -> None:
        if len(delimiter) > 1:
            fix = "Replace it in the file by a comma or a tab."
            raise ConfigError("data.delimiter has several signs", expected="one sign", got=repr(delimiter), fix=fix)
        self._delimiter = delimiter
        self._header = header
        self._dialects: dict[str, Dialect] = {}

    def schema(self, file: SourceFile) -> pa.Schema | None:
        """Columns of a file, from its first block; None if it has no rows."""
        return None if self._dialect(file).empty else self.head(file, 1, {}).schema

    def head(self, file: SourceFile, rows: int, types: Types) -> pa.Table:
        """The first rows."""
        dialect = self._dialect(file)
        with _opened(file) as stream, arrow_csv.open_csv(stream, **self._options(dialect, types)) as reader:
            batches: list[pa.RecordBatch] = []
            while sum(batch.num_rows for batch in batches) < rows:
                try:
                    batches.append(reader.read_next_batch())
                except StopIteration:
                    break
            return _checked(pa.Table.from_batches(batches, reader.schema).slice(0, rows), file)

    def read(self, file: SourceFile, columns: Sequence[str], types: Types) -> pa.Table:
        """All rows."""
        with _opened(file) as stream:
            table = arrow_csv.read_csv(stream, **self._options(self._dialect(file), types, columns))
            return _checked(table, file)

    def _options(self, dialect: Dialect, types: Types, columns: Sequence[str] = ()) -> dict[str, Any]:
        named = isinstance(self._header, tuple)
        return {
            "read_options": arrow_csv.ReadOptions(
                encoding=dialect.encoding,
                column_names=list(self._header) if isinstance(self._header, tuple) else None,
                autogenerate_column_names=not named and not self._header,
            ),
            "parse_options": arrow_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
            "convert_options": arrow_csv.ConvertOptions(
                column_types={**dict.fromkeys(dialect.texts, pa.string()), **types},
                include_columns=list(columns),
                null_values=list(_NULLS),
                decimal_point=dialect.decimal_point,
            ),
        }

    def _dialect(self, file: SourceFile) -> Dialect:
        if file.name not in self._dialects:
            self._dialects[file.name] = self._look(file)
        return self._dialects[file.name]

    def _look(self, file: SourceFile) -> Dialect:
        with _opened(file) as stream:
            sample = stream.read(_SAMPLE)
        encoding = next((name for bom, name in _BOMS.items() if sample.startswith(bom)), "utf-8")
        text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(sample)
        lines = text.removeprefix("\ufeff").splitlines(keepends=True)
        if len(sample) == _SAMPLE and len(lines) > 1:
            lines.pop()  # may be cut off
        delimiter = self._delimiter or _delimiter(lines, "\t" if file.suffix in (".tsv", ".tab") else "")
        dialect = Dialect(delimiter, encoding)
        with_names = self._header is True
        filled = [line for line in lines if line.strip()]
        if len(filled) <= with_names:
            return dataclasses.replace(dialect, empty=True)
        names = _names(file, lines, delimiter) if with_names else []
        # The first block again, as texts, to find digits that are no numbers, and commas in numbers.
        texts = self._first_texts(file, dialect, names)
        padded = [name for name in texts.column_names if _any(pc.match_substring_regex(texts[name], "^[+-]?0[0-9]+$"))]
        comma = delimiter != "," and any(_has_comma(texts[name]) for name in texts.column_names)
        return dataclasses.replace(dialect, texts=frozenset(padded), decimal_point="," if comma else ".")

    def _first_texts(self, file: SourceFile, dialect: Dialect, names: Sequence[str]) -> pa.Table:
        if not names:
            with _opened(file) as stream, arrow_csv.open_csv(stream, **self._options(dialect, {})) as reader:
                names = reader.schema.names
        options = self._options(dialect, dict.fromkeys(names, pa.string()))
        with _opened(file) as stream, arrow_csv.open_csv(stream, **options) as reader:
            return pa.Table.from_batches([reader.read_next_batch()])


def _names(file: SourceFile, lines: Sequence[str], delimiter: str) -> list[str]:
    names = next(csv.reader(lines, delimiter=delimiter))
    for name in names:
        if names.count(name) > 1:
            fix = "Keep one of them; if the first line holds values, name the columns in data.header."
            raise DataError("the column occurs twice", path=file.name, column=name, fix=fix)
    return names


def _delimiter(lines: Sequence[str], usual: str) -> str:
    """The separator that divides all lines into the same number of values, and into most of them."""
    scores = {}
    for delimiter in dict.fromkeys((usual, *_DELIMITERS) if usual else _DELIMITERS):
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        equal = sum(width == widths[0] for width in widths) / len(widths) if widths else 0.0
        scores[delimiter] = (widths[0] > 1 and equal, widths[0]) if widths else (False, 0)
    return max(scores, key=scores.__getitem__)


def _any(matches: pa.ChunkedArray) -> bool:
    return bool(pc.any(matches).as_py())


def _has_comma(values: pa.ChunkedArray) -> bool:
    """Whether all values are numbers with a comma before their decimals, or blank, and not all are blank."""
    filled = values.filter(pc.not_equal(values, ""))
    numbers = pc.match_substring_regex(filled, r"^[+-]?[0-9]+(,[0-9]+)?$")
    commas = pc.match_substring(filled, ",")
    return bool(len(filled)) and bool(pc.all(numbers).as_py()) and _any(commas)


def _checked(table: pa.Table, file: SourceFile) -> pa.Table:
    """Refuses text of another encoding, which Arrow reads as bytes."""
    for field in table.schema:
        if pa.types.is_binary(field.type):
            fix = "Save the file as UTF-8."
            raise DataError("the text is not UTF-8", path=file.name, column=field.name, fix=fix)
    return table


@contextlib.contextmanager
def _opened(file: SourceFile) -> Iterator[IO[bytes]]:
    with bucket_errors(file.name):
        try:
            with file.system.open_input_stream(file.path, compression=file.compression) as stream:
                yield stream
        except (pa.ArrowException, ValueError, UnicodeError) as error:
            raise _damaged(file, error) from None
        except OSError as error:
            if error.errno is not None or "://" in file.name:
                raise
            raise _damaged(file, error) from None


def _damaged(file: SourceFile, error: Exception) -> DataError:
    fix = "Check data.delimiter and data.header, or write the file again."
    if "UTF8" in str(error) or isinstance(error, UnicodeError):
        fix = "Save the file as UTF-8."
    return DataError(f"the CSV file cannot be read ({error})", path=file.name, fix=fix)
