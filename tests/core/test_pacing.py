"""The rate of requests: shared by all clients of an environment, counted at the sandbox."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import SyncOrAsync
from tests.practices import signed_in

from ormco_trios.core.clock import ManualClock
from ormco_trios.core.pacing import TokenBucket
from ormco_trios.sandbox import Sandbox


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 10),
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=50),
)
def test_no_stretch_of_time_holds_more_than_its_rate_and_a_burst(
    rate: float, burst: int, gaps: list[float]
) -> None:
    clock, bucket = ManualClock(), TokenBucket(rate, burst=burst)
    turns = []
    for gap in gaps:
        clock.advance(gap)
        turns.append(clock.monotonic() + bucket.reserve("h", clock))
    assert turns == sorted(turns)
    for (i, first), (j, last) in itertools.combinations(enumerate(turns), 2):
        assert j - i + 1 <= (last - first) * rate + burst + 1e-6


def test_who_comes_after_a_rest_is_not_held_up() -> None:
    clock, bucket = ManualClock(), TokenBucket(1.0, burst=3)
    assert [bucket.reserve("h", clock) for _ in range(5)] == [0, 0, 0, 1, 2]
    assert bucket.reserve("another", clock) == 0
    clock.advance(60)
    assert [bucket.reserve("h", clock) for _ in range(4)] == [0, 0, 0, 1]


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_what_is_no_rate(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="rate must be positive"):
        TokenBucket(rate, burst=burst)


def test_all_clients_of_an_environment_share_it(both: SyncOrAsync) -> None:
    """Repetitions count as well: the service does not care why it is asked."""
    with Sandbox() as sandbox:
        paced = sandbox.environment.paced(TokenBucket(0.5))
        clients = [
            both.communicate(environment=paced, auth=signed_in(both, sandbox).oauth.auth)
            for _ in range(2)
        ]
        sandbox.journal.clear()
        sandbox.fault("users.me", status=503, times=1)
        for client in clients * 3:
            client.users.me()
        times = [entry.time for entry in sandbox.journal.find("users.me")]
    assert len(times) == 7
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps) >= 2.0 - 1e-6
    assert sandbox.environment.pacer is None
