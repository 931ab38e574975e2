"""Runs the programs of `examples/from_merlin`: written as for Merlin Models, but for one import.

The header of each lists, under `Calls:`, the calls of the published program that it stands for, with `_` for values.
"""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import keras
import pytest

from benchmarks.released_programs import figures

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "from_merlin"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.fixture
def new_session():
    yield
    keras.backend.clear_session()


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.usefixtures("new_session")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # some programs are written in the first generation
def test_program(name, capsys):
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    assert figures(capsys.readouterr().out)  # benchmarks/released_programs.py reads them


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_import_differs(name):
    imports = []
    for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imports += [(alias.name, alias.asname) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append((node.module, None))
    ours = [
        (module, alias) for module, alias in imports if module.split(".")[0] in ("emrys", "examples", "keras", "tests")
    ]
    assert ours == [("emrys.blocks", "mm")]


def header_calls(tree: ast.Module) -> list[ast.Call]:
    """The calls that the header of a program lists."""
    lines = (ast.get_docstring(tree) or "").partition("\nCalls:\n")[2].splitlines()
    return [ast.parse(line.strip(), mode="eval").body for line in lines if line.strip()]


def makes(call: ast.Call, listed: ast.Call) -> bool:
    """Whether a call is the listed one: a function of a module by its whole name, a method by its last name."""
    whole = isinstance(listed.func, ast.Name) or ast.unparse(listed.func).split(".")[0] in MODULES
    if whole and ast.unparse(call.func) != ast.unparse(listed.func):
        return False
    if not whole and (not isinstance(call.func, ast.Attribute) or call.func.attr != listed.func.attr):
        return False
    names = {each.arg for each in call.keywords}
    return len(call.args) >= len(listed.args) and names >= {each.arg for each in listed.keywords}


#: A listed call of something else is one of a method, whatever the object is called.
MODULES = ("mm", "ops", "tf", "keras", "merlin")


@pytest.mark.parametrize("name", PROGRAMS)
def test_calls_of_the_published_program(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    listed = header_calls(tree)
    assert len(listed) >= 5
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    missing = [ast.unparse(call) for call in listed if not any(makes(each, call) for each in made)]
    assert missing == []


def test_what_counts_as_the_listed_call():
    def is_made(code: str, listed: str) -> bool:
        return makes(ast.parse(code, mode="eval").body, ast.parse(listed, mode="eval").body)

    assert is_made("mm.MLPBlock([8], dropout=0.1)", "mm.MLPBlock(_)")
    assert is_made("model2.fit(data, epochs=3, verbose=0)", "model.fit(_, epochs=_)")
    assert not is_made("mm.MLPBlock([8])", "mm.MLPBlock(_, dropout=_)")
    assert not is_made("mm.CrossBlock([8])", "mm.MLPBlock(_)")
    assert not is_made("mm.MLPBlock(dimensions=[8])", "mm.MLPBlock(_)")
    assert not is_made("model.evaluate(data, epochs=3)", "model.fit(_, epochs=_)")


#: The fourteen programs that are published for Merlin Models, each with those that stand for it.
PUBLISHED = {
    "getting started": ["getting_started"],
    "integration with NVTabular": ["nvtabular_integration"],
    "exploring ranking models": ["ranking_models", "dlrm"],
    "exporting ranking models": ["exporting_ranking_models"],
    "retrieval with a two-tower": ["two_tower", "matrix_factorization"],
    "an own architecture": ["own_architecture"],
    "session-based with and without transformers": [
        "session_based",
        "session_based_mlp",
        "session_based_lstm",
        "session_based_pretrained",
    ],
    "two-tower with hyperparameter search": ["retrieval_search", "hyperparameter_search"],
    "layer freezing": ["incremental_training"],
    "lazy Adam": ["lazy_adam"],
    "multi-task with MMOE and PLE": ["multi_task"],
    "pretrained embeddings through EmbeddingOperator": ["pretrained_embeddings"],
    "the quick start for ranking": ["quick_start_ranking"],
    "multi-stage": ["multi_stage"],
}


def test_every_published_program_is_there():
    assert sorted(name for names in PUBLISHED.values() for name in names) == PROGRAMS
    assert len(PUBLISHED) == 14
