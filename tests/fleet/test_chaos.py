"""A short life of a small fleet, in both forms, with workers killed up to three times each.

The long one is `nox -s fleet`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fleet import chaos, waiting

# As much as a busy machine may need.
pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_fleet_on_a_queue_outlives_its_workers(conninfo: str, tmp_path: Path) -> None:
    result = await chaos.live("queue", tmp_path, practices=24, conninfo=conninfo, minutes=5)
    assert result.problems == []
    assert result.kills, "how many of the six come depends on the machine"
    assert result.faults


async def test_a_fleet_on_one_machine_outlives_its_process(tmp_path: Path) -> None:
    result = await chaos.live("one-machine", tmp_path, practices=24, minutes=5)
    assert result.problems == []
    assert sum(result.kills.values()) == 3
    assert result.faults


async def test_two_workers_keep_to_one_rate(conninfo: str) -> None:
    """No stretch of the fleet's time, of whatever length, holds more than its rate and a burst."""
    result = await waiting.wait_a_day(
        60, conninfo, rate=0.4, burst=5, interval=120.0, scale=60.0, length=600.0
    )
    assert result.stages == {"waiting": 60}
    assert result.polls > 60, "each practice was looked at again"
    assert min(result.by_worker) > 10
    # The turns are exact; when a request arrives is up to two busy processes and a socket.
    assert result.excess <= 5 + 7
