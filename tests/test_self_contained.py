"""No test reads outside of the repository, real data sets apart, which `tests/real_data.py` finds.

`violations(code, depth)` looks at the syntax tree of a file and reports each expression that

- climbs from `__file__` above the root of the repository, by `parent`, `parents[n]` or `os.path.dirname`,
- builds a path with `..` or `shared` in it, or starts at an absolute path outside of `/dev`, `/proc` and `/sys`,
- asks for the home folder or reads `EMRYS_DATA`.

Texts alone are no paths: `"../evil"` as the bad name of a model is fine, `Path("../evil")` is not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for path in (ROOT / "tests").rglob("*.py") if path != ROOT / "tests" / "real_data.py")

#: Functions and methods whose text arguments are paths.
_OF_PATHS = {"Path", "PurePath", "open", "joinpath", "join", "listdir", "glob", "rglob", "exists", "isfile", "isdir"}
#: Ways to the home folder.
_HOME = {"home", "expanduser"}
#: Absolute paths that tests may read: they belong to the running system.
_OF_THE_SYSTEM = ("/dev", "/proc", "/sys")
_VARIABLE = "EMRYS_DATA"


def violations(code: str, depth: int) -> list[str]:
    """Every expression that leads outside of the repository.

    Args:
        code: Source of a Python file.
        depth: Number of folders between the root of the repository and the file: 1 for `tests/golden.py`.

    Returns:
        Line and reason of each, such as `3: climbs above the root of the repository`, in the order of lines.
    """
    tree = ast.parse(code)
    levels = _levels(tree)
    found = {(line, reason) for node in ast.walk(tree) for line, reason in _of_node(node, levels, depth)}
    return [f"{line}: {reason}" for line, reason in sorted(found)]


def _of_node(node: ast.AST, levels: dict[str, int], depth: int) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.expr):
        level = _level(node, levels)
        if level is not None and level > depth + 1:
            yield node.lineno, "climbs above the root of the repository"
    for text in _path_texts(node):
        if reason := _bad_text(text.value):
            yield text.lineno, reason
    if (text := _absolute(node)) and not text.startswith(_OF_THE_SYSTEM):
        yield node.lineno, f"starts at an absolute path: {text!r}"
    if isinstance(node, ast.Attribute) and node.attr in _HOME:
        yield node.lineno, f"asks for the home folder: {node.attr}"
    if _reads_variable(node):
        yield node.lineno, f"reads {_VARIABLE}: only tests/real_data.py may"


def _levels(tree: ast.AST) -> dict[str, int]:
    """Number of folders above `__file__` of each name that is assigned such a path; 0 for the file itself."""
    levels: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (level := _level(node.value, levels)) is not None:
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            levels.update({name: max(level, levels.get(name, 0)) for name in names})
    return levels


def _level(node: ast.expr, levels: dict[str, int]) -> int | None:
    """Number of folders above `__file__` of an expression; None where it is no such path."""
    match node:
        case ast.Name(id="__file__"):
            return 0
        case ast.Name(id=name):
            return levels.get(name)
        case ast.Attribute(value=value, attr="parent"):
            return _above(_level(value, levels), 1)
        case ast.Subscript(value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int(number))):
            return _above(_level(value, levels), number + 1)
        case ast.Call(func=ast.Name(id="dirname") | ast.Attribute(attr="dirname"), args=[value]):
            return _above(_level(value, levels), 1)
        case ast.Call(
            func=ast.Name(id="Path" | "str") | ast.Attribute(attr="Path" | "abspath" | "realpath"), args=[value]
        ):
            return _level(value, levels)
        case ast.Call(func=ast.Attribute(value=value, attr="resolve" | "absolute"), args=[]):
            return _level(value, levels)
        case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant(value=str(text))):
            # A folder below takes back what was climbed; what goes on from it by `parent` is counted from there.
            parts = [part for part in text.split("/") if part not in ("", ".")]
            return _above(_level(left, levels), -len(parts))
    return None


def _above(level: int | None, more: int) -> int | None:
    return None if level is None else level + more


def _path_texts(node: ast.AST) -> list[ast.Constant]:
    """Texts that are used as paths, or as parts of one."""
    parts: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Call) and _name(node.func) in _OF_PATHS and not _joins_text(node.func):
        parts = list(node.args)
    elif isinstance(node, ast.keyword) and node.arg == "cwd":
        parts = [node.value]
    texts = [value for part in parts for value in (part.values if isinstance(part, ast.JoinedStr) else [part])]
    return [text for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)]


def _absolute(node: ast.AST) -> str | None:
    """The absolute path that `open("/...")`, `Path("/...").x` or `Path("/...") / x` starts at, if it does."""
    match node:
        case (
            ast.Call(func=ast.Name(id="open"), args=[ast.Constant(value=str(text)), *_])
            | ast.Attribute(value=ast.Call(func=ast.Name(id="Path"), args=[ast.Constant(value=str(text)), *_]))
            | ast.BinOp(left=ast.Call(func=ast.Name(id="Path"), args=[ast.Constant(value=str(text)), *_]), op=ast.Div())
        ) if text.startswith("/"):
            return text
    return None


def _joins_text(function: ast.expr) -> bool:
    """Whether a call is `", ".join(...)`."""
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _bad_text(text: str) -> str | None:
    parts = text.split("/")
    if ".." in parts:
        return f"climbs by ..: {text!r}"
    if "shared" in parts:
        return f"reads the folder shared: {text!r}"
    return None


def _reads_variable(node: ast.AST) -> bool:
    match node:
        case ast.Subscript(slice=ast.Constant(value=value), ctx=ast.Load()) if value == _VARIABLE:
            return True
        case ast.Call(
            func=ast.Attribute(attr="get" | "getenv") | ast.Name(id="getenv"), args=[ast.Constant(value=value), *_]
        ):
            return value == _VARIABLE
    return False


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_file_reads_in_the_repository(path):
    depth = len(path.relative_to(ROOT).parts) - 1
    found = violations(path.read_text(encoding="utf-8"), depth)
    assert not found, "\n".join([f"{path.relative_to(ROOT)}: use a file of the repository or tests.real_data", *found])


CLIMBS = "climbs above the root of the repository"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Path(__file__).parents[3]", CLIMBS),
        ("Path(__file__).resolve().parent.parent.parent.parent", CLIMBS),
        ("dirname(dirname(dirname(os.path.dirname(__file__))))", CLIMBS),
        ("ROOT = Path(__file__).parents[2]; data = ROOT.parent", CLIMBS),
        ("HERE = Path(__file__).parent; data = HERE.parents[2] / 'data'", CLIMBS),
        ("ROOT / 'shared' / 'ml.zip'", "reads the folder shared: 'shared'"),
        ("open('shared/data/ml.zip')", "reads the folder shared: 'shared/data/ml.zip'"),
        ("os.path.join(ROOT, '..', 'data')", "climbs by ..: '..'"),
        ("Path('../data/ml.zip')", "climbs by ..: '../data/ml.zip'"),
        ("folder / f'{name}/../../ml.zip'", "climbs by ..: '/../../ml.zip'"),
        ("subprocess.run(command, cwd='..')", "climbs by ..: '..'"),
        ("Path('/data/ml.zip').read_bytes()", "starts at an absolute path: '/data/ml.zip'"),
        ("Path('/data') / 'ml.zip'", "starts at an absolute path: '/data'"),
        ("open('/etc/hosts')", "starts at an absolute path: '/etc/hosts'"),
        ("Path.home() / 'ml.zip'", "asks for the home folder: home"),
        ("Path('~/ml.zip').expanduser()", "asks for the home folder: expanduser"),
        ("os.environ['EMRYS_DATA']", "reads EMRYS_DATA: only tests/real_data.py may"),
        ("os.environ.get('EMRYS_DATA', 'data')", "reads EMRYS_DATA: only tests/real_data.py may"),
        ("os.getenv('EMRYS_DATA')", "reads EMRYS_DATA: only tests/real_data.py may"),
    ],
)
def test_a_path_outside_is_reported_with_its_line(line, reason):
    # The file is tests/blocks/test_x.py: `parents[2]` is the root.
    assert violations(f"import os\n{line}\n", depth=2) == [f"2: {reason}"]


@pytest.mark.parametrize(
    "line",
    [
        "ROOT = Path(__file__).resolve().parents[2]",
        "Path(__file__).parent.parent.parent / 'docs'",
        "(Path(__file__).parents[2] / 'charts' / 'serving').parent.parent",
        "names = ['../evil', 'shared', 'shared/expert_0']; text = '/'.join(['shared', '..'])",
        "tmp_path / 'shared.keras'",
        "Path('/proc/self/status').read_text()",
        "RunRequest(Path('/out'))",
        "monkeypatch.setenv('EMRYS_DATA', str(tmp_path))",
        "real_data.path('ml-100k.zip')",
    ],
)
def test_a_path_inside_is_not_reported(line):
    assert violations(line, depth=2) == []
