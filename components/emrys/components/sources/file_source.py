"""Source of files of one format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.errors import DataError
from emrys.components.sources.file_format import FileFormat
from emrys.components.sources.listing import SourceFile, partition_columns
from emrys.components.sources.source import Part, Source

#: Rows of a text file from which the types are first found.
_FIRST = 1000
#: From this size on, float64 does not hold every integer.
_INEXACT = float(1 << 53)


class FileSource(Source):
    """Files of one format as one table.

    A file that lacks a column is filled with nulls. The types of a column are unified: integers of several widths,
    integers and floats, nulls and anything; in text files also numbers and texts, which become texts. Folders
    `name=value` are columns, unless a file has one of that name.

    Args:
        path: The path as the user wrote it.
        files: The files.
        file_format: Their format.

    Raises:
        DataError: if no file has rows, or a column has types that cannot be unified.
    """

    def __init__(self, path: str, files: Sequence[SourceFile], file_format: FileFormat) -> None:
        self.path = path
        self._format = file_format
        schemas = {file: self._schema(file) if file.size else None for file in files}
        self._files = [file for file in files if schemas[file] is not None]
        self.skipped = tuple(file.name for file in files if schemas[file] is None)
        if not self._files:
            problem = "the file has no rows" if len(files) == 1 else f"none of the {len(files)} files has rows"
            raise DataError(problem, path=path, expected="at least one", fix="Write it again, or correct the path.")
        self._schemas = {file: schema for file, schema in schemas.items() if schema is not None}
        self._partitions = partition_columns(self._files)
        self._types = self._unified(self._schemas)
        self._parts: tuple[Part, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Columns of all files and their common types; those of text files are found in their first block."""
        return pa.schema(list(self._types.items()))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Files with rows, in the order of the table, after `read`."""
        return self._parts

    def head(self, rows: int) -> pa.Table:
        """The first rows, with all columns and their common types."""
        tables: list[pa.Table] = []
        for number, file in enumerate(self._files):
            left = rows - sum(table.num_rows for table in tables)
            if left <= 0:
                break
            table = self._format.head(file, left, self._text_types(self._schemas[file]))
            tables.append(self._conform(table, file, number, self._types))
        return pa.concat_tables(tables)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows."""
        wanted = list(self._types) if columns is None else list(columns)
        for name in wanted:
            if name not in self._types:
                known = ", ".join(self._types)
                raise DataError("the column is missing", path=self.path, column=name, got=known)
        tables = {file: self._read(file, wanted, {}) for file in self._files}
        types = {name: self._types[name] for name in wanted}
        if self._format.is_text:
            types = self._types_of_texts(tables, wanted)
        self._parts = tuple(Part(file.stem, tables[file].num_rows) for file in self._files)
        conformed = [self._conform(tables[file], file, i, types) for i, file in enumerate(self._files)]
        return pa.concat_tables(conformed)

    def _schema(self, file: SourceFile) -> pa.Schema | None:
        schema = self._format.schema(file)
        if schema is None or not self._format.is_text:
            return schema
        return _exact(self._format.head(file, _FIRST, {}), lambda types: self._format.head(file, _FIRST, types)).schema

    def _read(self, file: SourceFile, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> pa.Table:
        names = self._schemas[file].names
        forced = {**self._text_types(self._schemas[file]), **{n: t for n, t in types.items() if n in names}}
        return self._format.read(file, [name for name in columns if name in names], forced)

    def _text_types(self, schema: pa.Schema) -> dict[str, pa.DataType]:
        """Columns of a text file that are texts, or large integers, in some file."""
        if not self._format.is_text:
            return {}
        forced = (pa.string(), pa.uint64())
        return {name: dtype for name, dtype in self._types.items() if name in schema.names and dtype in forced}

    def _types_of_texts(self, tables: dict[SourceFile, pa.Table], wanted: Sequence[str]) -> dict[str, pa.DataType]:
        """Common types of the values of text files, which are read again where the first block misled.

        Args:
            tables: Table of each file; those that are read again are replaced.
            wanted: Columns to read.
        """
        for file, table in tables.items():

            def read(types: Mapping[str, pa.DataType], file: SourceFile = file) -> pa.Table:
                return self._read(file, list(types), types)

            tables[file] = _exact(table, read)
        types = self._unified({file: table.schema for file, table in tables.items()})
        for name in wanted:
            if pa.types.is_string(types[name]):
                for file, table in tables.items():
                    if name in table.column_names and not _is_text(table.schema.field(name).type):
                        again = self._read(file, [name], {name: pa.string()})
                        tables[file] = table.set_column(table.column_names.index(name), name, again[name])
        return {name: types[name] for name in wanted}

    def _unified(self, schemas: Mapping[SourceFile, pa.Schema]) -> dict[str, pa.DataType]:
        types: dict[str, pa.DataType] = {}
        first: dict[str, str] = {}
        for file, schema in schemas.items():
            for field in schema:
                before, dtype = types.get(field.name), _plain(field.type)
                common = dtype if before is None else _common(before, dtype, self._format.is_text)
                if common is None:
                    raise DataError(
                        "the type of the column differs between files",
                        path=file.name,
                        column=field.name,
                        expected=f"{before} as in {first[field.name]}",
                        got=str(dtype),
                        fix="Write the files with one type, or choose files by a glob in data.path.",
                    )
                types[field.name] = common
                first.setdefault(field.name, file.name)
        for name, values in self._partitions.items():
            types.setdefault(name, values.type)
        return types

    def _conform(self, table: pa.Table, file: SourceFile, number: int, types: Mapping[str, pa.DataType]) -> pa.Table:
        columns = []
        for name, dtype in types.items():
            if name in table.column_names:
                columns.append(_cast(table[name], dtype, name, file))
            elif name in self._partitions:
                value = self._partitions[name][number]
                columns.append(pa.chunked_array([pa.repeat(value, table.num_rows)]))
            else:
                columns.append(pa.chunked_array([pa.nulls(table.num_rows, dtype)]))
        return pa.table(columns, schema=pa.schema(list(types.items())))


def _plain(dtype: pa.DataType) -> pa.DataType:
    """The type of the values of a dictionary; texts and lists of the common kind."""
    if pa.types.is_dictionary(dtype):
        return _plain(dtype.value_type)
    if pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype):
        return pa.string()
    if pa.types.is_large_list(dtype) or pa.types.is_list(dtype):
        return pa.list_(_plain(dtype.value_type))
    return dtype


def _common(one: pa.DataType, other: pa.DataType, is_text: bool) -> pa.DataType | None:
    """The type that holds the values of both, or None."""
    if one == other:
        return one
    if pa.uint64() in (one, other) and pa.types.is_integer(one) and pa.types.is_integer(other):
        return pa.uint64()
    try:
        fields = [pa.schema([pa.field("value", dtype)]) for dtype in (one, other)]
        return pa.unify_schemas(fields, promote_options="permissive").field("value").type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        nested = pa.types.is_nested(one) or pa.types.is_nested(other)
        return pa.string() if is_text and not nested else None


def _is_text(dtype: pa.DataType) -> bool:
    return pa.types.is_string(dtype) or pa.types.is_null(dtype)


def _exact(table: pa.Table, read: Callable[[Mapping[str, pa.DataType]], pa.Table]) -> pa.Table:
    """Reads whole numbers that were taken for float64, which does not hold them all, as uint64 or as texts.

    Args:
        table: Rows of a text file.
        read: Reads these rows again, with other types of some columns.
    """
    for name in table.column_names:
        if not _is_wide(table[name]):
            continue
        for dtype in (pa.uint64(), pa.string()):
            try:
                again = read({name: dtype})[name]
            except DataError:
                continue
            if dtype == pa.uint64() or pc.all(pc.match_substring_regex(again, "^-?[0-9]*$")).as_py():
                table = table.set_column(table.column_names.index(name), name, again)
                break
    return table


def _is_wide(column: pa.ChunkedArray) -> bool:
    """Whether a column of floats holds whole numbers that float64 may not hold."""
    if not pa.types.is_float64(column.type):
        return False
    values = column.drop_null().to_numpy()
    values = values[np.isfinite(values)]
    return bool(len(values)) and bool((np.abs(values) >= _INEXACT).any()) and bool((values == np.trunc(values)).all())


def _cast(column: pa.ChunkedArray, dtype: pa.DataType, name: str, file: SourceFile) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        column.validate(full=True)  # for example texts that are not UTF-8
        return column.cast(dtype)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, IndexError) as error:
        raise DataError(
            f"the column is damaged ({error})",
            path=file.name,
            column=name,
            expected=str(dtype),
            fix="Write it again.",
        ) from None
