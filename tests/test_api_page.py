"""docs/api.md is what the docstrings say, and holds every public name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import blocks.api

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("generate_api", DOCS / "generate_api.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    written = (DOCS / "api.md").read_text(encoding="utf-8")
    assert generator.page() == written, "run `make docs` to write docs/api.md anew"


def test_page_holds_every_name():
    headings = set((DOCS / "api.md").read_text(encoding="utf-8").splitlines())
    assert [name for name in blocks.api.__all__ if f"### `{name}`" not in headings] == []
