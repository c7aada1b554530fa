"""What machines share: sealed at rest, one refresh at a time, one rate, and tables that grow."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, LiteralString

import anyio
import psycopg
import pytest
from pydantic import SecretStr
from tests.postgres import program

from ormco_trios import AsyncOAuthClient, Token, errors
from ormco_trios.core.clock import ManualClock
from ormco_trios.fleet import FleetPractice, FleetStatus, PracticeStatus, Stage, schema
from ormco_trios.fleet.encryption import Encryption
from ormco_trios.fleet.postgres import (
    FleetDatabase,
    PostgresPacer,
    PostgresPractices,
    PostgresRecords,
    PostgresTokenStore,
    Resealed,
)
from ormco_trios.fleet.practice_status import UNREADABLE
from ormco_trios.sandbox import Sandbox

pytestmark = pytest.mark.anyio

NOW = ManualClock().now()
OLD, NEW = Encryption.new_key(), Encryption.new_key()
TOKEN = Token(SecretStr("access-sentinel"), refresh_token=SecretStr("refresh-sentinel"))
PRACTICE = FleetPractice(
    id="p1", portal_username="user-sentinel", portal_password=SecretStr("password-sentinel")
)


NAMES_OF_NOBODY = ["nobody", "a\0b", "\ud800", "", "x" * 10_000, "anna@clinic.example"]


@asynccontextmanager
async def database(conninfo: str, *keys: str) -> AsyncIterator[FleetDatabase]:
    """As another process would open it."""
    async with FleetDatabase(conninfo, Encryption(keys or [OLD])) as opened:
        await opened.migrate()
        yield opened


# --- secrets at rest ------------------------------------------------------------------------------


async def fill(opened: FleetDatabase) -> None:
    await PostgresTokenStore(opened).save("p1", TOKEN)
    await PostgresPractices(opened).save(PRACTICE)
    await PostgresRecords(opened).enroll([PracticeStatus.enrolled("p1", NOW)])


async def test_what_is_kept_comes_back(conninfo: str) -> None:
    async with database(conninfo) as opened:
        await fill(opened)
    async with database(conninfo) as opened:
        store = PostgresTokenStore(opened)
        assert await store.load("p1") == TOKEN
        assert await store.load("p2") is None
        assert await PostgresPractices(opened).load("p1") == PRACTICE
        assert (await PostgresRecords(opened).load("p1")).stage is Stage.ENROLLED
        await store.delete("p1")
        assert await store.load("p1") is None
        for lookup in (PostgresPractices(opened).load, PostgresRecords(opened).load):
            for name in NAMES_OF_NOBODY:
                with pytest.raises(LookupError):
                    await lookup(name)


async def test_a_dump_holds_no_secret(conninfo: str) -> None:
    async with database(conninfo) as opened:
        await fill(opened)
    dump = (await anyio.run_process([program("pg_dump") or "pg_dump", conninfo])).stdout.decode()
    assert "p1" in dump
    assert "sentinel" not in dump


async def test_keys_rotate(conninfo: str) -> None:
    """Appended everywhere, then moved to the front, then resealed: all can read throughout."""
    async with database(conninfo) as old, database(conninfo, OLD, NEW) as appended:
        await fill(old)
        assert await PostgresTokenStore(appended).load("p1") == TOKEN
        async with database(conninfo, NEW, OLD) as moved:
            await PostgresTokenStore(moved).save("p2", TOKEN)
            assert await PostgresTokenStore(appended).load("p2") == TOKEN
            assert await moved.reseal() == Resealed(4, ())
            assert await PostgresTokenStore(appended).load("p1") == TOKEN
    async with database(conninfo, NEW) as opened:
        assert await PostgresTokenStore(opened).load("p1") == TOKEN


async def test_a_process_without_the_key_says_so_at_once(conninfo: str) -> None:
    """Before it shows everything as lost, or does any work."""
    async with database(conninfo) as opened:
        await fill(opened)
        with pytest.raises(errors.ConfigurationError, match="no key that opens") as caught:
            async with FleetDatabase(conninfo, Encryption([NEW])):
                pytest.fail("it was opened")
        assert OLD not in str(caught.value)
        await opened.reseal()
        async with database(conninfo, NEW, OLD) as other:
            await other.reseal()
    with pytest.raises(errors.ConfigurationError, match="no key that opens"):
        async with FleetDatabase(conninfo, Encryption([OLD])):
            pytest.fail("its keys open nothing any more")


@pytest.mark.parametrize(
    "damage", ["'xyz'::bytea", "set_byte(progress, 19, 255 - get_byte(progress, 19))"]
)
async def test_a_row_that_cannot_be_opened_hides_no_other(
    conninfo: str, damage: LiteralString
) -> None:
    async with database(conninfo) as opened:
        records = PostgresRecords(opened)
        await records.enroll(PracticeStatus.enrolled(f"p{n}", NOW) for n in range(3))
        await opened.execute(
            f"update ormco_trios_practice_status set progress = {damage} where practice = 'p1'"
        )
        before = await opened.rows(READ, ("p1",))
        found = await records.all()
        assert [(each.practice, each.stage) for each in found] == [
            ("p0", Stage.ENROLLED),
            ("p1", Stage.FAILED),
            ("p2", Stage.ENROLLED),
        ]
        (failure,) = FleetStatus.of(found, now=NOW).failures
        assert (failure.practice, failure.problem) == ("p1", UNREADABLE)
        assert await opened.reseal() == Resealed(2, ("status p1",))
        # What cannot be read is not written over, whatever is done with the practice.
        await records.change("p1", lambda it: it.due_at(NOW), opened=False)
        assert await opened.rows(READ, ("p1",)) == before
        with pytest.raises(errors.ConfigurationError, match="cannot be read"):
            await records.change("p1", lambda it: it.claimed(NOW))


@pytest.mark.parametrize(
    ("odd", "stage"),
    [
        ("stage = 'of a version to come'", Stage.FAILED),
        ("due = 'infinity'", Stage.ENROLLED),
        ("since = '-infinity'", Stage.ENROLLED),
    ],
)
async def test_a_row_that_is_odd_hides_no_other(
    conninfo: str, odd: LiteralString, stage: Stage
) -> None:
    """As an operator may write it by hand, or another version of the library."""
    async with database(conninfo) as opened:
        records = PostgresRecords(opened)
        await records.enroll(PracticeStatus.enrolled(f"p{n}", NOW) for n in range(3))
        await opened.execute(f"update ormco_trios_practice_status set {odd} where practice = 'p1'")
        found = {each.practice: each.stage for each in await records.all()}
        assert found == {"p0": Stage.ENROLLED, "p1": stage, "p2": Stage.ENROLLED}
        assert await opened.reseal() == Resealed(3, ())
        assert len(await records.claim(NOW, limit=5, seconds=60)) >= 2


READ = "select progress from ormco_trios_practice_status where practice = %s"


async def test_a_machine_that_the_new_key_was_not_appended_on(conninfo: str) -> None:
    """It could still open what was sealed before, and nothing that is sealed from now on."""
    async with database(conninfo, OLD) as opened:
        await fill(opened)
    async with database(conninfo, OLD, NEW), database(conninfo, NEW, OLD) as moved:
        with pytest.raises(errors.ConfigurationError, match="no key that opens"):
            async with FleetDatabase(conninfo, Encryption([OLD])):
                pytest.fail("it was opened")
        async with database(conninfo, OLD, NEW):
            pass  # not moved yet: that is in order
        await moved.reseal()
        async with database(conninfo, NEW):
            pass


async def test_a_secret_does_not_open_in_another_row(conninfo: str) -> None:
    async with database(conninfo) as opened:
        await fill(opened)
        await opened.execute("update ormco_trios_token set account = 'p2'")
        with pytest.raises(errors.ConfigurationError, match="cannot be opened"):
            await PostgresTokenStore(opened).load("p2")


@pytest.mark.parametrize("keys", [[], [""], ["short"], [OLD, "not a key"]])
async def test_keys_that_are_none(keys: list[str]) -> None:
    with pytest.raises(errors.ConfigurationError, match="no key"):
        Encryption(keys)
    with pytest.raises(errors.ConfigurationError, match="no key"):
        Encryption(lambda: keys)


async def test_keys_from_the_environment() -> None:
    encryption = Encryption.from_env({"ORMCO_TRIOS_FLEET_KEYS": f"{NEW}, {OLD}\n"})
    assert encryption.open("a", Encryption([OLD]).seal("a", "text")) == "text"


# --- locks and turns ------------------------------------------------------------------------------


async def test_a_lock_is_one_processs(conninfo: str) -> None:
    async with database(conninfo) as a, database(conninfo) as b:
        one, other = PostgresTokenStore(a), PostgresTokenStore(b)
        assert await one.try_lock("a")
        assert not await one.try_lock("a")
        assert not await other.try_lock("a")
        assert await other.try_lock("b")
        await one.still_locked("a")
        await one.unlock("a")
        assert await other.try_lock("a")
        # One that was given back is not given back again, nor held.
        await one.unlock("a")
        await other.still_locked("a")
        with pytest.raises(errors.TakenOver):
            await one.still_locked("a")


async def test_a_lock_that_was_taken_over_allows_nothing(conninfo: str) -> None:
    """As when a process was stopped for longer than a refresh can take."""
    async with database(conninfo) as a, database(conninfo) as b:
        slow, other = PostgresTokenStore(a), PostgresTokenStore(b)
        assert await slow.try_lock("a")
        await a.execute("update ormco_trios_lock set claimed_until = now()")
        await slow.still_locked("a")  # nobody has come, so it may go on
        assert await other.try_lock("a")
        with pytest.raises(errors.TakenOver):
            await slow.still_locked("a")
        await slow.unlock("a")
        await other.still_locked("a")


async def test_what_a_refresh_brings_too_late_is_not_kept(conninfo: str) -> None:
    """A process wakes with its answer after the account was forgotten, or has another token."""
    late, newer = Token(SecretStr("late")), Token(SecretStr("newer"))
    async with database(conninfo) as a, database(conninfo) as b:
        slow, other = PostgresTokenStore(a), PostgresTokenStore(b)
        for account, deed in {"p": other.delete("p"), "q": other.save("q", newer)}.items():
            await slow.save(account, TOKEN)
            assert await slow.try_lock(account)
            await deed
            with pytest.raises(errors.TakenOver):
                await slow.save(account, late)
            await slow.unlock(account)
        assert [await other.load(each) for each in ("p", "q")] == [None, newer]
        # While nothing has come meanwhile it is kept, and so is what comes next.
        assert await slow.try_lock("q")
        await b.execute("update ormco_trios_lock set claimed_until = now()")
        assert await other.try_lock("q")
        await slow.save("q", late)
        await slow.save("q", TOKEN)
        assert await other.load("q") == TOKEN


async def test_no_number_comes_twice(conninfo: str) -> None:
    """Of a practice that was forgotten and enrolled again while a worker was stopped."""
    async with database(conninfo) as a, database(conninfo) as b:
        stopped, other = PostgresRecords(a), PostgresRecords(b)
        await stopped.enroll([PracticeStatus.enrolled("p", NOW)])
        (mine,) = await stopped.claim(NOW, limit=1, seconds=60)
        assert await other.forget("p")
        await other.enroll([PracticeStatus.enrolled("p", NOW)])
        (theirs,) = await other.claim(NOW, limit=1, seconds=60)
        assert theirs.number > mine.number
        with pytest.raises(errors.TakenOver):
            await stopped.still_claimed("p", mine.number)

        store, again = PostgresTokenStore(a), PostgresTokenStore(b)
        assert await store.try_lock("p")
        await again.delete("p")
        assert await again.try_lock("p")
        with pytest.raises(errors.TakenOver):
            await store.still_locked("p")


async def test_a_claim_that_was_given_back_is_not_renewed(conninfo: str) -> None:
    async with database(conninfo) as opened:
        records = PostgresRecords(opened)
        await records.enroll([PracticeStatus.enrolled("p", NOW)])
        (claim,) = await records.claim(NOW, limit=1, seconds=60)
        await records.save(claim, claim.status)
        await records.renew({"p": claim.number}, 60)
        assert await records.claim(NOW, limit=1, seconds=60)


async def test_a_refresh_asks_for_its_lock_directly_before_it_is_sent(conninfo: str) -> None:
    """Another worker takes over while it waits for its turn: the token is not sent."""
    with Sandbox(token_lifetime=60) as sandbox:
        async with database(conninfo) as opened:
            store = PostgresTokenStore(opened)
            lock: LiteralString = "update ormco_trios_lock set claimed_until = now() returning name"

            class Slow:
                async def reserve(self, host: str, clock: Any) -> float:
                    for (name,) in await opened.rows(lock):
                        assert await PostgresTokenStore(opened).try_lock(name)
                    return 0.0

            async with AsyncOAuthClient(
                sandbox.environment.paced(Slow()),
                client_id=sandbox.client_id,
                client_secret=sandbox.client_secret,
                redirect_uri=sandbox.redirect_uri,
                store=store,
                account="p",
            ) as oauth:
                who = sandbox.practice
                token = await oauth.sign_in_with_password(who.email, who.password)
                sandbox.clock.advance(3600)
                sandbox.journal.clear()
                with pytest.raises(errors.TakenOver):
                    await oauth.refresh(token)
                assert sandbox.journal.count("oauth.token") == 0


async def test_the_rate_is_that_of_all_machines_together(conninfo: str) -> None:
    clock = ManualClock()
    async with database(conninfo) as one, database(conninfo) as other:
        pacers = [PostgresPacer(each, 10.0, burst=2) for each in (one, other)]
        turns = [await p.reserve("h", clock) for p, _ in zip(itertools.cycle(pacers), range(6))]
        assert turns == pytest.approx([0, 0, 0.1, 0.2, 0.3, 0.4], abs=1e-5)
        assert await pacers[0].reserve("elsewhere", clock) == 0
        clock.advance(60)
        assert await pacers[1].reserve("h", clock) == 0


async def test_turns_that_are_asked_for_together_are_as_far_apart(conninfo: str) -> None:
    clock = ManualClock()
    async with database(conninfo) as one, database(conninfo) as other:
        pacers = [PostgresPacer(each, 10.0) for each in (one, other)]
        turns = await asyncio.gather(
            *(pacer.reserve("h", clock) for pacer in pacers for _ in range(50))
        )
    assert sorted(turns) == pytest.approx([n / 10 for n in range(100)], abs=1e-4)


# --- claims ---------------------------------------------------------------------------------------


async def test_a_practice_is_one_workers_at_a_time(conninfo: str) -> None:
    async with database(conninfo) as a, database(conninfo) as b:
        one, other = PostgresRecords(a), PostgresRecords(b)
        await one.enroll(PracticeStatus.enrolled(f"p{n}", NOW) for n in range(100))
        claims = [
            claim
            for found in await asyncio.gather(
                *(records.claim(NOW, limit=10, seconds=60) for records in (one, other) * 6)
            )
            for claim in found
        ]
        assert sorted(each.status.practice for each in claims) == sorted(
            f"p{n}" for n in range(100)
        )
        assert await one.next_due() is None


async def test_a_worker_taken_for_dead_sends_and_writes_nothing(conninfo: str) -> None:
    async with database(conninfo) as a, database(conninfo) as b:
        frozen, other = PostgresRecords(a), PostgresRecords(b)
        await frozen.enroll([PracticeStatus.enrolled("p", NOW)])
        (mine,) = await frozen.claim(NOW, limit=1, seconds=0)
        await frozen.still_claimed("p", mine.number)
        (theirs,) = await other.claim(NOW, limit=1, seconds=60)
        with pytest.raises(errors.TakenOver):
            await frozen.still_claimed("p", mine.number)
        await other.still_claimed("p", theirs.number)
        await frozen.renew({"p": mine.number}, 0)
        await frozen.give_back({"p": mine.number})
        assert not await frozen.save(mine, mine.status.due_at(NOW))
        assert await frozen.claim(NOW, limit=1, seconds=60) == [], "it is still the other's"
        assert await other.save(theirs, theirs.status.due_at(NOW))
        assert await frozen.claim(NOW, limit=1, seconds=60)
        assert await frozen.forget("p")
        with pytest.raises(errors.TakenOver):
            await other.still_claimed("p", theirs.number)


async def test_what_came_meanwhile_counts_for_more_than_a_round(conninfo: str) -> None:
    async with database(conninfo) as opened:
        records = PostgresRecords(opened)
        await records.enroll([PracticeStatus.enrolled("p", NOW)])
        (claim,) = await records.claim(NOW, limit=1, seconds=60)
        await records.change("p", lambda it: replace(it, problem="written meanwhile"))
        assert not await records.save(claim, replace(claim.status, problem="of the round"))
        (again,) = await records.claim(NOW, limit=1, seconds=60)
        assert again.status.problem == "written meanwhile", "and it was given back at once"


async def test_many_questions_are_few_queries(conninfo: str) -> None:
    async with database(conninfo) as opened:
        store, records = PostgresTokenStore(opened), PostgresRecords(opened)
        await records.enroll(PracticeStatus.enrolled(f"p{n}", NOW) for n in range(50))
        claims = await records.claim(NOW, limit=50, seconds=60)
        asked: list[str] = []
        rows = opened.rows

        async def counted(query: Any, values: Any = ()) -> Any:
            asked.append(query)
            return await rows(query, values)

        opened.rows = counted  # type: ignore[method-assign]
        await asyncio.gather(*(store.load(f"p{n}") for n in range(50)))
        await asyncio.gather(*(records.save(each, each.status) for each in claims))
        await asyncio.gather(
            *(records.still_claimed(each.status.practice, each.number) for each in claims)
        )
        assert len(asked) == 3


async def test_a_database_that_ends_its_sessions(conninfo: str) -> None:
    """Such as when it is restarted: an error of ours, and the next one works."""
    async with database(conninfo) as opened:
        store = PostgresTokenStore(opened)
        await store.save("p", TOKEN)
        async with opened.connection() as connection:
            pass
        await asyncio.gather(*(store.load("p") for _ in range(3)))
        ended = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
        await ended.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        await ended.close()
        with pytest.raises(errors.StorageUnavailable, match="refused a command"):
            await asyncio.gather(*(store.load("p") for _ in range(3)))
        assert await store.load("p") == TOKEN
        # Nor does a lock stay behind, or a token get lost.
        assert await store.try_lock("p")
        for step in (lambda: store.save("p", TOKEN), lambda: store.unlock("p")):
            async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as ending:
                await ending.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
            await step()
        assert await store.try_lock("p")
        del connection


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork is POSIX's")
async def test_a_process_that_was_forked_opens_its_own(conninfo: str) -> None:
    """Or the two would get each other's answers."""

    def child() -> bytes:
        def ask() -> None:
            try:
                asyncio.run(PostgresTokenStore(opened).load("p1"))
            except errors.ConfigurationError as error:
                said.append(error.advice)

        said: list[str | None] = []
        thread = threading.Thread(target=ask)  # which has no event loop yet
        thread.start()
        thread.join(10)
        return str(said).encode()

    async with database(conninfo) as opened:
        await fill(opened)
        assert b"after the fork" in await asyncio.to_thread(in_a_fork, child)
        assert await PostgresTokenStore(opened).load("p1") == TOKEN


