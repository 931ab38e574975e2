"""Examples of the README and the documents run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from emrys.components.recipe.reading import read_recipe
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.config.ranking_config import RankingConfig
from tests import real_data

ROOT = Path(__file__).resolve().parents[1]
#: On a page whose blocks of Python need each other.
_ONE_PROGRAM = "<!-- The blocks of this page run one after the other. -->"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _blocks(language: str) -> list[object]:
    found = []
    for page in PAGES:
        blocks = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        found += [pytest.param(block, id=f"{page.name}-{number}") for number, block in enumerate(blocks)]
    return found


def _commands() -> list[object]:
    lines = [line for block in _blocks("sh") for line in block.values[0].splitlines()]
    commands = dict.fromkeys(line.split("#")[0].strip() for line in lines)
    return [command for command in commands if command]


def _programs() -> list[object]:
    """Each block of Python alone; those of a page that says so as one program."""
    found = []
    for block in _blocks("python"):
        page, number = block.id.rsplit("-", 1)
        if _ONE_PROGRAM not in next(path for path in PAGES if path.name == page).read_text(encoding="utf-8"):
            found.append(block)
        elif number == "0":
            together = [other.values[0] for other in _blocks("python") if other.id.rsplit("-", 1)[0] == page]
            found.append(pytest.param("\n".join(together), id=page))
    return found


@pytest.mark.parametrize("code", _programs())
@pytest.mark.slow
def test_python(code, tmp_path):
    for archive in re.findall(r"path=\"([\w-]+\.zip)\"", code):
        (tmp_path / archive).symlink_to(real_data.path(archive))
    (tmp_path / "shown.py").write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "shown.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", _blocks("yaml"))
def test_recipes_and_configurations(text, tmp_path):
    (tmp_path / "file.yaml").write_text(text, encoding="utf-8")
    if re.search("^data:", text, re.MULTILINE):
        assert read_recipe(tmp_path / "file.yaml").data.path
    else:
        assert read_config(tmp_path / "file.yaml", RankingConfig).steps.train.gpus == 1


@pytest.mark.parametrize("command", _commands())
@pytest.mark.slow
def test_commands_exist(command):
    program, *arguments = shlex.split(command)
    if program == "make":
        subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)
        return
    assert program == "emrys"
    # `--help` at the end stops before anything is done, but after the options have been read.
    done = subprocess.run(
        [str(Path(sys.executable).with_name("emrys")), *arguments, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    options = [argument for argument in arguments if argument.startswith("-")]
    assert all(option in done.stdout for option in options)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
