"""Implementation of the commands for recipes, and their check before a run."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.io import atomic_file
from emrys.components.contracts.data_schema import DataColumn, Role
from emrys.components.recipe.builtin import NAMES, recipe_text
from emrys.components.recipe.check import Checked, check_draft
from emrys.components.recipe.faults import Fault, RecipeError, unknown_name
from emrys.components.recipe.reading import Draft, draft_of, load_recipe
from emrys.components.recipe.recipe import DataSource
from emrys.components.recipe.suggest import suggest_recipe
from emrys.components.sources.joined_log import JoinedLog
from emrys.components.sources.open_source import open_source
from emrys.pipelines.config.recipe_arguments import with_absolute_paths

#: Rows that are looked at.
HEAD_ROWS = 10_000


def init(data: str, output: Path, *, force: bool = False) -> None:
    """Writes a first recipe for a log, and prints its path.

    Args:
        data: File, folder or glob of the log, or name of a data set.
        output: The file to write.
        force: Whether an existing file is overwritten.

    Raises:
        ConfigError: if the file exists already, or the log has nothing to learn.
        DataError: if the log cannot be read.
    """
    if output.exists() and not force:
        raise ConfigError("the file exists", path=output, fix="Choose another --output, or add --force.")
    if data in NAMES:
        text = recipe_text(data, "ranking")
    else:
        head = open_source(DataSource(path=data)).head(HEAD_ROWS + 1)
        text = suggest_recipe(_relative(data, output), head.slice(0, HEAD_ROWS), whole=head.num_rows <= HEAD_ROWS)
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(output) as work:
        work.write_text(text, encoding="utf-8")
    print(output)


def check(path: Path) -> None:
    """Checks a recipe and prints what its columns are.

    Args:
        path: File of the recipe.

    Raises:
        RecipeError: if there are faults.
    """
    checked = checked_recipe(path)
    _print(checked)
    checked.raise_faults(path)


def show(name: str, task: str) -> None:
    """Prints the recipe of a data set.

    Args:
        name: Name of the data set.
        task: `ranking` or `retrieval`.
    """
    print(recipe_text(name, task), end="")


def checked_recipe(path: Path, data: str = "") -> Checked:
    """Checks a recipe against the first rows of its log.

    Args:
        path: File of the recipe, to whose folder its paths are relative.
        data: Path of the log in place of the recipe's, relative to the working directory. Default: the recipe's.

    Returns:
        The recipe with absolute paths, and all its faults.

    Raises:
        ConfigError: if the file is missing or not YAML.
    """
    draft = draft_of(load_recipe(path))
    recipe = with_absolute_paths(draft.recipe, path.parent)
    if data:
        source = recipe.data.model_copy(
            update={"path": data if "://" in data or data in NAMES else os.path.abspath(data)}
        )
        recipe = recipe.model_copy(update={"data": source})
    draft = dataclasses.replace(draft, recipe=recipe)
    if not recipe.data.path and recipe.data.reader != "synthetic":
        raise RecipeError(draft.faults, path)  # there is no log to look at
    try:
        head, tables, faults = _head(draft)
    except DataError as error:
        raise RecipeError([*draft.faults, _fault_of("data.path", error)], path) from None
    whole = head.num_rows <= HEAD_ROWS
    faults += _code_faults(draft, path.resolve().parent)
    draft = dataclasses.replace(draft, faults=(*draft.faults, *faults))
    return check_draft(draft, head.slice(0, HEAD_ROWS), tables, whole=whole)


def _head(draft: Draft) -> tuple[pa.Table, dict[str, list[str]], list[Fault]]:
    """The first rows with the columns of the side tables, the columns of each, and the faults of those."""
    recipe = draft.recipe
    source = open_source(recipe.data)
    names = source.schema.names
    faults: list[Fault] = []
    columns: dict[str, list[str]] = {}
    for name, table in recipe.tables.items():
        try:
            known = open_source(DataSource(path=table.path, reader=table.reader)).schema.names
        except DataError as error:
            faults.append(_fault_of(f"tables.{name}.path", error))
            continue
        wrong = []
        if table.key not in known:
            wrong.append(unknown_name(f"tables.{name}.key", "column", table.key, known))
        if table.time and table.time not in known:
            wrong.append(unknown_name(f"tables.{name}.time", "column", table.time, known))
        if table.log_key and table.log_key not in names:
            wrong.append(unknown_name(f"tables.{name}.log_key", "column", table.log_key, names))
        elif not table.log_key and table.key in known and table.key not in names:
            fix = f"Name its column in tables.{name}.log_key."
            wrong.append(dataclasses.replace(unknown_name(f"tables.{name}.key", "column", table.key, names), fix=fix))
        if not wrong:
            columns[name] = [each for each in known if each not in (table.key, table.time)]
        faults += wrong
    usable = recipe.model_copy(update={"tables": {name: recipe.tables[name] for name in columns}})
    try:
        return JoinedLog(usable).head(HEAD_ROWS + 1), columns, faults
    except DataError as error:
        faults.append(_fault_of("tables", error))
        return source.head(HEAD_ROWS + 1), {}, faults


def _code_faults(draft: Draft, folder: Path) -> Iterator[Fault]:
    """Modules of the user that are not there, or lack the function; no code is run.

    Args:
        draft: The recipe.
        folder: Folder of the recipe, which is on the import path of the steps.
    """
    reported = {fault.key for fault in draft.faults}
    recipe = draft.recipe
    for key, text in (("module", recipe.module), ("model.module", recipe.model.module)):
        if not text or key in reported:
            continue
        module, _, function = text.partition(":")
        base = folder.joinpath(*module.split("."))
        files = [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]
        if not files:
            if importlib.util.find_spec(module.partition(".")[0]) is None:
                expected = f"{base.with_suffix('.py')}, or an installed package"
                yield Fault(key, f"there is no module {module!r}", expected, repr(text))
            continue
        try:
            known = _names_of(ast.parse(files[0].read_text(encoding="utf-8")))
        except (SyntaxError, UnicodeDecodeError) as error:
            yield Fault(key, f"{files[0]} is no Python ({error})")
            continue
        if function and function not in known:
            yield unknown_name(key, f"function in {files[0].name}", function, known)


def _names_of(tree: ast.Module) -> list[str]:
    """Names that a module defines or imports."""
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
    return names


def _fault_of(key: str, error: DataError) -> Fault:
    where = "" if error.path is None else f" in {error.path}"
    column = "" if error.column is None else f"column {error.column!r}: "
    return Fault(key, f"{column}{error.problem}{where}", error.expected or "", error.got or "", error.fix or "")


def _relative(data: str, output: Path) -> str:
    """A path as it stands in a recipe: relative to the recipe's folder, if it is below or near it."""
    if "://" in data or os.path.isabs(data):
        return data
    ending = "/" if data.endswith("/") else ""
    return os.path.relpath(Path(data).expanduser(), output.parent) + ending


def _print(checked: Checked) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for title in ("column", "role", "type", "why"):
        table.add_column(title, overflow="fold")
    for row in _rows(checked):
        table.add_row(*row)
    console.print(table)
    for note in checked.notes:
        console.print(f"note: {note}", markup=False)


def _rows(checked: Checked) -> Iterator[tuple[str, str, str, str]]:
    schema = checked.schema
    for column in schema.columns:
        reason = schema.inferred.get(column.name, "").removeprefix(f"{column.role.value}, ")
        yield column.name, column.role.value, _type(column), reason or "as the recipe says"
    for target in schema.targets:
        source = f"from {target.source}" if target.source else "as the recipe says"
        classes = f", {len(target.classes)} classes" if target.classes else ""
        yield target.name, "target", f"{target.kind.value}{classes}", schema.inferred.get(target.name, source)
    for name, reason in schema.unused.items():
        yield name, "left out", "", reason


def _type(column: DataColumn) -> str:
    if column.role is Role.TIME or column.unit:
        return f"time in {column.unit}"
    text = f"{column.dtype}{', continuous' if column.continuous else ''}"
    if column.length is not None:
        return f"vectors of {column.length}"
    return f"lists of {text}" if column.is_list else text
