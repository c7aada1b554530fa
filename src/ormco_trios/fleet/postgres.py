"""What a fleet shares between machines: its records, tokens, turns and locks, in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, LiteralString, Self

from psycopg import AsyncConnection, ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from ormco_trios.core.clock import Clock
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.pacing import Spacing
from ormco_trios.core.shield import Shielded
from ormco_trios.fleet import schema
from ormco_trios.fleet.encryption import Encryption
from ormco_trios.fleet.practice_status import PracticeStatus, Stage
from ormco_trios.fleet.practices import FleetPractice
from ormco_trios.oauth.token import Token
from ormco_trios.onboarding.outcomes import Progress

Row = tuple[Any, ...]


class FleetDatabase(Shielded):
    """A pool of connections, and one more that holds this process's locks.

    Args:
        conninfo: Such as ``postgresql://fleet@db.example/fleet``, as libpq takes it.
        encryption: Seals everything that must not be readable in a dump.
        connections: Most connections besides the one for locks.
        timeout: Seconds to wait for the database when it is opened.

    Raises:
        ConfigurationError: It is no connection string.
    """

    def __init__(
        self, conninfo: str, encryption: Encryption, *, connections: int = 8, timeout: float = 10.0
    ) -> None:
        _check(conninfo)
        self.conninfo = conninfo
        self.encryption = encryption
        self._timeout = timeout
        self._pool = AsyncConnectionPool(
            conninfo,
            min_size=1,
            max_size=connections,
            kwargs={"autocommit": True},
            open=False,
            name="ormco-trios",
        )
        self.locks = Locks(conninfo)

    async def __aenter__(self) -> Self:
        try:
            await self._pool.open(wait=True, timeout=self._timeout)
        except PoolTimeout:
            await self._pool.close()
            raise ConfigurationError(
                "The fleet's database cannot be reached.",
                advice="Check ORMCO_TRIOS_FLEET_DATABASE, and that PostgreSQL is running there.",
            ) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.locks.aclose()
        await self._pool.close()

    async def rows(self, query: LiteralString, values: Sequence[Any] = ()) -> list[Row]:
        """What a query gives."""
        async with self._pool.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()

    async def execute(self, query: LiteralString, values: Sequence[Any] = ()) -> int:
        """Do something; how many rows it touched."""
        async with self._pool.connection() as connection:
            return (await connection.execute(query, values)).rowcount

    async def execute_many(self, query: LiteralString, values: Iterable[Sequence[Any]]) -> None:
        """Do something for each, all or nothing."""
        async with (
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            await cursor.executemany(query, values)

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncGenerator[AsyncConnection[Row]]:
        """A transaction beside which nobody else has one of this name; waits for its turn."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (name,))
            yield connection

    async def migrate(self) -> int:
        """Bring the tables to this version's form, whoever else does so too; the version."""
        async with self.alone("ormco_trios_schema") as connection:
            await connection.execute(schema.VERSION_TABLE)
            found = await (
                await connection.execute("select version from ormco_trios_schema")
            ).fetchone()
            version: int = found[0] if found else 0
            for step in schema.STEPS[version:]:
                await connection.execute(step)
            if version < len(schema.STEPS):
                await connection.execute(
                    "insert into ormco_trios_schema (version, oldest) values (%s, %s) on conflict "
                    "(only_one) do update set version = excluded.version, oldest = excluded.oldest",
                    (len(schema.STEPS), schema.OLDEST),
                )
            return max(version, len(schema.STEPS))

    async def check(self) -> None:
        """Make sure that this version of the library can work with the tables.

        Raises:
            ConfigurationError: They are too old, or too new.
        """
        there = await self.rows("select to_regclass('ormco_trios_schema') is not null")
        found = (
            await self.rows("select version, oldest from ormco_trios_schema") if there[0][0] else []
        )
        if not found or found[0][0] < len(schema.STEPS):
            raise ConfigurationError(
                "The fleet's tables are older than this version of the library.",
                advice="Run `ormco-trios fleet migrate`; workers of the version before go on.",
            )
        if found[0][1] > len(schema.STEPS):
            raise ConfigurationError(
                "The fleet's tables are too new for this version of the library.",
                advice="Update the library on this machine.",
            )

    async def reseal(self) -> int:
        """Seal everything with the encryption's first key; how many secrets there were."""
        count = 0
        for kind, (read, write) in _SEALED.items():
            for owner, sealed in await self.rows(read):
                text = self.encryption.open(f"{kind}/{owner}", sealed)
                again = self.encryption.seal(f"{kind}/{owner}", text)
                # What has changed meanwhile is sealed with the first key as it is.
                count += await self.execute(write, (again, owner, sealed))
        return count


