"""What a fleet adds to `advance()`: CPU per onboarding, for both forms.

The same practices are onboarded three ways, with the sandbox in the same process: by a bare loop
over `advance()`, by a fleet on one machine, and on a queue, whose PostgreSQL counts as well.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness import table, versions

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.postgres import new_database, postgres

from ormco_trios import (
    Clock,
    Connected,
    MemoryTokenStore,
    NeedsAuthorization,
    PollSchedule,
)
from ormco_trios.fleet import (
    AsyncFleet,
    AsyncPracticeOpener,
    FleetPractice,
    Stage,
)
from ormco_trios.sandbox import Sandbox

ROUNDS = 3


class Stand:
    """A sandbox, and practices that are approved at the third look."""

    def __init__(self, practices: int) -> None:
        self.sandbox = Sandbox(clock=Clock())
        self.doctors = {f"p{n}": who for n, who in enumerate(self.sandbox.practices(practices))}
        self.practices = {
            id: FleetPractice.model_validate(
                {
                    "id": id,
                    "portal_username": who.portal_username,
                    "portal_password": who.portal_password,
                }
            )
            for id, who in self.doctors.items()
        }

    def opener(self, store: Any) -> AsyncPracticeOpener:
        return AsyncPracticeOpener(
            self.sandbox.environment,
            client_id=self.sandbox.client_id,
            client_secret=self.sandbox.client_secret,
            redirect_uri=self.sandbox.redirect_uri,
            store=store,
            # Always due: what waiting costs is measured in approvals.py.
            schedule=PollSchedule.fixed(0.001),
        )

    def open_link(self, practice: str, url: str) -> str:
        return self.sandbox.authorize(url, email=self.doctors[practice].email)


async def bare(stand: Stand) -> None:
    """A loop, and nothing that could be interrupted."""
    opener = stand.opener(MemoryTokenStore())
    for id, practice in stand.practices.items():
        onboarding = opener.open(practice)
        while not isinstance(outcome := await onboarding.advance(), Connected):
            if isinstance(outcome, NeedsAuthorization):
                await onboarding.finish_authorization(stand.open_link(id, outcome.url))


async def one_machine(stand: Stand) -> None:
    with tempfile.TemporaryDirectory() as folder:
        opener = stand.opener(MemoryTokenStore())
        async with AsyncFleet(stand.practices, opener.open, Path(folder, "fleet.db")) as fleet:
            async for each in fleet.run():
                if each.link is not None:
                    address = stand.open_link(each.practice, each.link)
                    await fleet.authorized(each.practice, address)


async def queue(stand: Stand, conninfo: str) -> None:
    from ormco_trios.fleet.encryption import Encryption
    from ormco_trios.fleet.postgres import FleetDatabase, PostgresPractices, PostgresTokenStore
    from ormco_trios.fleet.queue import FleetQueue

    async with FleetDatabase(conninfo, Encryption([Encryption.new_key()])) as database:
        stored = PostgresPractices(database)
        opener = stand.opener(PostgresTokenStore(database))

        async def open_practice(id: str) -> Any:
            return opener.open(await stored.load(id))

        async with FleetQueue(database, open_practice) as fleet:
            await fleet.migrate()
            for practice in stand.practices.values():
                await stored.save(practice)
                await fleet.enroll(practice.id)
            worker = asyncio.create_task(fleet.work(polling=0.05, install_signal_handlers=False))
            while (status := await fleet.status()).stages[Stage.CONNECTED] < status.total:
                for link in status.links:
                    address = stand.open_link(link.practice, link.url)
                    await fleet.authorized(link.practice, address)
                await asyncio.sleep(0.2)
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker


def spent(work: Callable[[], Awaitable[None]]) -> float:
    began = time.process_time()
    asyncio.run(work())
    return time.process_time() - began


def children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def on_a_queue(stand: Stand) -> tuple[float, float]:
    """CPU of this process, and of the database without its setting up."""
    own = 0.0
    before = children()
    with postgres() as server:
        made = children() - before
        conninfo = new_database(server, "bench")
        own = spent(lambda: queue(stand, conninfo))
    return own, children() - before - made


def measure(practices: int = 100) -> list[tuple[object, ...]]:
    """CPU milliseconds per onboarding, and relative to the bare loop; medians of rounds."""
    results: dict[str, list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        base = spent(lambda: bare(Stand(practices)))
        alone = spent(lambda: one_machine(Stand(practices)))
        own, database = on_a_queue(Stand(practices))
        for name, cpu in {
            "a loop over `advance()`": base,
            "`AsyncFleet`": alone,
            "`FleetQueue`, the worker": own,
            "`FleetQueue`, with its PostgreSQL": own + database,
        }.items():
            results.setdefault(name, []).append((1000 * cpu / practices, cpu / base))
    return [
        (name, *(statistics.median(column) for column in zip(*rows, strict=True)))
        for name, rows in results.items()
    ]


HEAD = ["an onboarding, with the sandbox's part and the doctor's", "CPU ms", "relative"]

if __name__ == "__main__":
    print(versions("httpx", "procrastinate", "psycopg"))
    print(table(HEAD, measure()))
