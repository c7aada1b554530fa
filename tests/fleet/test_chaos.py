"""A short life of a small fleet, in both forms, with workers killed up to three times each.

The long one is `nox -s fleet`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fleet import chaos, waiting

# As much as a busy machine may need; nothing is asserted of how long it takes.
pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_fleet_on_a_queue_outlives_its_workers(conninfo: str, tmp_path: Path) -> None:
    result = await chaos.live(
        "queue", tmp_path, practices=24, conninfo=conninfo, minutes=2, limit=270
    )
    assert result.problems == []
    assert result.kills, "how many of the six come depends on who is faster"
    assert result.faults


async def test_a_fleet_on_one_machine_outlives_its_process(tmp_path: Path) -> None:
    result = await chaos.live("one-machine", tmp_path, practices=24, minutes=2, limit=270)
    assert result.problems == []
    assert sum(result.kills.values()) == 3
    assert result.faults


async def test_two_workers_keep_to_one_rate(conninfo: str) -> None:
    """No two turns are closer than the rate allows, and no request comes before its turn."""
    result = await waiting.wait_a_day(
        60, conninfo, rate=0.4, burst=5, interval=120.0, scale=120.0, length=None
    )
    assert result.stages == {"waiting": 60}
    assert result.polls > 60, "each practice was looked at again"
    assert min(result.by_worker) >= 10
    assert result.keeps_its_rate, result
