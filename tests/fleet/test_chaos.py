"""A short life of a small fleet, in both forms, with every worker killed three times.

The long one is `nox -s fleet`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fleet import chaos

pytestmark = pytest.mark.anyio


async def test_a_fleet_on_a_queue_outlives_its_workers(conninfo: str, tmp_path: Path) -> None:
    result = await chaos.live("queue", tmp_path, practices=24, conninfo=conninfo, minutes=5)
    assert result.problems == []
    assert sum(result.kills.values()) == 6
    assert result.faults


async def test_a_fleet_on_one_machine_outlives_its_process(tmp_path: Path) -> None:
    result = await chaos.live("one-machine", tmp_path, practices=24, minutes=5)
    assert result.problems == []
    assert sum(result.kills.values()) == 3
    assert result.faults