def _check(conninfo: str) -> None:
    """Find out here what libpq would quote in its messages, the password with it."""
    try:
        host = str(conninfo_to_dict(conninfo).get("host", ""))
    except ProgrammingError:
        host = "@"
    if "@" in host:
        raise ConfigurationError(
            "The address of the fleet's database is not a connection string.",
            advice="It looks like postgresql://user:password@host/name; in a password, % is "
            "written %25, @ %40, : %3A and / %2F.",
        )


_SEALED: dict[str, tuple[LiteralString, LiteralString]] = {
    "status": (
        "select practice, progress from ormco_trios_practice_status",
        "update ormco_trios_practice_status set progress=%s where practice=%s and progress=%s",
    ),
    "practice": (
        "select practice, sealed from ormco_trios_practice",
        "update ormco_trios_practice set sealed = %s where practice = %s and sealed = %s",
    ),
    "token": (
        "select account, sealed from ormco_trios_token",
        "update ormco_trios_token set sealed = %s where account = %s and sealed = %s",
    ),
}


class Locks:
    """Locks of one process on names: each ends with the process, or with its connection.

    All are held by one connection's session, so a pooler that gives each statement another server
    connection cannot stand between.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: AsyncConnection[Row] | None = None
        self._opening = asyncio.Lock()
        self._held: set[str] = set()

    async def try_lock(self, name: str) -> bool:
        """Whether the lock is now ours; it is not waited for."""
        if name in self._held:
            return False
        self._held.add(name)
        got = False
        try:
            got = bool(
                (await self._ask("select pg_try_advisory_lock(hashtextextended(%s, 0))", name))[0]
            )
        finally:
            if not got:
                self._held.discard(name)
        return got

    async def unlock(self, name: str) -> None:
        """Give it back."""
        if name in self._held:
            try:
                await self._ask("select pg_advisory_unlock(hashtextextended(%s, 0))", name)
            finally:
                self._held.discard(name)

    @asynccontextmanager
    async def holding(self, name: str) -> AsyncGenerator[bool]:
        """Hold it for the length of a block, if it can be had at once."""
        got = await self.try_lock(name)
        try:
            yield got
        finally:
            if got:
                await self.unlock(name)

    async def aclose(self) -> None:
        """Give everything back."""
        if self._connection is not None:
            await self._connection.close()

    async def _ask(self, query: LiteralString, name: str) -> Row:
        async with self._opening:
            if self._connection is None or self._connection.closed:
                # Whatever the lost connection held is held no longer.
                self._connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
        row = await (await self._connection.execute(query, (name,))).fetchone()
        assert row is not None
        return row


class PostgresTokenStore:
    """Tokens sealed at rest; one refresh at a time across all machines."""

    def __init__(self, database: FleetDatabase) -> None:
        self._database = database

    async def load(self, account: str) -> Token | None:
        """The account's token, or None.

        Raises:
            ConfigurationError: No key opens it.
        """
        rows = await self._database.rows(
            "select sealed from ormco_trios_token where account = %s", (account,)
        )
        if not rows:
            return None
        return Token.from_json(self._database.encryption.open(f"token/{account}", rows[0][0]))

    async def save(self, account: str, token: Token) -> None:
        """Keep it; it is there for good when this returns."""
        await self._database.execute(
            "insert into ormco_trios_token values (%s, %s) "
            "on conflict (account) do update set sealed = excluded.sealed",
            (account, self._database.encryption.seal(f"token/{account}", token.to_json())),
        )

    async def delete(self, account: str) -> None:
        """Forget it."""
        await self._database.execute("delete from ormco_trios_token where account = %s", (account,))

    async def try_lock(self, account: str) -> bool:
        """Whether it is this process's turn to refresh."""
        return await self._database.locks.try_lock(f"token/{account}")

    async def unlock(self, account: str) -> None:
        """Give the turn back."""
        await self._database.locks.unlock(f"token/{account}")


class PostgresPacer:
    """At most ``rate`` requests a second to each host, all machines together.

    Their wall clocks should agree to within a second, as those that are synchronised do.
    """

    def __init__(self, database: FleetDatabase, rate: float, *, burst: int = 1) -> None:
        self._database = database
        self._spacing = Spacing(rate, burst)

    async def reserve(self, host: str, clock: Clock) -> float:
        """Take the next turn at ``host``; returns how many seconds away it is."""
        now, seconds = clock.time(), self._spacing.seconds
        rows = await self._database.rows(
            "insert into ormco_trios_turn as its values (%s, %s) on conflict (host) do update "
            "set turn = greatest(its.turn, %s) + %s returning turn",
            (host, now + seconds, now, seconds),
        )
        return self._spacing.wait(rows[0][0] - seconds, now)


