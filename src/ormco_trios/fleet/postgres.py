"""What a fleet shares between machines: its records, tokens, turns and locks, in PostgreSQL.

Every write of a worker is one statement that the server commits by itself: a machine that vanishes
in the middle leaves no lock behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, LiteralString, Self

from ormco_trios.core.clock import Clock
from ormco_trios.core.errors import ConfigurationError, StorageUnavailable, TakenOver
from ormco_trios.core.extras import extra
from ormco_trios.core.pacing import Spacing
from ormco_trios.core.shield import Shielded
from ormco_trios.fleet import schema
from ormco_trios.fleet._grouped import Grouped
from ormco_trios.fleet.encryption import KEYS, Encryption
from ormco_trios.fleet.practice_status import UNREADABLE, PracticeStatus, Stage
from ormco_trios.fleet.practices import FleetPractice, check_known
from ormco_trios.oauth.token import Token
from ormco_trios.onboarding.outcomes import Progress

with extra("fleet"):
    from psycopg import AsyncConnection, Error, ProgrammingError
    from psycopg.conninfo import conninfo_to_dict
    from psycopg_pool import AsyncConnectionPool, PoolTimeout

Row = tuple[Any, ...]

_MACHINE = Clock()

RECONNECT = 5.0
"""Seconds after which a pool begins to connect again: its pauses grow, to minutes by default."""

_UNLESS_SAID: Mapping[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""So that a database that vanished is noticed within a minute: the defaults take hours."""


class FleetDatabase(Shielded):
    """A pool of connections to the fleet's database.

    Open it in the process that uses it: a process that is forked afterwards needs its own.

    Args:
        conninfo: Such as ``postgresql://fleet@db.example/fleet``, as libpq takes it.
        encryption: Seals everything that must not be readable in a dump.
        connections: Most connections of this process, besides those of the queue.
        timeout: Seconds to wait for the database when it is opened.

    Raises:
        ConfigurationError: It is no connection string.
    """

    def __init__(
        self, conninfo: str, encryption: Encryption, *, connections: int = 8, timeout: float = 10.0
    ) -> None:
        said = _read(conninfo)
        self.conninfo = conninfo
        self.encryption = encryption
        self._timeout = timeout
        self._process = 0
        self.options = {name: each for name, each in _UNLESS_SAID.items() if name not in said}
        self.pool = AsyncConnectionPool(
            conninfo,
            min_size=1,
            max_size=connections,
            reconnect_timeout=RECONNECT,
            kwargs=self.options,
            configure=_commit_by_statement,
            open=False,
            name="ormco-trios",
        )

    async def __aenter__(self) -> Self:
        _check_event_loop()
        self._process = os.getpid()
        try:
            await self.pool.open(wait=True, timeout=self._timeout)
        except PoolTimeout:
            await self.pool.close()
            raise ConfigurationError(
                "The fleet's database cannot be reached.",
                advice="Check ORMCO_TRIOS_FLEET_DATABASE, and that PostgreSQL is running there.",
            ) from None
        try:
            await self.check_keys()
        except BaseException:
            await self.pool.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[AsyncConnection[Row]]:
        """A connection of the pool.

        Raises:
            StorageUnavailable: The database did not answer.
            ConfigurationError: It does not have these tables, or this process was forked from the
                one that opened it.
        """
        if self._process != os.getpid():
            # Two processes on one connection would get each other's answers.
            raise ConfigurationError(
                "Another process opened this database, and this one was forked from it.",
                advice="Open a FleetDatabase in each process, after the fork.",
            )
        try:
            async with self.pool.connection() as connection:
                yield connection
        except ProgrammingError as error:
            failure = type(error).__name__
        except Error as error:
            with contextlib.suppress(Error):
                await self.pool.check()  # the others may have ended with this one
            raise StorageUnavailable(
                f"The fleet's database refused a command ({type(error).__name__})."
            ) from None
        else:
            return
        raise ConfigurationError(
            f"The fleet's tables are missing, or are those of another version ({failure}).",
            advice="Run `ormco-trios fleet migrate`.",
        )

    async def rows(self, query: LiteralString, values: Sequence[Any] = ()) -> list[Row]:
        """What a query gives."""
        async with self.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()

    async def execute(self, query: LiteralString, values: Sequence[Any] = ()) -> int:
        """Do something; how many rows it touched."""
        async with self.connection() as connection:
            return (await connection.execute(query, values)).rowcount

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncGenerator[AsyncConnection[Row]]:
        """A transaction beside which nobody else has one of this name; waits for its turn."""
        async with self.connection() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (name,))
            yield connection

    async def migrate(self) -> int:
        """Bring the tables to this version's form, also if others do so too; the version."""
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
        await self.check_keys()
        await self.seal_canary()
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
                "The fleet's tables are missing, or older than this version of the library.",
                advice="Run `ormco-trios fleet migrate`; workers of the version before go on.",
            )
        if found[0][1] > len(schema.STEPS):
            raise ConfigurationError(
                "The fleet's tables are too new for this version of the library.",
                advice="Update the library on this machine.",
            )

    async def check_keys(self) -> None:
        """Make sure that this process has the key that the fleet's secrets are sealed with.

        Raises:
            ConfigurationError: None of its keys opens the text that was sealed for this.
        """
        there = await self.rows("select to_regclass('ormco_trios_setting') is not null")
        if there[0][0]:
            for (sealed,) in await self.rows(
                "select value from ormco_trios_setting where name like 'canary/%%'"
            ):
                if not self.encryption.opens("canary", sealed.encode()):
                    raise ConfigurationError(
                        "This process has no key that opens the fleet's secrets, so it does "
                        "nothing.",
                        advice=f"{KEYS} must hold the key that is in use; while keys are changed, "
                        "first append the new one everywhere, then move it to the front.",
                    )

    async def seal_canary(self) -> None:
        """Let every process that starts from now on make sure that it has the key sealed with."""
        await self.execute(
            "insert into ormco_trios_setting values (%s, %s) on conflict do nothing",
            self._canary(),
        )

    async def reseal(self) -> Resealed:
        """Seal everything with the first key; what none of the keys opens is left as it is."""
        count = 0
        unreadable: list[str] = []
        for kind, (read, write) in _SEALED.items():
            for owner, sealed in await self.rows(read):
                try:
                    text = self.encryption.open(f"{kind}/{owner}", sealed)
                except ConfigurationError:
                    unreadable.append(f"{kind} {owner}")
                    continue
                again = self.encryption.seal(f"{kind}/{owner}", text)
                # What has changed meanwhile is sealed with the first key as it is.
                count += await self.execute(write, (again, owner, sealed))
        await self.seal_canary()
        await self.execute(
            "delete from ormco_trios_setting where name like 'canary/%%' and name <> %s",
            self._canary()[:1],
        )
        return Resealed(count, tuple(unreadable))

    def _canary(self) -> tuple[str, str]:
        """The setting that only those can open who have the key that this process seals with."""
        name = f"canary/{self.encryption.fingerprint}"
        return name, self.encryption.seal("canary", "sings").decode()


