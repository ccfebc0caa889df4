"""What every chaos test has: a stage; and for the chaos suite a keeper of numbers, a limit of time, and a table.

The chaos suite are the modules `every_*.py`, which `make test-chaos` names; nobody else collects them.
"""

import time
from collections.abc import Iterator

import pytest

from tests.chaos import table
from tests.chaos.stories import Record
from tests.e2e.conftest import stage

__all__ = ["stage"]

MOST_MINUTES = 60.0
_began = time.monotonic()
_jobs: list[table.Job] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make test-chaos ARGS=…` can say besides pytest's own words."""
    parser.addoption("--page", action="store_true", help="put the table into docs/explanation/chaos.md")
    parser.addoption("--most-minutes", type=float, default=MOST_MINUTES, help="begin nothing behind that time")


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Iterator[Record]:
    """Keeps numbers of one job for the table. A job that would begin too late fails: nobody has looked."""
    if time.monotonic() - _began > 60 * request.config.getoption("--most-minutes"):
        pytest.fail("Not looked at: the time of the chaos suite is over (--most-minutes).", pytrace=False)
    yield lambda name, value: request.node.user_properties.append((name, value))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what a job of the suite came to; its clearing up counts too."""
    if "/chaos/every_" in report.nodeid and (report.when == "call" or report.failed):
        _jobs.append(table.Job(name=report.nodeid, ok=report.passed, kept=dict(report.user_properties)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the suite has seen, and put it into the page if that was asked for."""
    if not _jobs:
        return
    lines = table.lines(_jobs, minutes=(time.monotonic() - _began) / 60)
    terminalreporter.section("chaos")
    for line in lines:
        terminalreporter.write_line(line)
    if config.getoption("--page"):
        table.write(lines)