_COLUMNS: LiteralString = "practice, stage, since, due, rounds, problem, progress, version"


class PostgresRecords:
    """Where each practice stands."""

    def __init__(self, database: FleetDatabase) -> None:
        self._database = database

    async def enroll(self, status: PracticeStatus, *, priority: int = 0) -> bool:
        """Add a practice, unless it is there; whether it is new."""
        values = (*self._row(status), priority)
        return bool(
            await self._database.execute(
                f"insert into ormco_trios_practice_status ({_COLUMNS}, priority) "  # noqa: S608
                "values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                values,
            )
        )

    async def load(self, practice: str) -> tuple[PracticeStatus, int]:
        """Where a practice stands, and its priority.

        Raises:
            LookupError: It is not enrolled.
        """
        rows = await self._database.rows(
            f"select {_COLUMNS}, priority from ormco_trios_practice_status "  # noqa: S608
            "where practice = %s",
            (practice,),
        )
        if not rows:
            raise LookupError("this practice is not enrolled")
        return self._status(rows[0]), rows[0][-1]

    async def save(self, status: PracticeStatus) -> bool:
        """Replace what it was made of; False if somebody has written something else meanwhile."""
        practice, *values, version = self._row(status)
        found = await self._database.execute(
            "update ormco_trios_practice_status set stage = %s, since = %s, due = %s, rounds = %s, "
            "problem = %s, progress = %s, version = version + 1 "
            "where practice = %s and version = %s",
            (*values, practice, version),
        )
        return found > 0

    async def change(
        self, practice: str, how: Callable[[PracticeStatus], PracticeStatus]
    ) -> tuple[PracticeStatus, int]:
        """Replace it by what ``how`` makes of it.

        Returns:
            What it was before, and its priority.

        Raises:
            LookupError: It is not enrolled.
        """
        while True:
            before, priority = await self.load(practice)
            if await self.save(how(before)):
                return before, priority

    async def all(self) -> list[PracticeStatus]:
        """All of them, in the order of their ids."""
        rows = await self._database.rows(
            f"select {_COLUMNS} from ormco_trios_practice_status order by practice"  # noqa: S608
        )
        return [self._status(row) for row in rows]

    async def failed(self) -> list[str]:
        """The ids of those that somebody has to decide about."""
        rows = await self._database.rows(
            "select practice from ormco_trios_practice_status where stage = %s order by practice",
            (Stage.FAILED.value,),
        )
        return [row[0] for row in rows]

    async def overdue(self, moment: datetime, *, limit: int = 500) -> list[tuple[str, int]]:
        """Practices that should have been looked at by ``moment``, with their priorities."""
        rows = await self._database.rows(
            "select practice, priority from ormco_trios_practice_status where due < %s "
            "order by due limit %s",
            (moment, limit),
        )
        return [(row[0], row[1]) for row in rows]

    def _row(self, status: PracticeStatus) -> Row:
        owner = f"status/{status.practice}"
        return (
            status.practice,
            status.stage.value,
            status.since,
            status.due,
            status.rounds,
            status.problem,
            self._database.encryption.seal(owner, status.progress.to_json()),
            status.version,
        )

    def _status(self, row: Row) -> PracticeStatus:
        practice, stage, since, due, rounds, problem, progress, version = row[:8]
        opened = self._database.encryption.open(f"status/{practice}", progress)
        return PracticeStatus(
            practice=practice,
            stage=Stage(stage),
            since=since.astimezone(UTC),
            due=None if due is None else due.astimezone(UTC),
            rounds=rounds,
            problem=problem,
            progress=Progress.from_json(opened),
            version=version,
        )


class PostgresPractices:
    """What it takes to sign in to each practice's portal account, sealed."""

    def __init__(self, database: FleetDatabase) -> None:
        self._database = database

    async def save(self, practice: FleetPractice) -> None:
        """Keep it, or what has changed about it."""
        await self._database.execute(
            "insert into ormco_trios_practice values (%s, %s) "
            "on conflict (practice) do update set sealed = excluded.sealed",
            (
                practice.id,
                self._database.encryption.seal(f"practice/{practice.id}", practice.to_json()),
            ),
        )

    async def load(self, practice: str) -> FleetPractice:
        """The practice.

        Raises:
            LookupError: It is not here.
        """
        rows = await self._database.rows(
            "select sealed from ormco_trios_practice where practice = %s", (practice,)
        )
        if not rows:
            raise LookupError("nothing is known of this practice")
        opened = self._database.encryption.open(f"practice/{practice}", rows[0][0])
        return FleetPractice.model_validate_json(opened)
