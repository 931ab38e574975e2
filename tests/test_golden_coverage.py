"""Every golden case is used by a test."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

from tests import golden

TESTS = Path(__file__).resolve().parent

#: Cases that no test asks `golden.cases` for, by the test that covers them.
BY_HAND = {
    # `golden.schema("SMALL")` reads it, for all cases that name it.
    "blocks/schema/test_functions.py::test_golden_select_targets_of_small": ["conventions/small schema-15"],
    # They read the file themselves, and make data of the columns that a case names.
    "blocks/loader/test_sample_batch.py::test_golden_kinds_types_and_shapes": [
        f"conventions/sample_batch-{number}" for number in (37, 38, 40, 41, 42, 43)
    ],
    "blocks/loader/test_sample_batch.py::test_values_of_a_prepared_batch": ["conventions/sample_batch-46"],
    "blocks/loader/test_sample_batch.py::test_a_data_set_needs_a_batch_size": ["conventions/sample_batch-45"],
    "blocks/loader/test_batches.py::test_golden_loader_of_the_small_schema": ["conventions/Loader-47"],
}

#: Cases of parts that the library does not have, and why.
LEFT_OUT = {
    "conventions/dataset schema-39": "`generate_data` belongs to another package of Merlin",
    "conventions/dataset schema-44": "`generate_data` belongs to another package of Merlin",
}


def test_every_case_is_used():
    for path in TESTS.rglob("test_*.py"):
        if "golden.cases(" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(["tests", *path.relative_to(TESTS).with_suffix("").parts]))
    elsewhere = {name for names in BY_HAND.values() for name in names} | LEFT_OUT.keys()
    unused = [
        f"{file}/{case.id}: {case.call}"
        for file in golden.files()
        for case in golden.read(file)
        if (file, case.index) not in golden.ASKED_FOR and f"{file}/{case.id}" not in elsewhere
    ]
    assert not unused, "\n".join(["golden cases that no test uses:", *unused])


def test_tests_elsewhere_exist():
    known = {f"{file}/{case.id}" for file in golden.files() for case in golden.read(file)}
    assert {name for names in BY_HAND.values() for name in names} | LEFT_OUT.keys() <= known
    for test in BY_HAND:
        path, name = test.split("::")
        tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, test