@dataclass(frozen=True, slots=True)
class Resealed:
    """What `FleetDatabase.reseal` did.

    Attributes:
        count: How many secrets are sealed with the first key now.
        unreadable: What none of the keys opens, each by its kind and owner.
    """

    count: int
    unreadable: tuple[str, ...]


def _check_event_loop() -> None:
    """Say at once what psycopg's pool would repeat until its time is over."""
    kinds = {each.__name__ for each in type(asyncio.get_running_loop()).__mro__}
    if "ProactorEventLoop" in kinds:  # a name that asyncio has on Windows only
        raise ConfigurationError(
            "The fleet's database cannot be used in Windows' default event loop.",
            advice="Run it in another: asyncio.Runner(loop_factory=asyncio.SelectorEventLoop).",
        )


async def _commit_by_statement(connection: AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)


def _read(conninfo: str) -> Mapping[str, Any]:
    """What the connection string says; found out here what libpq would quote in its messages."""
    try:
        said = conninfo_to_dict(conninfo)
    except ProgrammingError:
        said = {"host": "@"}
    if "@" in str(said.get("host", "")):
        raise ConfigurationError(
            "The address of the fleet's database is not a connection string.",
            advice="It looks like postgresql://user:password@host/name; in a password, % is "
            "written %25, @ %40, : %3A and / %2F.",
        )
    return said


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


# --- tokens -------------------------------------------------------------------------------------

_LOCKED_FOR = 180.0
"""Seconds after which another process may do a refresh that was begun and not ended."""


_NEVER_BEFORE: LiteralString = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
"""A fencing number above all that there were, also of what has been forgotten since."""

_KEEP: LiteralString = (
    "insert into ormco_trios_token values (%s, %s) "
    "on conflict (account) do update set sealed = excluded.sealed"
)

