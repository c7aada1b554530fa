"""The queue: each practice once, at its time, by one worker, and nothing lost when one dies."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from ormco_trios import MemoryTokenStore, errors
from ormco_trios.core.clock import ScaledClock
from ormco_trios.fleet import AsyncPracticeOpener, FleetPractice, FleetStatus, Stage, schema
from ormco_trios.fleet import queue as queues
from ormco_trios.fleet.encryption import Encryption
from ormco_trios.fleet.postgres import FleetDatabase, PostgresRecords, PostgresTokenStore
from ormco_trios.fleet.queue import FleetQueue
from ormco_trios.onboarding.outcomes import Progress
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.anyio

HOURS = 3600.0
KEY = Encryption.new_key()


class Stand:
    """A sandbox in which an hour takes a second, and a fleet on a queue in it.

    A code lives a twentieth of a second there; a test that needs it longer sets ``scale``.
    """

    def __init__(self, conninfo: str, practices: int = 5, *, scale: float = 3600) -> None:
        self.conninfo = conninfo
        self.sandbox = Sandbox(clock=ScaledClock(scale), approval=Approval.after(HOURS / 2))
        self.doctors = {f"p{n}": who for n, who in enumerate(self.sandbox.practices(practices))}
        self.store: MemoryTokenStore | None = MemoryTokenStore()

    @asynccontextmanager
    async def queue(self) -> AsyncIterator[FleetQueue]:
        """As another process would open it."""
        sandbox = self.sandbox

        async def open_practice(practice: str) -> Any:
            who = self.doctors[practice]
            return opener.open(
                FleetPractice(
                    id=practice,
                    portal_username=who.portal_username,
                    portal_password=SecretStr(who.portal_password),
                )
            )

        async with FleetDatabase(self.conninfo, Encryption([KEY])) as database:
            opener = AsyncPracticeOpener(
                sandbox.environment,
                client_id=sandbox.client_id,
                client_secret=sandbox.client_secret,
                redirect_uri=sandbox.redirect_uri,
                store=self.store or PostgresTokenStore(database),
            )
            async with FleetQueue(database, open_practice, clock=sandbox.world.clock) as queue:
                yield queue

    async def until(self, queue: FleetQueue, reached: Callable[[FleetStatus], bool]) -> FleetStatus:
        """Let the doctors open their links until ``reached``."""
        for _ in range(400):
            status = await queue.status()
            if reached(status):
                return status
            for link in random.sample(status.links, len(status.links)):
                address = self.sandbox.authorize(link.url, email=self.doctors[link.practice].email)
                with contextlib.suppress(errors.AuthorizationError):
                    await queue.authorized(link.practice, address)
            await asyncio.sleep(0.05)
        pytest.fail(f"it stays like this: {await queue.status()}")


@asynccontextmanager
async def working(queue: FleetQueue) -> AsyncIterator[None]:
    """A worker, for as long as the block lasts."""
    task = asyncio.create_task(
        queue.work(
            polling=0.05, stalled_after=1.0, sweep="* * * * * *", install_signal_handlers=False
        )
    )
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def all_connected(status: FleetStatus) -> bool:
    return status.stages[Stage.CONNECTED] == status.total > 0


@pytest.fixture
async def stand(conninfo: str) -> Stand:
    stand = Stand(conninfo)
    async with stand.queue() as queue:
        await queue.migrate()
    return stand


async def test_all_get_connected(stand: Stand) -> None:
    async with stand.queue() as queue:
        assert [await queue.enroll(id) for id in ("p0", "p1")] == [1, 1]
        assert [await queue.enroll(*stand.doctors) for _ in range(2)] == [3, 0]
        with pytest.raises(errors.ConfigurationError, match="id"):
            await queue.enroll("anna@clinic.example")
        jobs = await queue.database.rows("select args::text from procrastinate_jobs")
        assert [tuple(job) for job in jobs] == [("{}",)], "one, that knows nothing"
        async with working(queue):
            await stand.until(queue, all_connected)
    assert stand.sandbox.journal.count("connections.request", wrote=True) == 5


async def test_a_pause_lets_no_round_begin(stand: Stand) -> None:
    async with stand.queue() as queue:
        await queue.pause()
        await queue.enroll("p0")
        async with working(queue):
            await asyncio.sleep(0.3)
            assert len(stand.sandbox.journal) == 0
            assert (await queue.status()).stages[Stage.ENROLLED] == 1
            await queue.resume()
            await stand.until(queue, all_connected)


async def test_a_round_is_one_workers(stand: Stand) -> None:
    """A worker that gives signs of life keeps its practice, however long it takes."""
    async with stand.queue() as queue, stand.queue() as slow:
        await queue.enroll("p0")
        records = PostgresRecords(slow.database)
        (claim,) = await records.claim(stand.sandbox.world.clock.now(), limit=5, seconds=60)
        assert await records.claim(stand.sandbox.world.clock.now(), limit=5, seconds=60) == []
        await queue.enroll("p1")
        async with working(queue):
            status = await stand.until(queue, lambda s: s.stages[Stage.CONNECTED] == 1)
            assert status.stages[Stage.ENROLLED] == 1
            await records.give_back({"p0": claim.number})
            await stand.until(queue, all_connected)


@pytest.mark.parametrize(
    "loss",
    [
        "update procrastinate_jobs set status = 'doing', worker_id = null",
        "delete from procrastinate_jobs",
    ],
    ids=["its worker died", "its job was never written"],
)
async def test_what_was_lost_is_found(stand: Stand, loss: Any) -> None:
    async with stand.queue() as queue:
        await queue.enroll("p0")
        await queue.database.execute(loss)
        async with working(queue):
            await stand.until(queue, all_connected)


async def test_nobody_asks_again_a_lab_that_has_said_no(stand: Stand) -> None:
    who = stand.doctors["p0"]
    stand.sandbox.world.set_approval(Approval.removed_after(HOURS), practice=who.email)
    async with stand.queue() as queue, working(queue):
        await queue.enroll("p0")
        status = await stand.until(queue, lambda s: s.stages[Stage.FAILED] == 1)
        assert "no longer listed" in status.failures[0].problem
        assert status.done
        stand.sandbox.world.set_approval(Approval.immediately(), practice=who.email)
        await asyncio.sleep(0.2)
        assert (await queue.status()).stages[Stage.FAILED] == 1
        assert await queue.retry() == 1
        await stand.until(queue, all_connected)
    assert stand.sandbox.journal.count("connections.request", wrote=True) == 2


async def test_a_bad_paste_loses_nothing(stand: Stand) -> None:
    async with stand.queue() as queue, working(queue):
        await queue.enroll("p0")
        links = (await stand.until(queue, lambda s: bool(s.links))).links
        with pytest.raises(errors.PasteError):
            await queue.authorized("p0", "https://example.com/where-is-the-code")
        assert [link.url for link in (await queue.status()).links] == [links[0].url]
        with pytest.raises(LookupError):
            await queue.authorized("nobody", "x")
        await stand.until(queue, all_connected)


async def test_an_answer_that_comes_twice_is_used_once(conninfo: str) -> None:
    stand = Stand(conninfo, scale=1)
    stand.sandbox.world.set_approval(Approval.immediately(), practice=stand.doctors["p0"].email)
    async with stand.queue() as queue:
        await queue.migrate()
        await queue.enroll("p0")
        async with stand.queue() as other, working(other):
            links = (await stand.until(queue, lambda s: bool(s.links))).links
        address = stand.sandbox.authorize(links[0].url, email=stand.doctors["p0"].email)
        results = await asyncio.gather(
            *(queue.authorized("p0", address) for _ in range(3)), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in results) == [
            "AuthorizationNeeded",
            "AuthorizationNeeded",
            "NoneType",
        ]
        assert stand.sandbox.journal.count("oauth.token") == 1
        async with working(queue):
            await stand.until(queue, all_connected)


async def test_a_worker_that_was_taken_for_dead_goes_on(stand: Stand) -> None:
    """As a machine does that was suspended: meanwhile another has cleared it away."""
    async with stand.queue() as queue, working(queue):
        await queue.enroll("p0")
        await stand.until(queue, all_connected)
        await queue.database.execute("delete from procrastinate_workers")
        await queue.enroll("p1")
        await stand.until(queue, lambda s: all_connected(s) and s.total == 2)


async def test_two_first_migrations_at_once(conninfo: str) -> None:
    stand = Stand(conninfo)
    async with stand.queue() as one, stand.queue() as two:
        versions = await asyncio.gather(one.migrate(), two.migrate())
        assert set(versions) == {len(schema.STEPS)}


async def test_some_of_those_that_failed_are_tried_again(stand: Stand) -> None:
    async with stand.queue() as queue:
        for id in ("unknown-1", "unknown-2"):
            await queue.enroll(id, priority=7)
        async with working(queue):
            await stand.until(queue, lambda s: s.done)
        assert await queue.retry(["unknown-2", "p0"]) == 1
        records = PostgresRecords(queue.database)
        (claim,) = await records.claim(stand.sandbox.world.clock.now(), limit=5, seconds=60)
        assert (claim.status.practice, claim.priority) == ("unknown-2", 7)


async def test_a_practice_that_cannot_be_opened_fails_by_itself(stand: Stand) -> None:
    async with stand.queue() as queue, working(queue):
        await queue.enroll("unknown")
        await queue.enroll("p0")
        status = await stand.until(queue, lambda s: s.done)
        assert [each.practice for each in status.failures] == ["unknown"]
        assert status.stages[Stage.CONNECTED] == 1


async def test_a_rolling_restart_with_two_versions(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next version's tables come while this version works, and it is restarted among them."""
    this, following = (
        schema.STEPS,
        (
            *schema.STEPS,
            "alter table ormco_trios_practice_status add column note text not null default ''",
        ),
    )
    async with stand.queue() as old, stand.queue() as new, stand.queue() as again:
        for id in ("p0", "p1"):
            await old.enroll(id)
        async with working(old):
            await stand.until(old, lambda s: s.stages[Stage.WAITING] > 0)
            monkeypatch.setattr(schema, "STEPS", following)
            with pytest.raises(errors.ConfigurationError, match="fleet migrate"):
                await new.work()
            assert await new.migrate() == len(following)
            async with working(new):
                for id in ("p2", "p3"):
                    await new.enroll(id)
                await stand.until(old, all_connected)
        monkeypatch.setattr(schema, "STEPS", this)
        async with working(again):
            await again.enroll("p4")
            await stand.until(again, all_connected)
    assert stand.sandbox.journal.count("connections.request", wrote=True) == 5