def in_a_fork(work: Callable[[], bytes]) -> bytes:
    """What a process returns that is forked from this one."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.write(writing, work())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        answer = said.read()
    os.waitpid(process, 0)
    return answer


def test_windows_default_event_loop_is_refused_at_once() -> None:
    class ProactorEventLoop(asyncio.SelectorEventLoop):
        """Of the same name."""

    async def open_it() -> None:
        async with FleetDatabase("host=/nowhere", Encryption([OLD])):
            pytest.fail("it was opened")

    with (
        asyncio.Runner(loop_factory=ProactorEventLoop) as runner,
        pytest.raises(errors.ConfigurationError, match="SelectorEventLoop"),
    ):
        runner.run(open_it())


async def test_tables_that_are_missing(conninfo: str) -> None:
    async with FleetDatabase(conninfo, Encryption([OLD])) as opened:
        with pytest.raises(errors.ConfigurationError, match="fleet migrate"):
            await PostgresTokenStore(opened).load("p")


# --- tables that grow -----------------------------------------------------------------------------


async def test_migrating_is_safe_to_repeat_and_to_race(conninfo: str) -> None:
    async with (
        FleetDatabase(conninfo, Encryption([OLD])) as one,
        FleetDatabase(conninfo, Encryption([OLD])) as two,
    ):
        with pytest.raises(errors.ConfigurationError, match="older than this version"):
            await one.check()
        versions = await asyncio.gather(*(each.migrate() for each in (one, two, one, two)))
        assert set(versions) == {len(schema.STEPS)}
        await one.check()


async def test_an_old_database_is_brought_up_to_date_with_what_is_in_it(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database(conninfo) as opened:
        await fill(opened)
    grown = "alter table ormco_trios_practice_status add column note text not null default ''"
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, grown))
    async with FleetDatabase(conninfo, Encryption([OLD])) as opened:
        with pytest.raises(errors.ConfigurationError, match="fleet migrate"):
            await opened.check()
        assert await opened.migrate() == len(schema.STEPS)
        await opened.check()
        assert await PostgresTokenStore(opened).load("p1") == TOKEN
        assert (await PostgresRecords(opened).load("p1")).stage is Stage.ENROLLED


async def test_a_database_that_has_gone_too_far(conninfo: str) -> None:
    async with database(conninfo) as opened:
        await opened.execute("update ormco_trios_schema set version = 99, oldest = 99")
        with pytest.raises(errors.ConfigurationError, match="too new"):
            await opened.check()


@pytest.mark.parametrize(
    "conninfo",
    [
        "postgresql://fleet:hunter2%PW@127.0.0.1/fleet",
        "postgresql://fleet:se@hunter2@127.0.0.1/fleet",
        "host=127.0.0.1 password=my hunter2 user=x",
        "postgres//fleet:hunter2@127.0.0.1/fleet",
    ],
)
def test_an_address_that_is_none_is_not_quoted(
    conninfo: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(errors.ConfigurationError, match="not a connection string") as caught:
        FleetDatabase(conninfo, Encryption([OLD]))
    assert "hunter2" not in f"{caught.value}{caught.value.__cause__}{caplog.text}"


async def test_a_database_that_is_not_there() -> None:
    with pytest.raises(errors.ConfigurationError, match="cannot be reached"):
        async with FleetDatabase("host=/nowhere dbname=none", Encryption([OLD]), timeout=0.1):
            pass


async def test_a_practice_is_enrolled_once(conninfo: str) -> None:
    async with database(conninfo) as opened:
        records = PostgresRecords(opened)
        assert await records.enroll([]) == 0
        assert await records.enroll([PracticeStatus.enrolled("p", NOW)], priority=7) == 1
        later = PracticeStatus.enrolled("p", NOW + timedelta(days=1))
        more = PracticeStatus.enrolled("q", NOW)
        assert await records.enroll([later, more], priority=9) == 1
        claims = await records.claim(NOW, limit=5, seconds=60)
        assert [(each.status.practice, each.priority) for each in claims] == [("q", 9), ("p", 7)]
        assert {each.status.since for each in claims} == {NOW}
