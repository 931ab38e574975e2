"""The generated pages of docs are what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import emrys.blocks.api

DOCS = Path(__file__).resolve().parents[1] / "docs"


def _generator(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_api_page_is_up_to_date():
    written = (DOCS / "api.md").read_text(encoding="utf-8")
    assert _generator("generate_api").page() == written, "run `make docs`"


def test_the_api_page_holds_every_name():
    headings = set((DOCS / "api.md").read_text(encoding="utf-8").splitlines())
    assert [name for name in emrys.blocks.api.__all__ if f"### `{name}`" not in headings] == []


def test_the_pages_of_the_steps_are_up_to_date():
    written = {file.name: file.read_text(encoding="utf-8") for file in (DOCS / "components").glob("*.md")}
    assert _generator("generate_components").pages() == written, "run `make docs`"


def test_the_tables_of_a_recipe_are_up_to_date():
    written = (DOCS / "recipe.md").read_text(encoding="utf-8")
    assert _generator("generate_recipe").page(written) == written, "run `make docs`"


def test_the_errors_of_the_troubleshooting_page_are_raised_somewhere():
    quoted = [
        line.split("`")[1]
        for line in (DOCS / "troubleshooting.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("### `")
    ]
    assert len(quoted) > 15
    sources = "\n".join(
        file.read_text(encoding="utf-8")
        for package in ("blocks", "components", "pipelines")
        for file in (DOCS.parent / package).rglob("*.py")
    )
    joined = sources.replace('"\n', "").replace('" f"', "")
    assert [text for text in quoted if text not in joined] == []
