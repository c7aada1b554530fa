"""A pytest plugin: which tests cost most, by the CPU time of their processes.

How long a test takes depends on what else the machine does; how much CPU time it takes hardly does.
The processes that a test starts count as well, as soon as they have ended.  ``nox -s tests`` ends
with the total, and ``nox -s slowest`` shows more of it; with an environment of your own it is
``python -m pytest -p tools.cpu -n auto --slowest 40``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

_before = 0.0


def cpu() -> float:
    """Seconds of CPU that this process and its ended children have used."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption(
        "--slowest", type=int, default=5, help="how many test functions to list, by CPU time"
    )


def pytest_runtest_logstart() -> None:
    """What passed before the test is not the test's."""
    global _before
    _before = cpu()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write the CPU time of each part of a test into its report."""
    global _before
    report = yield
    now = cpu()
    # A report takes any attribute along from one process to another.
    vars(report)["cpu"], _before = now - _before, now
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table."""
    spent: Counter[str] = Counter()
    cases: Counter[str] = Counter()
    fixtures = 0.0
    for reports in terminalreporter.stats.values():
        for report in reports:
            if not hasattr(report, "cpu"):
                continue
            name = report.nodeid.partition("[")[0]
            if report.when == "teardown":
                # The last user of a fixture would pay for everybody.
                fixtures += report.cpu
                continue
            spent[name] += report.cpu
            cases[name] += report.when == "call"
    # The processes of pytest-xdist have ended: they are children of this one.
    total = cpu()
    write = terminalreporter.write_line
    terminalreporter.write_sep("=", "CPU time")
    shown = config.getoption("slowest")
    for name, seconds in spent.most_common(shown):
        write(f"{seconds:7.2f} s  {name}" + (f" ({cases[name]})" if cases[name] > 1 else ""))
    rest = spent.most_common()[shown:]
    write(f"{sum(seconds for _, seconds in rest):7.2f} s  {len(rest)} other test functions")
    write(f"{fixtures:7.2f} s  the ends of fixtures")
    write(f"{total - spent.total() - fixtures:7.2f} s  starting, importing and collecting")
    write(f"{total:7.2f} s  in all")
