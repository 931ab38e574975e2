"""Options of the whole suite, and how its tests are shared out among processes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

#: Where tests share a fixture that takes many seconds: each stays in one process, and begins first.
LONGEST = ("pipelines/test_ranking_run.py", "components/export_retrieval", "components/serving")

_seconds: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--report-slower-than",
        type=float,
        metavar="SECONDS",
        help="list the tests that took longer, setup included: candidates for the marker `slow`",
    )


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups tests by module, or as `LONGEST` says, for `--dist loadgroup`."""
    order = {}
    for item in items:
        path = item.path.relative_to(TESTS)
        shared = next((place for place in LONGEST if path.is_relative_to(place)), None)
        order[item] = len(LONGEST) if shared is None else LONGEST.index(shared)
        item.add_marker(pytest.mark.xdist_group(shared or path.as_posix()))
    items.sort(key=order.__getitem__)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    limit = config.getoption("report_slower_than")
    slower = [] if limit is None else [(test, seconds) for test, seconds in _seconds.most_common() if seconds > limit]
    if slower:
        terminalreporter.section(f"tests that took more than {limit:g} s: mark them slow, or make them faster")
    for test, seconds in slower:
        terminalreporter.line(f"{seconds:6.1f}  {test}")