async def test_a_database_without_tables(conninfo: str) -> None:
    async with Stand(conninfo).queue() as queue:
        with pytest.raises(errors.ConfigurationError, match="fleet migrate"):
            await queue.work()
        await queue.database.migrate()
        with pytest.raises(errors.ConfigurationError, match="no queue"):
            await queue.work()


# --- workers that are not alone -------------------------------------------------------------------


async def end_sessions(conninfo: str) -> None:
    """As a restarted PostgreSQL, an administrator or a pooler does: everybody's, at once."""
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )


async def test_sessions_that_end_double_nothing(stand: Stand) -> None:
    """Again and again, while two workers work: no lock ends with them, and the workers go on."""
    # Procrastinate's own tasks may fail in the middle of a query, which only the log hears of.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    async with stand.queue() as queue, stand.queue() as one, stand.queue() as other:
        await queue.enroll(*stand.doctors)
        async with working(one), working(other):
            await stand.until(queue, lambda s: bool(s.links))
            for _ in range(6):
                await asyncio.sleep(0.1)
                await end_sessions(stand.conninfo)
            for _ in range(3):  # those that the web application's pool had
                with contextlib.suppress(errors.StorageUnavailable):
                    await queue.status()
            await stand.until(queue, all_connected)
    assert stand.sandbox.journal.count("connections.request", wrote=True) == 5
    assert not [e for e in stand.sandbox.journal if "used before" in e.explain]


