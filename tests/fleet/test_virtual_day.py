"""A day of waiting for a fleet, in virtual time.

``VIRTUAL_DAY_PRACTICES=10000`` runs both at full size, as `nox -s bench-approvals` does.
"""

from __future__ import annotations

import math
import os
import random
import statistics
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.fleet.waiting import access_token

from ormco_trios import MemoryTokenStore, PollSchedule, Token
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.connections import AsyncHttpConnections
from ormco_trios.fleet import (
    AsyncFleet,
    AsyncPracticeOpener,
    FleetPractice,
    FleetRecords,
    PracticeStatus,
    Stage,
)
from ormco_trios.fleet._workers import AsyncWorkerPool
from ormco_trios.fleet.schedule import TICK, FleetSchedule
from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.sandbox.world.seeds import LAB_EMAILS

pytestmark = pytest.mark.usefixtures("sqlite_is_closed")

PRACTICES = int(os.environ.get("VIRTUAL_DAY_PRACTICES", "60"))
DAY = 86_400.0


def approval_times(n: int) -> list[float]:
    """Log-normal, four hours in the middle, and within a day."""
    rng = random.Random(n)
    return [min(DAY, rng.lognormvariate(math.log(4 * 3600), 1.0)) for _ in range(n)]


def bound_on_looks(times: list[float]) -> int:
    """The looks the schedule would take without jitter, and a tenth more."""
    schedule, looks = PollSchedule(), [0.0]
    while looks[-1] < DAY:
        looks.append(looks[-1] + schedule.next(looks[-1]))
    return int(1.1 * sum(1 + sum(look < time for look in looks) for time in times))


@pytest.mark.anyio
async def test_a_fleets_day_in_the_world(tmp_path: Path) -> None:
    """Each approval is noticed after a few percent of its wait, with few requests."""
    times = approval_times(PRACTICES)
    with Sandbox() as sandbox:
        store = MemoryTokenStore()
        lab = sandbox.world.user(LAB_EMAILS[sandbox.practice.server])
        practices = {}
        approved_at = {}
        for n, who in enumerate(sandbox.practices(PRACTICES)):
            user = sandbox.world.user(who.email)
            practices[f"p{n}"] = practice = FleetPractice.model_validate(
                {
                    "id": f"p{n}",
                    "portal_username": who.portal_username,
                    "portal_password": who.portal_password,
                }
            )
            account = f"{sandbox.environment.name}:{sandbox.client_id}:{practice.id}"
            store.save(account, Token(SecretStr(access_token(sandbox, user))))
            sandbox.world.set_approval(Approval.after(times[n]), practice=who.email)
            sandbox.world.new_connection(user, lab)
            approved_at[f"p{n}"] = sandbox.clock.monotonic() + times[n]
        # So that it ends for each once it is approved.
        sandbox.fault("trios.authorization", status=403, times=None)
        opener = AsyncPracticeOpener(
            sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
            store=store,
        )
        delays = []
        looks = 0
        async with AsyncFleet(
            practices, opener.open, tmp_path / "fleet.db", clock=sandbox.clock
        ) as fleet:
            async for status in fleet.run():
                looks += 1
                if status.stage is Stage.FAILED:
                    now = sandbox.clock.monotonic()
                    delays.append(now - approved_at.pop(status.practice))
                if len(sandbox.journal) > 10_000:  # or it would be what fills the memory
                    sandbox.journal.clear()
        assert approved_at == {}
        assert min(delays) >= 0
        assert statistics.fmean(delays) <= 0.065 * statistics.fmean(times)
        assert looks <= bound_on_looks(times)


@pytest.mark.anyio
async def test_nobody_is_early_late_or_forgotten_in_a_day(tmp_path: Path) -> None:
    """The schedule and the workers alone, with a service that answers at once."""
    n = 20 * PRACTICES
    clock = ManualClock()
    began = clock.monotonic()
    times = approval_times(n)
    schedule = PollSchedule()
    due = {f"p{i}": began for i in range(n)}
    looks = 0

    async def look(practice: str, _: AsyncHttpConnections) -> PracticeStatus:
        nonlocal looks
        looks += 1
        now = clock.monotonic()
        assert due[practice] <= now + 1e-5 <= due[practice] + TICK + 2e-5
        age = now - began
        status = PracticeStatus.enrolled(practice, clock.now())
        if age >= times[int(practice[1:])]:
            return replace(status, stage=Stage.CONNECTED, due=None)
        pause = schedule.next(age)
        due[practice] = now + pause
        return replace(status, stage=Stage.WAITING, due=clock.now() + timedelta(seconds=pause))

    with FleetRecords(tmp_path / "fleet.db") as records:
        records.enroll(due, clock.now())
        workers = AsyncWorkerPool(
            FleetSchedule(records, due, clock), look, clock=clock, size=32, library="httpx"
        )
        connected = [each.practice async for each in workers.run() if each.stage is Stage.CONNECTED]
    assert sorted(connected) == sorted(due)
    assert looks <= bound_on_looks(times) + n
