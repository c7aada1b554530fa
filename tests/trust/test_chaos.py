"""The short form of `tests.trust.chaos`; ``nox -s chaos`` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.trust.chaos import shard, watching

pytestmark = [pytest.mark.socket, pytest.mark.slow]


def test_a_little_chaos(tmp_path: Path) -> None:
    with watching():
        result = shard(7, 6, tmp_path)
    assert result.problems == []
    assert result.connected == 6
    assert result.kills > 1
    assert result.forks  # how often it was interrupted depends on how fast the machine is
    assert result.faults > 10
