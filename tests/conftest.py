"""Options of the whole suite, and how its tests are shared out among processes."""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

#: Where tests share a fixture that takes many seconds: each stays in one process, and begins first.
LONGEST = ("tests/pipelines/test_ranking_run.py", "tests/components/export_retrieval", "tests/components/serving")

_seconds: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--report-slower-than",
        type=float,
        metavar="SECONDS",
        help="list the tests that took longer, setup included: candidates for the marker `slow`",
    )


def _place(file: str) -> str:
    """The group of a test file: one of `LONGEST`, or itself."""
    return next((place for place in LONGEST if Path(file).is_relative_to(place)), file)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest first; the others stay in their order."""
    ranks = {place: rank for rank, place in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(_place(item.nodeid.split("::")[0]), len(ranks)))


def pytest_collection_finish() -> None:
    """Keeps the imported modules and the collected tests out of later garbage collections: a third of a second each."""
    gc.collect()
    gc.freeze()


class _ByPlace(LoadFileScheduling):
    # The groups of `--dist loadgroup` have no effect with pytest 9.2 and pytest-xdist 3.8.
    def _split_scope(self, nodeid: str) -> str:
        return _place(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    return _ByPlace(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    limit = config.getoption("report_slower_than")
    slower = [] if limit is None else [(test, seconds) for test, seconds in _seconds.most_common() if seconds > limit]
    if slower:
        terminalreporter.section(f"tests that took more than {limit:g} s: mark them slow, or make them faster")
    for test, seconds in slower:
        terminalreporter.line(f"{seconds:6.1f}  {test}")