async def test_a_worker_that_was_taken_for_dead_sends_nothing(stand: Stand) -> None:
    """It is stopped between its look and its request; another does both; then it wakes."""
    asked = asyncio.Event()
    woken = asyncio.Event()

    def stopping(opener: Any) -> Any:
        """The slow worker's practices: its request for the connection comes late."""

        async def open_practice(practice: str) -> Any:
            onboarding = await opener(practice)
            advance = onboarding.advance

            async def late() -> Any:
                fenced = onboarding.http_connections
                may_send = fenced.may_send

                async def slow() -> None:
                    asked.set()
                    await woken.wait()
                    await may_send()

                fenced.may_send = slow
                return await advance()

            onboarding.advance = late
            return onboarding

        return open_practice

    who = stand.doctors["p0"]
    sandbox = stand.sandbox
    sandbox.world.set_approval(Approval.held(), practice=who.email)
    async with stand.queue() as queue, stand.queue() as slow:
        slow._open = stopping(slow._open)
        await queue.enroll("p0")
        async with working(queue):
            await stand.until(queue, lambda s: bool(s.stages[Stage.WAITING]))
        # Signed in; the request is withdrawn, so that another one has to be made.
        (connection,) = sandbox.world.connections()
        sandbox.world.remove(connection.id)
        await queue.database.execute(
            "update ormco_trios_practice_status set progress = %s, due = since",
            (queue.database.encryption.seal("status/p0", Progress().to_json()),),
        )
        sandbox.journal.clear()
        (claim,) = await slow._records.claim(sandbox.world.clock.now(), limit=1, seconds=0)
        stopped = asyncio.create_task(slow._round(claim))
        await asyncio.wait_for(asked.wait(), 10)
        async with working(queue):
            await stand.until(queue, lambda s: bool(s.stages[Stage.WAITING]))
            woken.set()
            await stopped
            status = await queue.status()
    assert sandbox.journal.count("connections.request") == 1
    assert len(sandbox.world.connections()) == 1
    assert status.stages[Stage.WAITING] == 1, "and what it saw is not kept"


