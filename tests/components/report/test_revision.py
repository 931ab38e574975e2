import subprocess
from pathlib import Path

import pytest

from emrys.components.report.revision import revision


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Runs git in a new checkout with one commit, in which nobody's own settings count."""
    monkeypatch.delenv("EMRYS_REVISION", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")

    def call(*arguments: str) -> str:
        settings = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run(["git", *settings, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    (tmp_path / "code.py").write_text("1", encoding="utf-8")
    call("init", "--quiet")
    call("add", "code.py")
    call("commit", "--quiet", "--message", "a")
    return call


def test_the_image_variable_comes_first(git, tmp_path, monkeypatch):
    monkeypatch.setenv("EMRYS_REVISION", "c0ffee\n")
    assert revision(tmp_path) == "c0ffee"


def test_of_a_checkout(git, tmp_path):
    head = git("rev-parse", "HEAD")
    assert len(head) == 40
    assert revision(tmp_path) == head
    (tmp_path / "code.py").write_text("2", encoding="utf-8")
    assert revision(tmp_path) == f"{head} and changes"


def test_an_environment_inside_a_checkout_is_not_of_it(git, tmp_path):
    (tmp_path / ".venv" / "site-packages").mkdir(parents=True)
    assert revision(tmp_path / ".venv" / "site-packages") == "unknown"


def test_elsewhere(tmp_path, monkeypatch):
    monkeypatch.delenv("EMRYS_REVISION", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision(tmp_path) == "unknown"
    monkeypatch.setenv("EMRYS_REVISION", " ")
    assert revision(tmp_path) == "unknown"


def test_without_git(tmp_path, monkeypatch):
    monkeypatch.delenv("EMRYS_REVISION", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision() == "unknown"


def test_images_say_what_they_were_built_from():
    dockerfile = (Path(__file__).parents[3] / "containers" / "train" / "Dockerfile").read_text(encoding="utf-8")
    assert "ENV EMRYS_REVISION=${REVISION}" in dockerfile
    assert dockerfile.index("ARG REVISION") < dockerfile.index("ENV EMRYS_REVISION")
