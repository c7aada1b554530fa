"""A day of waiting for a fleet, in virtual time.

``VIRTUAL_DAY_PRACTICES=100000`` runs the World's day at full size, as `nox -s bench-approvals`
does; that takes more than half an hour of CPU time.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import tracemalloc

import pytest

from ormco_trios import AsyncCommunicateClient, PollSchedule
from ormco_trios.communicate.approval import begin_wait
from ormco_trios.communicate.models import Connection, User
from ormco_trios.communicate.rounds import Rounds
from ormco_trios.core._lanes import AsyncLane, work_through_async
from ormco_trios.core.clock import ManualClock
from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.sandbox.world.seeds import LAB_EMAILS
from ormco_trios.sandbox.world.state import TokenRecord

PRACTICES = int(os.environ.get("VIRTUAL_DAY_PRACTICES", "300"))
DAY = 86_400.0


def approval_times(n: int) -> list[float]:
    """Log-normal, four hours in the middle; what would take longer than a day never comes."""
    rng = random.Random(n)
    return [rng.lognormvariate(math.log(4 * 3600), 1.0) for _ in range(n)]


def bound_on_polls(times: list[float]) -> int:
    """The looks the schedule would take without jitter, and a tenth more."""
    schedule, looks = PollSchedule(), [0.0]
    while looks[-1] < DAY:
        looks.append(looks[-1] + schedule.next(looks[-1]))
    return int(1.1 * sum(1 + sum(look < min(t, DAY) for look in looks) for t in times))


@pytest.mark.anyio
async def test_a_fleets_day_in_the_world() -> None:
    with Sandbox(token_lifetime=2 * DAY) as sandbox:
        times = approval_times(PRACTICES)
        state, now = sandbox.world.state, sandbox.clock.time()
        lab = sandbox.world.user(LAB_EMAILS[sandbox.practice.server])
        registered = state.clients[sandbox.client_id]
        waits = []
        for practice, time in zip(sandbox.practices(PRACTICES), times, strict=True):
            user = sandbox.world.user(practice.email)
            grant = sandbox.world.grant(user, registered)
            token = state.new_secret()
            state.tokens[token] = TokenRecord(
                "access", "classic", grant.id, grant.id, "", now, now + 2 * DAY
            )
            sandbox.world.set_approval(Approval.after(time), practice=practice.email)
            connection = sandbox.world.new_connection(user, lab)
            client = AsyncCommunicateClient(sandbox.environment, token=token)
            waits.append((practice.email, client, client.connections.begin_wait(connection.id)))
        sandbox.journal.clear()
        delays, late, polls = [], 0, 0
        approved_at = dict(zip((key for key, _, _ in waits), times, strict=True))
        async with AsyncCommunicateClient.wait_for_many(waits) as outcomes:
            async for outcome in outcomes:
                if outcome.connection is None:
                    late += 1
                else:
                    delays.append(sandbox.clock.monotonic() - approved_at[outcome.key])
                if len(sandbox.journal) > 10_000:  # or it would be what fills the memory
                    polls += len(sandbox.journal)
                    sandbox.journal.clear()
            polls += len(sandbox.journal)
            assert outcomes.progress.polls == polls
        assert late == sum(time > DAY for time in times)
        assert len(delays) == PRACTICES - late
        waited = statistics.fmean(time for time in times if time <= DAY)
        assert statistics.fmean(delays) <= 0.065 * waited
        assert polls <= bound_on_polls(times)


@pytest.mark.anyio
async def test_a_hundred_thousand_waits_take_little_memory_and_all_end() -> None:
    """The agenda and the lanes at full size; the service answers at once."""
    n = 100_000
    clock = ManualClock()
    waiting = User(id="p", connections=[Connection(id="c", connection_accepted=False)])
    active = User(id="p", connections=[Connection(id="c", connection_accepted=True)])
    clients = [object() for _ in range(n)]
    wait = begin_wait("c", clock=clock)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    rounds: Rounds[int, object] = Rounds(
        ((key, client, wait) for key, client in enumerate(clients)),
        clock=clock,
        host_of=lambda _: "",
        per_host=32,
    )
    used, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used - before <= 0.3 * 1024 * n
    assert peak - before <= 0.3 * 1024 * n

    approved_at = [time / 1000 for time in approval_times(n)]

    async def ask(account: int, lane: AsyncLane) -> User:
        return active if approved_at[account] <= clock.monotonic() else waiting

    seen = set()
    async for outcome in work_through_async(rounds, ask, clock=clock, lanes=32, library="httpx"):
        rounds.claim(outcome)
        assert outcome.connection is not None
        seen.add(outcome.key)
    assert len(seen) == n
    assert rounds.progress().polls < 10 * n