async def test_a_database_that_is_away_for_a_while(stand: Stand) -> None:
    """A worker waits for it, and a web application says so."""
    async with stand.queue() as queue, stand.queue() as other, working(other):
        await queue.enroll("p0")
        await stand.until(queue, all_connected)
        name = str(conninfo_to_dict(stand.conninfo)["dbname"])
        elsewhere = stand.conninfo.replace(f"dbname={name}", "dbname=postgres")
        allow = sql.SQL("alter database {} with allow_connections {}")
        async with await psycopg.AsyncConnection.connect(elsewhere, autocommit=True) as admin:
            await admin.execute(allow.format(sql.Identifier(name), sql.Literal(False)))
            await admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,)
            )
            queue.database.pool.timeout = 0.2
            for _ in range(3):
                with pytest.raises(errors.StorageUnavailable):
                    await queue.status()
            await asyncio.sleep(0.5)
            await admin.execute(allow.format(sql.Identifier(name), sql.Literal(True)))
        queue.database.pool.timeout = 10.0
        await queue.enroll("p1")
        await stand.until(queue, lambda s: all_connected(s) and s.total == 2)


async def test_one_that_hangs_holds_up_no_other(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as in a program's own function that opens practices."""
    monkeypatch.setattr(queues, "TURN", 0.2)
    hanging = asyncio.Event()
    async with stand.queue() as queue, stand.queue() as other:
        opens = other._open

        async def open_practice(practice: str) -> Any:
            if practice == "p0":
                hanging.set()
                await asyncio.Event().wait()
            return await opens(practice)

        other._open = open_practice
        async with working(other):
            await queue.enroll("p0")
            await hanging.wait()
            await queue.enroll("p1", "p2")
            status = await stand.until(queue, lambda s: s.stages[Stage.CONNECTED] == 2)
            assert status.stages[Stage.ENROLLED] == 1


async def test_what_no_key_opens_stops_no_other(stand: Stand) -> None:
    async with stand.queue() as queue, working(queue):
        await queue.enroll("p0")
        await stand.until(queue, all_connected)
        await queue.database.execute(
            "update ormco_trios_practice_status set progress = 'x', due = since, stage = 'waiting'"
        )
        await queue.enroll("p1")
        status = await stand.until(queue, lambda s: s.stages[Stage.CONNECTED] == 1)
        assert [each.practice for each in status.failures] == ["p0"]


@pytest.mark.parametrize("practice", ["a\0b", "\ud800", "anna@clinic.example", ""])
async def test_an_id_that_can_be_nobodys(stand: Stand, practice: str) -> None:
    """As a web application may be handed in an address."""
    async with stand.queue() as queue:
        with pytest.raises(LookupError):
            await queue.authorized(practice, "https://example.com/?code=x")
        with pytest.raises(errors.ConfigurationError):
            await queue.enroll("fine", practice)
        assert (await queue.status()).total == 0