# The lock is there until the account is forgotten, whichever process has it.
_KEEP_REFRESHED: LiteralString = (
    "with lock as (select from ormco_trios_lock where name = %s for share) "
    "insert into ormco_trios_token as its select %s, %s from lock "
    "on conflict (account) do update set sealed = excluded.sealed where its.sealed in (%s, %s)"
)

_LOCK: LiteralString = f"""
insert into ormco_trios_lock as its (name, claim, claimed_until)
values (%s, {_NEVER_BEFORE}, now() + make_interval(secs => %s))
on conflict (name) do update set claim = greatest(its.claim + 1, excluded.claim),
    claimed_until = excluded.claimed_until where its.claimed_until <= now()
returning claim, (select sealed from ormco_trios_token where account = its.name)
"""  # noqa: S608


@dataclass(slots=True)
class _Lock:
    """A lock that this process has got, and the token that it found then."""

    claim: int
    sealed: bytes | None = field(repr=False)


class PostgresTokenStore:
    """Tokens sealed at rest; one refresh at a time across all machines."""

    def __init__(self, database: FleetDatabase) -> None:
        self._database = database
        self._load = Grouped(self._load_all)
        self._locks: dict[str, _Lock] = {}

    async def load(self, account: str) -> Token | None:
        """The account's token, or None.

        Raises:
            ConfigurationError: No key opens it.
            StorageUnavailable: The database did not answer.
        """
        sealed = await self._load(account)
        if sealed is None:
            return None
        return Token.from_json(self._database.encryption.open(f"token/{account}", sealed))

    async def save(self, account: str, token: Token) -> None:
        """Keep it; it is there for good when this returns.

        A token that is lost takes a person to replace, so for a minute this is tried again.

        Raises:
            TakenOver: While this process refreshed it, the account was forgotten, or has got
                another token.
            StorageUnavailable: The database did not answer.
        """
        sealed = self._database.encryption.seal(f"token/{account}", token.to_json())
        over = _MACHINE.monotonic() + 60.0
        pause = 0.1
        while True:
            try:
                return await self._save(account, sealed)
            except StorageUnavailable:
                if _MACHINE.monotonic() + pause > over:
                    raise
            await _MACHINE.sleep_async(pause)
            pause *= 2

    async def _save(self, account: str, sealed: bytes) -> None:
        lock = self._locks.get(account)
        if lock is None:
            await self._database.execute(_KEEP, (account, sealed))
            return
        values = (account, account, sealed, lock.sealed, sealed)
        if not await self._database.execute(_KEEP_REFRESHED, values):
            raise TakenOver("This account was forgotten meanwhile, or has another token.")
        lock.sealed = sealed

    async def delete(self, account: str) -> None:
        """Forget it, and its lock."""
        await self._database.execute("delete from ormco_trios_lock where name = %s", (account,))
        # Only now: a refresh under way saves nothing any more.
        await self._database.execute("delete from ormco_trios_token where account = %s", (account,))

    async def forget_practice(self, practice: str) -> bool:
        """Delete what `AsyncPracticeOpener` keeps under this id, also what no key opens.

        Returns:
            Whether there was anything.
        """
        rows = await self._database.rows(
            "select account from ormco_trios_token where right(account, %s) = %s",
            (len(practice) + 1, f":{practice}"),
        )
        for (account,) in rows:
            await self.delete(account)
        return bool(rows)

    async def try_lock(self, account: str) -> bool:
        """Whether it is this process's turn to refresh."""
        rows = await self._database.rows(_LOCK, (account, _LOCKED_FOR))
        if rows:
            self._locks[account] = _Lock(*rows[0])
        return bool(rows)

    async def still_locked(self, account: str) -> None:
        """Make sure, directly before a refresh token is sent, that it still is.

        Raises:
            TakenOver: Another process has the lock since.
        """
        rows = await self._database.rows(
            "select claim from ormco_trios_lock where name = %s", (account,)
        )
        lock = self._locks.get(account)
        if not rows or lock is None or rows[0][0] != lock.claim:
            raise TakenOver("Another process refreshes this account's token; nothing was sent.")

    async def unlock(self, account: str) -> None:
        """Give the turn back."""
        lock = self._locks.pop(account, None)
        if lock is None:
            return
        query: LiteralString = (
            "update ormco_trios_lock set claimed_until = now() where name = %s and claim = %s"
        )
        try:
            await self._database.execute(query, (account, lock.claim))
        except StorageUnavailable:
            # Its connection had ended; or nobody could refresh for minutes.
            await self._database.execute(query, (account, lock.claim))

    async def _load_all(self, accounts: Sequence[str]) -> list[bytes | None]:
        rows = await self._database.rows(
            "select account, sealed from ormco_trios_token where account = any(%s)",
            (list(accounts),),
        )
        found: dict[str, bytes] = dict(rows)
        return [found.get(account) for account in accounts]


# --- turns --------------------------------------------------------------------------------------


class PostgresPacer:
    """At most ``rate`` requests a second to each host, all machines together.

    Their wall clocks should agree to within a second, as those that are synchronised do.
    """

    def __init__(self, database: FleetDatabase, rate: float, *, burst: int = 1) -> None:
        self._database = database
        self._spacing = Spacing(rate, burst)
        self._turns: dict[str, Grouped[float, float]] = {}

    async def reserve(self, host: str, clock: Clock) -> float:
        """Take the next turn at ``host``; returns how many seconds away it is."""
        turns = self._turns.get(host)
        if turns is None:

            async def take(moments: Sequence[float]) -> list[float]:
                return await self._take(host, moments)

            turns = self._turns[host] = Grouped(take)
        turn = await turns(clock.time())
        return self._spacing.wait(turn, clock.time())

    async def _take(self, host: str, moments: Sequence[float]) -> list[float]:
        now, seconds = max(moments), self._spacing.seconds
        taken = len(moments) * seconds
        rows = await self._database.rows(
            "insert into ormco_trios_turn as its values (%s, %s) on conflict (host) do update "
            "set turn = greatest(its.turn, %s) + %s returning turn",
            (host, now + taken, now, taken),
        )
        first = rows[0][0] - taken
        return [first + number * seconds for number in range(len(moments))]


# --- records ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """A practice as it was read, for the worker that took it.

    Attributes:
        number: Grows each time it is taken; a worker with an older one sends nothing any more.
        stored: Its progress as it is stored; None if no key opens it.
    """

    status: PracticeStatus
    number: int
    priority: int
    stored: str | None = field(repr=False)


# A date that Python does not know is none.
_COLUMNS: LiteralString = (
    "practice, stage, case when isfinite(since) then since else 'epoch' end, "
    "case when isfinite(due) then due end, rounds, problem, progress, version, claim, priority"
)

_STAGES = {stage.value: stage for stage in Stage}

_CLAIM: LiteralString = f"""
with due as (
    select practice from ormco_trios_practice_status
    where due <= %s and (claimed_until is null or claimed_until <= now())
    and not exists (select from ormco_trios_setting where name = 'paused')
    order by priority desc, due limit %s for update skip locked
)
update ormco_trios_practice_status set claim = greatest(claim + 1, {_NEVER_BEFORE}),
    claimed_until = now() + make_interval(secs => %s)
where practice in (select practice from due) returning {_COLUMNS}
"""  # noqa: S608

_SAVE: LiteralString = """
update ormco_trios_practice_status as its set claimed_until = null, version = its.version + 1,
    stage = made.stage, since = made.since, due = made.due, rounds = made.rounds,
    problem = made.problem, progress = coalesce(made.progress, its.progress)
from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::integer[],
    %s::text[], %s::bytea[], %s::integer[], %s::bigint[])
