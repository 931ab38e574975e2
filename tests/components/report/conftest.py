"""Made runs: one that was promoted over another version, one that did not pass, one of a retrieval model."""

from pathlib import Path
from typing import NamedTuple

import pytest

from emrys.components.contracts.evaluation import Evaluation
from emrys.components.model_registry.registry import Registry
from emrys.components.report.page import RunPage
from tests.components.report.run_artifacts import (
    RANKING,
    RETRIEVAL,
    column,
    write_page,
    write_ranking,
    write_repository,
    write_retrieval,
    write_run,
    write_schema,
)
from tests.components.reporting.reading import Page


class Made(NamedTuple):
    """A run and its page."""

    folder: Path
    run: dict[str, Path]
    evaluation: Evaluation
    shown: RunPage
    html: str
    page: Page


def _made(folder: Path, run: dict[str, Path], shown: RunPage) -> Made:
    html = (folder / "page").read_text(encoding="utf-8")
    return Made(folder, run, Evaluation(run["evaluation"]), shown, html, Page(html))


@pytest.fixture(scope="session")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A ranking model that went into production in place of another."""
    folder = tmp_path_factory.mktemp("promoted")
    registry = Registry(folder / "registry", "films")
    before = write_schema(folder / "earlier", column("gone", "categorical"), items=30)
    live = registry.promote(registry.add({"schema": before}).name).version
    evaluation = write_ranking(folder / "evaluation", production=live)
    run = write_run(folder, evaluation, RANKING, column("genres", "categorical", "item", ids=22))
    # As promote leaves it: by now something else is in production.
    registry.promote(registry.add({"schema": run["schema"]}).name)
    shown = write_page(
        run,
        folder / "page",
        write_repository(folder / "repository").path,
        version="20260131T081500.250Z-1f0e4c22",
        registry=str(folder / "registry"),
        model_name="films",
        run_name="films-42",
    )
    return _made(folder, run, shown)


@pytest.fixture(scope="session")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A ranking model that did not pass."""
    folder = tmp_path_factory.mktemp("failed")
    run = write_run(folder, write_ranking(folder / "evaluation", good=False), RANKING)
    return _made(folder, run, write_page(run, folder / "page"))


@pytest.fixture(scope="session")
def retrieval(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A retrieval model that passed, and nothing to promote it to."""
    folder = tmp_path_factory.mktemp("retrieval")
    run = write_run(folder, write_retrieval(folder / "evaluation"), RETRIEVAL)
    return _made(folder, run, write_page(run, folder / "page", write_repository(folder / "repository").path))
