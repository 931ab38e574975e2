"""Every path that the page about the architecture and the guide for contributors name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["docs/architecture.md", "CONTRIBUTING.md"]
#: Text in backticks with a slash and without spaces; and files of the top folder, by their endings.
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)+/?|[\w.-]+/|[\w-]+\.(md|toml|lock)|Makefile|LICENSE|NOTICE")


def named_paths(text: str) -> list[str]:
    """Paths in backticks, outside fenced blocks: a page writes what exists only in a run into such a block."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [quoted for quoted in re.findall(r"`([^`\n]+)`", prose) if _PATH.fullmatch(quoted)]


def test_paths_are_distinguished_from_other_quoted_text():
    text = (
        "`a/b.py`, `docs/`, `README.md`, `make lint`, `step.py`, `emrys.blocks`, `gs://a/b`\n```console\n`c/d`\n```\n"
    )
    assert named_paths(text) == ["a/b.py", "docs/", "README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_path_exists(page):
    paths = named_paths((ROOT / page).read_text(encoding="utf-8"))
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []
