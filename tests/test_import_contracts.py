"""The contract against circles between packages holds, and a planted import that closes one breaks it."""

from __future__ import annotations

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract


def _contract(root: str) -> AcyclicSiblingsContract:
    configuration = read_configuration()
    matches = [
        options
        for options in configuration["contracts_options"]
        if options["type"] == "acyclic_siblings" and root in options["ancestors"]
    ]
    assert len(matches) == 1, f"pyproject.toml needs one contract acyclic_siblings for {root}"
    return AcyclicSiblingsContract(matches[0]["name"], configuration["session_options"], matches[0])


@pytest.fixture(scope="module", params=["emrys.blocks", "emrys.components"])
def root(request):
    return request.param


@pytest.fixture(scope="module")
def graph(root):
    return grimp.build_graph(root, cache_dir=None)


def _edge_between_packages(graph: grimp.ImportGraph, root: str) -> tuple[str, str]:
    """A module and a module of another package that it imports."""

    def package(module: str) -> str:
        return module.removeprefix(f"{root}.").split(".")[0]

    inside = [module for module in sorted(graph.modules) if module.startswith(f"{root}.")]
    return next(
        (importer, imported)
        for importer in inside
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if imported in inside and package(importer) != package(imported)
    )


def test_packages_form_no_circle(graph, root):
    assert _contract(root).check(graph, verbose=False).kept


def test_an_import_that_closes_a_circle_breaks_the_contract(graph, root):
    importer, imported = _edge_between_packages(graph, root)
    graph.add_import(importer=imported, imported=importer)
    assert not _contract(root).check(graph, verbose=False).kept
    graph.remove_import(importer=imported, imported=importer)
