"""What machines share: sealed at rest, one refresh at a time, one rate, and tables that grow."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import pytest
from pydantic import SecretStr
from tests.postgres import program

from ormco_trios import Token, errors
from ormco_trios.core.clock import ManualClock
from ormco_trios.fleet import FleetPractice, PracticeStatus, Stage, schema
from ormco_trios.fleet.encryption import Encryption
from ormco_trios.fleet.postgres import (
    FleetDatabase,
    PostgresPacer,
    PostgresPractices,
    PostgresRecords,
    PostgresTokenStore,
)
from ormco_trios.onboarding.outcomes import Progress

pytestmark = pytest.mark.anyio

OLD, NEW = Encryption.new_key(), Encryption.new_key()
TOKEN = Token(SecretStr("access-sentinel"), refresh_token=SecretStr("refresh-sentinel"))
PRACTICE = FleetPractice(
    id="p1", portal_username="user-sentinel", portal_password=SecretStr("password-sentinel")
)


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
    await PostgresRecords(opened).enroll(PracticeStatus.enrolled("p1", ManualClock().now()))


async def test_what_is_kept_comes_back(conninfo: str) -> None:
    async with database(conninfo) as opened:
        await fill(opened)
    async with database(conninfo) as opened:
        store = PostgresTokenStore(opened)
        assert await store.load("p1") == TOKEN
        assert await store.load("p2") is None
        assert await PostgresPractices(opened).load("p1") == PRACTICE
        each, priority = await PostgresRecords(opened).load("p1")
        assert (each.stage, priority) == (Stage.ENROLLED, 0)
        await store.delete("p1")
        assert await store.load("p1") is None
        for lookup in (PostgresPractices(opened).load, PostgresRecords(opened).load):
            with pytest.raises(LookupError):
                await lookup("nobody")


async def test_a_dump_holds_no_secret(conninfo: str) -> None:
    async with database(conninfo) as opened:
        await fill(opened)
    dump = (await anyio.run_process([program("pg_dump") or "pg_dump", conninfo])).stdout.decode()
    assert "p1" in dump
    assert "sentinel" not in dump


async def test_keys_rotate(conninfo: str) -> None:
    async with database(conninfo) as opened:
        await fill(opened)
    async with database(conninfo, NEW, OLD) as opened:
        assert await PostgresTokenStore(opened).load("p1") == TOKEN
        assert await opened.reseal() == 3
    async with database(conninfo, NEW) as opened:
        assert await PostgresTokenStore(opened).load("p1") == TOKEN
    async with database(conninfo, OLD) as opened:
        with pytest.raises(errors.ConfigurationError, match="cannot be opened") as caught:
            await PostgresTokenStore(opened).load("p1")
    assert OLD not in str(caught.value)


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
    async with database(conninfo) as one, database(conninfo) as other:
        assert await one.locks.try_lock("a")
        assert not await one.locks.try_lock("a")
        assert not await other.locks.try_lock("a")
        assert await other.locks.try_lock("b")
        await one.locks.unlock("a")
        assert await other.locks.try_lock("a")


async def test_a_lock_ends_with_its_connection(conninfo: str) -> None:
    async with database(conninfo) as one, database(conninfo) as other:
        assert await one.locks.try_lock("a")
        await one.rows("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
        assert await other.locks.try_lock("a")


async def test_the_rate_is_that_of_all_machines_together(conninfo: str) -> None:
    clock = ManualClock()
    async with database(conninfo) as one, database(conninfo) as other:
        pacers = [PostgresPacer(each, 10.0, burst=2) for each in (one, other)]
        turns = [await p.reserve("h", clock) for p, _ in zip(itertools.cycle(pacers), range(6))]
        assert turns == pytest.approx([0, 0, 0.1, 0.2, 0.3, 0.4], abs=1e-5)
        assert await pacers[0].reserve("elsewhere", clock) == 0
        clock.advance(60)
        assert await pacers[1].reserve("h", clock) == 0


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
    steps = schema.STEPS
    monkeypatch.setattr(schema, "STEPS", steps[:1])
    async with database(conninfo) as opened:
        await PostgresTokenStore(opened).save("p1", TOKEN)
        await opened.execute(
            "insert into ormco_trios_practice_status "
            "values ('p1', 'failed', now(), null, 3, 'No.', %s)",
            (opened.encryption.seal("status/p1", Progress().to_json()),),
        )
    monkeypatch.setattr(schema, "STEPS", steps)
    async with FleetDatabase(conninfo, Encryption([OLD])) as opened:
        with pytest.raises(errors.ConfigurationError, match="fleet migrate"):
            await opened.check()
        await opened.migrate()
        await opened.check()
        assert await PostgresTokenStore(opened).load("p1") == TOKEN
        assert await PostgresPacer(opened, 1).reserve("h", ManualClock()) == 0
        records = PostgresRecords(opened)
        before, _ = await records.change("p1", lambda it: it.due_at(ManualClock().now()))
        assert (before.stage, before.rounds, before.problem) == (Stage.FAILED, 3, "No.")
        assert not await records.save(before.due_at(ManualClock().now())), "it is not the latest"


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
    now = ManualClock().now()
    async with database(conninfo) as opened:
        records = PostgresRecords(opened)
        assert await records.enroll(PracticeStatus.enrolled("p", now), priority=7)
        later = PracticeStatus.enrolled("p", now + timedelta(days=1))
        assert not await records.enroll(later, priority=1)
        each, priority = await records.load("p")
        assert (each.since, priority) == (now, 7)
        assert await records.overdue(now) == []
        assert await records.overdue(now + timedelta(seconds=1)) == [("p", 7)]