as made (practice, stage, since, due, rounds, problem, progress, version, claim)
where its.practice = made.practice and its.version = made.version and its.claim = made.claim
returning its.practice
"""


class PostgresRecords:
    """The status of each practice."""

    def __init__(self, database: FleetDatabase) -> None:
        self._database = database
        self._save = Grouped(self._save_all)
        self._claims = Grouped(self._claims_of)

    async def enroll(self, statuses: Iterable[PracticeStatus], *, priority: int = 0) -> int:
        """Add those that are not there; how many are new."""
        rows = [self._row(each) for each in statuses]
        if not rows:
            return 0
        columns = [list(column) for column in zip(*rows, strict=True)]
        return await self._database.execute(
            "insert into ormco_trios_practice_status (practice, stage, since, due, rounds, "
            "problem, progress, version, priority) select *, %s from unnest(%s::text[], "
            "%s::text[], %s::timestamptz[], %s::timestamptz[], %s::integer[], %s::text[], "
            "%s::bytea[], %s::integer[]) on conflict do nothing",
            (priority, *columns),
        )

    async def load(self, practice: str) -> PracticeStatus:
        """The status of a practice; one that cannot be opened has failed.

        Raises:
            LookupError: It is not enrolled.
        """
        return (await self._read(practice)).status

    async def change(
        self,
        practice: str,
        how: Callable[[PracticeStatus], PracticeStatus],
        *,
        opened: bool = True,
    ) -> PracticeStatus:
        """Replace it by what ``how`` makes of it, also while a worker has it; what it was before.

        Args:
            practice: Its id.
            how: Makes the new status of the old one.
            opened: Whether ``how`` needs what is sealed.

        Raises:
            LookupError: It is not enrolled.
            ConfigurationError: What is stored of it cannot be opened.
        """
        while True:
            before = await self._read(practice)
            if opened and before.stored is None:
                raise ConfigurationError(
                    UNREADABLE,
                    advice="Use it where the fleet's keys are; if they are lost, forget it and "
                    "enroll it again.",
                )
            _, *values, version = self._row(how(before.status), of=before)
            if await self._database.execute(
                "update ormco_trios_practice_status set stage = %s, since = %s, due = %s, "
                "rounds = %s, problem = %s, progress = coalesce(%s, progress), "
                "version = version + 1 where practice = %s and version = %s",
                (*values, practice, version),
            ):
                return before.status

    async def forget(self, practice: str) -> bool:
        """Delete it, also while a worker has it; whether it was there."""
        return bool(
            await self._database.execute(
                "delete from ormco_trios_practice_status where practice = %s",
                (check_known(practice),),
            )
        )

    async def all(self) -> list[PracticeStatus]:
        """All of them, in the order of their ids; one that cannot be opened has failed."""
        rows = await self._database.rows(
            f"select {_COLUMNS} from ormco_trios_practice_status order by practice"  # noqa: S608
        )
        return [self._claim_of(row).status for row in rows]

    async def failed(self) -> list[str]:
        """The ids of those that a person has to decide about."""
        rows = await self._database.rows(
            "select practice from ormco_trios_practice_status where stage = %s order by practice",
            (Stage.FAILED.value,),
        )
        return [row[0] for row in rows]

    # --- for workers ----------------------------------------------------------------------------

    async def claim(self, moment: datetime, *, limit: int, seconds: float) -> list[Claim]:
        """Take practices that are due at ``moment``, and that no living worker has.

        Nobody else takes them for so many ``seconds``, unless this is renewed.
        """
        rows = await self._database.rows(_CLAIM, (moment, limit, seconds))
        claims = [self._claim_of(row) for row in rows]
        return sorted(claims, key=lambda each: (-each.priority, each.status.due))

    async def renew(self, practices: Mapping[str, int], seconds: float) -> None:
        """Keep these claims for ``seconds`` more."""
        await self._database.execute(
            "update ormco_trios_practice_status as its "
            "set claimed_until = now() + make_interval(secs => %s) "
            "from unnest(%s::text[], %s::bigint[]) as mine (practice, claim) "
            "where its.practice = mine.practice and its.claim = mine.claim "
            "and its.claimed_until is not null",  # or it was given back meanwhile
            (seconds, list(practices), list(practices.values())),
        )

    async def give_back(self, practices: Mapping[str, int]) -> None:
        """Let others take them at once."""
        await self._database.execute(
            "update ormco_trios_practice_status as its set claimed_until = null "
            "from unnest(%s::text[], %s::bigint[]) as mine (practice, claim) "
            "where its.practice = mine.practice and its.claim = mine.claim",
            (list(practices), list(practices.values())),
        )

    async def still_claimed(self, practice: str, number: int) -> None:
        """Make sure, directly before something is sent, that nobody else has the practice.

        Raises:
            TakenOver: Another worker has it, or it was forgotten.
        """
        if await self._claims(practice) != number:
            raise TakenOver("Another worker has taken over this practice; nothing was sent.")

    async def save(self, claim: Claim, status: PracticeStatus) -> bool:
        """Replace what was claimed, and give it back.

        Returns:
            False if something else was written meanwhile; then that stays.
        """
        return await self._save((claim, status))

    async def next_due(self) -> datetime | None:
        """When the next practice is due that no worker has; None too while the fleet is paused."""
        rows = await self._database.rows(
            "select min(due) from ormco_trios_practice_status "
            "where due is not null and (claimed_until is null or claimed_until <= now()) "
            "and not exists (select from ormco_trios_setting where name = 'paused')"
        )
        due: datetime | None = rows[0][0]
        return due

    async def _claims_of(self, practices: Sequence[str]) -> list[int | None]:
        rows = await self._database.rows(
            "select practice, claim from ormco_trios_practice_status where practice = any(%s)",
            (list(practices),),
        )
        found: dict[str, int] = dict(rows)
        return [found.get(practice) for practice in practices]

    async def _save_all(self, made: Sequence[tuple[Claim, PracticeStatus]]) -> list[bool]:
        rows = [(*self._row(status, of=claim), claim.number) for claim, status in made]
        columns = [list(column) for column in zip(*rows, strict=True)]
        saved = {practice for (practice,) in await self._database.rows(_SAVE, columns)}
        lost = {
            claim.status.practice: claim.number
            for claim, _ in made
            if claim.status.practice not in saved
        }
        if lost:
            await self.give_back(lost)
        return [claim.status.practice in saved for claim, _ in made]

    async def _read(self, practice: str) -> Claim:
        rows = await self._database.rows(
            f"select {_COLUMNS} from ormco_trios_practice_status where practice = %s",  # noqa: S608
            (check_known(practice),),
        )
        if not rows:
            raise LookupError("this practice is not enrolled")
        return self._claim_of(rows[0])

    def _row(self, status: PracticeStatus, *, of: Claim | None = None) -> Row:
        """What is stored; no progress where it is what was read, or could not be."""
        text = status.progress.to_json()
        sealed = None
        if of is None or (of.stored is not None and text != of.stored):
            sealed = self._database.encryption.seal(f"status/{status.practice}", text)
        return (
            status.practice,
            status.stage.value,
            status.since,
            status.due,
            status.rounds,
            status.problem,
            sealed,
            status.version,
        )

    def _claim_of(self, row: Row) -> Claim:
        practice, stage, since, due, rounds, problem, sealed, version, number, priority = row
        stored = None
        progress = Progress()
        known = _STAGES.get(stage)
        if known is not None:  # a version to come may have more of them
            with contextlib.suppress(ConfigurationError):
                stored = self._database.encryption.open(f"status/{practice}", sealed)
                progress = Progress.from_json(stored)
        status = PracticeStatus(
            practice=practice,
            stage=known if known is not None and stored is not None else Stage.FAILED,
            since=since.astimezone(UTC),
            due=None if due is None else due.astimezone(UTC),
            rounds=rounds,
            problem=problem if stored is not None else UNREADABLE,
            progress=progress,
            version=version,
        )
        return Claim(status, number, priority, stored)


# --- practices ----------------------------------------------------------------------------------


class PostgresPractices:
    """What it takes to sign in to each practice's portal account, sealed."""

    def __init__(self, database: FleetDatabase) -> None:
        self._database = database
        self._load = Grouped(self._load_all)

    async def save(self, *practices: FleetPractice) -> None:
        """Keep them, or what has changed about them."""
        seal = self._database.encryption.seal
        await self._database.execute(
            "insert into ormco_trios_practice select * from unnest(%s::text[], %s::bytea[]) "
            "on conflict (practice) do update set sealed = excluded.sealed",
            (
                [each.id for each in practices],
                [seal(f"practice/{each.id}", each.to_json()) for each in practices],
            ),
        )

    async def load(self, practice: str) -> FleetPractice:
        """The practice.

        Raises:
            LookupError: It is not here.
            ConfigurationError: No key opens it.
            StorageUnavailable: The database did not answer.
        """
        sealed = await self._load(check_known(practice))
        if sealed is None:
            raise LookupError("nothing is known of this practice")
        opened = self._database.encryption.open(f"practice/{practice}", sealed)
        return FleetPractice.model_validate_json(opened)

    async def knows(self, practice: str) -> bool:
        """Whether it is here, even if no key opens it."""
        return await self._load(check_known(practice)) is not None

    async def ids(self) -> list[str]:
        """Of all that are here."""
        rows = await self._database.rows(
            "select practice from ormco_trios_practice order by practice"
        )
        return [row[0] for row in rows]

    async def forget(self, practice: str) -> bool:
        """Delete it; whether it was there."""
        return bool(
            await self._database.execute(
                "delete from ormco_trios_practice where practice = %s", (practice,)
            )
        )

    async def _load_all(self, practices: Sequence[str]) -> list[bytes | None]:
        rows = await self._database.rows(
            "select practice, sealed from ormco_trios_practice where practice = any(%s)",
            (list(practices),),
        )
        found: dict[str, bytes] = dict(rows)
        return [found.get(practice) for practice in practices]
