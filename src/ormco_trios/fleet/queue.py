"""A fleet on many machines: jobs on Procrastinate over PostgreSQL, each for many practices.

A job holds nothing: it takes practices that are due, looks at them, and goes on until none is.  A
practice that a worker has taken is its own for as long as it gives signs of life.  What a killed
worker leaves behind does no harm: the next round looks first.  A worker that was taken for dead,
and is not, sends nothing any more: each practice has a number that grows whenever it is taken, and
it is compared in the database directly before every request that may change something.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any, Self

from ormco_trios.core.clock import Clock
from ormco_trios.core.errors import ConfigurationError, StorageUnavailable, TakenOver
from ormco_trios.core.extras import extra
from ormco_trios.core.log import logger
from ormco_trios.core.shield import Shielded
from ormco_trios.core.transport import HttpLibrary
from ormco_trios.fleet._fencing import FencedConnections
from ormco_trios.fleet.async_forget import (
    KEPT,
    LOGIN,
    RECORD,
    SIGN_IN,
    failed,
    let_go_async,
    removed,
)
from ormco_trios.fleet.async_round import do_round_async, take_answer_async
from ormco_trios.fleet.postgres import (
    RECONNECT,
    Claim,
    FleetDatabase,
    PostgresPractices,
    PostgresRecords,
    PostgresTokenStore,
)
from ormco_trios.fleet.practice_status import PracticeStatus
from ormco_trios.fleet.practices import check_id
from ormco_trios.fleet.report import FleetStatus
from ormco_trios.onboarding.async_onboarding import AsyncOnboarding
from ormco_trios.onboarding.outcomes import NeedsPerson
from ormco_trios.onboarding.repair import Disconnected, Place, PlaceState
from ormco_trios.ormcodigital.tasks import Address, TaskAnswer

with extra("fleet"):
    from procrastinate import App, PsycopgConnector
    from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
    from procrastinate.jobs import Status
    from psycopg import Error
    from psycopg_pool import AsyncConnectionPool

QUEUE = "ormco-trios"
LOOK = "ormco_trios.look"
SWEEP = "ormco_trios.sweep"

TURN = 10.0
"""Seconds after which a job lets others have their turn, such as the sweep."""

_MACHINE = Clock()
"""The queue's time, whatever the practices live in."""

OpenPractice = Callable[[str], Awaitable[AsyncOnboarding]]


class FleetQueue(Shielded):
    """Connects the practices of a fleet with any number of workers.

    Use it in an ``async with`` block: a web application to enroll practices and to hand over what
    they come back with, a worker to `work`.

    Args:
        database: Where records, tokens and the queue are; open as long as this is.
        open_practice: Makes the practice with an id, for one round.
        clock: For tests and the sandbox.
        transport: What carries the requests; ``aiohttp`` needs the extra of that name.
    """

    def __init__(
        self,
        database: FleetDatabase,
        open_practice: OpenPractice,
        *,
        clock: Clock | None = None,
        transport: HttpLibrary = "httpx",
    ) -> None:
        self.database = database
        self._records = PostgresRecords(database)
        self._open = open_practice
        self._clock = clock or Clock()
        self._transport: HttpLibrary = transport
        self._idle: list[FencedConnections] = []
        self._batches: set[asyncio.Future[None]] = set()
        self._concurrency = 16
        self._places = asyncio.Semaphore(self._concurrency)
        self._tick = 5.0
        self._claimed_for = 120.0
        self._connector = PsycopgConnector(
            pool_factory=_pool,
            conninfo=database.conninfo,
            kwargs=database.options,
            min_size=1,
            max_size=4,
            reconnect_timeout=RECONNECT,
        )
        self._app = App(connector=self._connector)
        self._app.task(name=LOOK, queue=QUEUE)(self._look)
        self._sweeping = self._app.task(name=SWEEP, queue=QUEUE, queueing_lock=SWEEP)(self._sweep)

    async def __aenter__(self) -> Self:
        try:
            await self._app.open_async()
        except (ConnectorException, Error) as error:
            failure = type(error).__name__
        else:
            return self
        raise StorageUnavailable(f"The fleet's queue cannot be opened ({failure}).")

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await self._idle.pop().aclose()
        await self._app.close_async()

    # --- for the web application ------------------------------------------------------------

    async def enroll(self, *practices: str, priority: int = 0) -> int:
        """Add practices, and begin with them; how many are new.  Safe to repeat.

        Args:
            practices: Your opaque id of each.
            priority: Higher goes first when there is more to do than workers can.

        Raises:
            ConfigurationError: One is no id, such as an e-mail address; nobody was added.
        """
        now = self._clock.now()
        enrolled = [PracticeStatus.enrolled(check_id(each), now) for each in practices]
        new = await self._records.enroll(enrolled, priority=priority)
        if new:
            await self._wake()
        return new

    async def authorized(
        self, practice: str, pasted: str, *, account_shown: str | None = None
    ) -> NeedsPerson | None:
        """Take the address that the practice's person was redirected to.

        Do it in the request that receives it: a code lives three minutes.  Only the going on is
        queued.

        Args:
            practice: Its id.
            pasted: The address.
            account_shown: The e-mail that the consent page showed, as the person says, where it
                was Ormco's.

        Returns:
            None; or, where the portal's part is done by hand, the next task.  It holds the code to
            enter there: show it in the answer to this request, and keep it nowhere.  What the
            person says of it goes to `finish_task`.

        Raises:
            LookupError: There is no such practice.
            PasteError: There is no usable code in it; the link stays good, paste again.
            WrongAccount: The page showed another account; the code is not used.
            ConsentDenied: The person chose *Cancel*.
            CodeRefused: The code was not taken; the next round has a fresh link.
            CodeSpent: This address was brought before.
            AuthorizationNeeded: The practice was not asked for anything, or has answered already;
                nothing was sent.
            StorageUnavailable: The database did not answer; paste again.
        """
        return await self._take(practice, Address(pasted, account_shown))

    async def finish_task(
        self, practice: str, answer: TaskAnswer, *, id: str | None = None
    ) -> NeedsPerson | None:
        """Take what a person says of a task: an `Address` as `authorized` does, `Done`, `Failed`.

        Args:
            practice: Its id.
            answer: For the second task `Done`, or `Failed` with what the portal showed.
            id: The id of the task that was shown, so that an answer to an older one is not used.

        Raises:
            LookupError: There is no such practice.
            TaskOver: There is no such task any more; nothing was used.
            AuthorizationNeeded: As `authorized`.
            StorageUnavailable: The database did not answer.
        """
        return await self._take(practice, answer, id=id)

    async def retry(self, practices: Iterable[str] | None = None) -> int:
        """Let failed practices be tried again, these or all; how many there were.

        A practice whose request Ormco's lab has removed asks for the connection again.
        """
        wanted = None if practices is None else set(practices)
        failed = [each for each in await self._records.failed() if wanted is None or each in wanted]
        for practice in failed:
            await self._records.change(
                practice, lambda it: it.due_at(self._clock.now()), opened=False
            )
        if failed:
            await self._wake()
        return len(failed)

    async def pause(self) -> None:
        """Let no round begin until `resume`; those under way are finished."""
        await self.database.execute(
            "insert into ormco_trios_setting values ('paused', 'yes') on conflict do nothing"
        )

    async def resume(self) -> None:
        """Go on after `pause`."""
        await self.database.execute("delete from ormco_trios_setting where name = 'paused'")
        await self._wake()

    async def forget(self, practice: str, *, take_back: bool = False) -> Disconnected:
        """Delete what is kept of a practice, and say what became of each place.

        A round that is under way sends nothing for it any more.  Jobs hold nothing of it.  What
        stays: backups, the database's log of changes until it is written over, logs, and reports
        that were written.

        Args:
            practice: Its id.
            take_back: Take back what it had agreed to as well: at the portal, under Applications,
                the connection, and this library's sign-in.  Where that fails, its sign-in and its
                login are kept, so that it can be tried again.

        Raises:
            LookupError: There is no such practice.
        """
        stored = PostgresPractices(self.database)
        there = await self._records.forget(practice)
        if not there and not await stored.knows(practice):
            raise LookupError("there is no such practice")
        places = await self._let_go(practice, take_back=take_back)
        if take_back and failed(places):
            places.append(Place(LOGIN, PlaceState.FAILED, KEPT))
        else:
            places.append(removed(LOGIN, await stored.forget(practice)))
        return Disconnected((*places, removed(RECORD, there)))

    async def status(self) -> FleetStatus:
        """The status of all of them."""
        return FleetStatus.of(await self._records.all(), now=self._clock.now())

    # --- for the operator and the workers ---------------------------------------------------

    async def migrate(self) -> int:
        """Make or bring up to date the fleet's tables, and make the queue's if there are none.

        Returns:
            The version of the fleet's tables.
        """
        version = await self.database.migrate()
        async with self.database.alone("ormco_trios_queue"):
            if not await self._app.check_connection_async():
                await self._app.schema_manager.apply_schema_async()
        return version

    async def work(
        self,
        *,
        concurrency: int = 16,
        polling: float = 5.0,
        stalled_after: float = 120.0,
        sweep: str = "* * * * *",
        install_signal_handlers: bool = True,
    ) -> None:
        """Do rounds until told to stop, by a signal or by cancellation.

        A database that cannot be reached for a while, or was restarted, does not end it.

        Args:
            concurrency: Most rounds at a time.
            polling: Seconds between looks for jobs that have become due; practices that become due
                within that time are looked at by one job.
            stalled_after: Seconds without a sign of life after which a worker is taken for dead,
                and its practices are free for others.
            sweep: When to look for what dead workers have left, as a cron expression.
            install_signal_handlers: Off where the program has its own.

        Raises:
            ConfigurationError: The tables are of another version, or there are none, or this
                process has none of the keys that its secrets are sealed with.
        """
        self._concurrency, self._tick, self._claimed_for = concurrency, polling, stalled_after
        self._places = asyncio.Semaphore(concurrency)
        if not self._app.periodic_registry.periodic_tasks:  # pyright: ignore[reportUnknownMemberType]  # typed only in part
            self._app.periodic(cron=sweep)(self._sweeping)
        stopped = asyncio.Event()
        with _signals_set(stopped) if install_signal_handlers else contextlib.nullcontext():
            try:
                while not stopped.is_set():
                    with contextlib.suppress(StorageUnavailable):
                        await self._check()
                        await _until(asyncio.ensure_future(self._run_worker()), stopped)
                    if not stopped.is_set():
                        # Its database is away, or it was taken for dead: it begins again.
                        logger.warning("the fleet's worker lost its database, and begins again")
                        await _MACHINE.sleep_async(min(polling, 5.0))
                        await self._drop_what_has_ended()
                if self._batches:
                    await asyncio.wait(self._batches, timeout=2 * TURN)
            finally:
                for batch in self._batches:
                    batch.cancel()
                await asyncio.gather(*self._batches, return_exceptions=True)

    # --- inside -----------------------------------------------------------------------------

    async def _take(
        self, practice: str, answer: TaskAnswer, *, id: str | None = None
    ) -> NeedsPerson | None:
        asked = await self._records.change(practice, lambda it: it.claimed(self._clock.now()))
        try:
            return await take_answer_async(asked, answer, lambda: self._open(practice), id=id)
        finally:
            del answer
            try:
                await self._records.change(
                    practice, lambda it: it.answered(asked, self._clock.now())
                )
            except LookupError:
                # Forgotten meanwhile, so nothing is kept of what the answer has brought.
                await self._let_go(practice, take_back=False)
                raise
            await self._wake()

    async def _let_go(self, practice: str, *, take_back: bool) -> list[Place]:
        places = await let_go_async(lambda: self._open(practice), take_back=take_back)
        # Also the sign-in of a practice that cannot be opened.
        if not (take_back and failed(places)) and await PostgresTokenStore(
            self.database
        ).forget_practice(practice):
            places[-1] = removed(SIGN_IN, True)
        return places

    async def _check(self) -> None:
        await self.database.check()
        await self.database.check_keys()
        await self.database.seal_canary()
        there = await self.database.rows("select to_regclass('procrastinate_jobs') is not null")
        if not there[0][0]:
            raise ConfigurationError(
                "There is no queue in this database.", advice="Run `ormco-trios fleet migrate`."
            )

    async def _run_worker(self) -> None:
        await self._app.run_worker_async(
            queues=[QUEUE],
            concurrency=1,
            fetch_job_polling_interval=self._tick,
            stalled_worker_timeout=self._claimed_for,
            update_heartbeat_interval=min(10.0, self._claimed_for / 3),
            delete_jobs="always",
            install_signal_handlers=False,
        )

    async def _look(self) -> None:
        """One job: take practices that are due and look at them, until none is."""
        batch = asyncio.ensure_future(self._look_at_batch())
        self._batches.add(batch)
        batch.add_done_callback(self._batches.discard)
        try:
            done, _ = await asyncio.wait({batch}, timeout=2 * TURN)
        except asyncio.CancelledError:
            batch.cancel()
            raise
        if done:
            await batch
        else:
            # The slowest go on, and the next job fills the places of the others.
            await self._plan()

    async def _look_at_batch(self) -> None:
        over = _MACHINE.monotonic() + TURN
        claimed_for = self._claimed_for
        waiting: deque[Claim] = deque()
        held: dict[str, int] = {}
        taking = asyncio.Lock()
        more = True

        async def take() -> Claim | None:
            nonlocal more
            async with taking:
                if not waiting and more and _MACHINE.monotonic() < over:
                    taken = await self._records.claim(
                        self._clock.now(), limit=self._concurrency, seconds=claimed_for
                    )
                    waiting.extend(taken)
                    held.update((each.status.practice, each.number) for each in taken)
                    more = len(taken) == self._concurrency
                return waiting.popleft() if waiting else None

        async def work() -> None:
            while True:
                async with self._places:
                    claim = await take()
                    if claim is None:
                        return
                    await self._round(claim)
                    held.pop(claim.status.practice, None)

        async def keep() -> None:
            while True:
                await _MACHINE.sleep_async(claimed_for / 3)
                with contextlib.suppress(StorageUnavailable):
                    await self._records.renew(dict(held), claimed_for)

        first = await take()
        if first is not None:
            waiting.appendleft(first)
            if more:
                await self._wake()  # so that other workers join in
            n = self._concurrency if more else len(waiting)
            tasks = [asyncio.ensure_future(each()) for each in (keep, *[work] * n)]
            try:
                await asyncio.gather(*tasks[1:])
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                if held:
                    with contextlib.suppress(StorageUnavailable):
                        await self._records.give_back(held)
        await self._plan()

    async def _round(self, claim: Claim) -> None:
        practice = claim.status.practice
        if claim.stored is None:
            # Left to a worker that has the key; where nobody has it, the status names it.
            logger.warning("practice %s cannot be opened with the keys of this worker", practice)
            return
        connections = self._idle.pop() if self._idle else FencedConnections(self._transport)
        connections.may_send = lambda: self._records.still_claimed(practice, claim.number)
        try:
            after = await do_round_async(
                claim.status,
                lambda: self._open(practice),
                connections=connections,
                clock=self._clock,
            )
        except TakenOver:
            await self._records.give_back({practice: claim.number})
            return
        finally:
            self._idle.append(connections)
        # An answer that came meanwhile counts for more than what a round saw before it.
        await self._records.save(claim, after)

    async def _sweep(self, timestamp: int) -> None:
        """Clear away what dead workers were doing, and wake those who go on with it."""
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(
            queue=QUEUE, seconds_since_heartbeat=self._claimed_for
        ):
            await manager.finish_job(job, Status.FAILED, delete_job=True)
        await self._plan()

    async def _plan(self) -> None:
        """Queue the job for the practice that is due next."""
        due = await self._records.next_due()
        if due is None:
            return
        ahead = self._clock.in_reality((due - self._clock.now()).total_seconds())
        if ahead <= 0:
            await self._wake()
            return
        # Unless there is one for that tick; the name is that of the tick.
        tick = math.ceil((_MACHINE.time() + ahead) / self._tick)
        await self._defer(f"{LOOK}/{tick}", tick * self._tick - _MACHINE.time())

    async def _wake(self) -> None:
        """Queue a job for now."""
        await self._defer(f"{LOOK}/now", 0.0)

    async def _defer(self, name: str, seconds: float) -> None:
        job = self._app.configure_task(
            name=LOOK, queue=QUEUE, queueing_lock=name, schedule_in={"seconds": seconds}
        )
        for _ in range(2):
            try:
                await job.defer_async()
            except AlreadyEnqueued:
                return
            except (ConnectorException, Error):
                await self._drop_what_has_ended()
            else:
                return
        logger.warning("a fleet's workers could not be woken; the sweep does it")

    async def _drop_what_has_ended(self) -> None:
        """Connections that ended with the one that was just met."""
        for pool in (self.database.pool, self._connector.pool):
            with contextlib.suppress(Error):
                await pool.check()


def _pool(**options: Any) -> AsyncConnectionPool:
    """Procrastinate's, but for its check of each connection that is taken.

    That finds a dead one after another, and waits twice as long after each: up to half a minute in
    which a worker gives no sign of life.
    """
    del options["check"]
    return AsyncConnectionPool(**options)


async def _until(working: asyncio.Future[None], stopped: asyncio.Event) -> None:
    """Let a worker work until it ends, or is to be stopped: then it finishes what it does."""
    stopping = asyncio.ensure_future(stopped.wait())
    either: set[asyncio.Future[Any]] = {working, stopping}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        working.cancel()
        (ended,) = await asyncio.gather(working, return_exceptions=True)
    if isinstance(ended, Exception) and not isinstance(ended, (ConnectorException, Error)):
        raise ended


@contextlib.contextmanager
def _signals_set(stopped: asyncio.Event) -> Generator[None]:
    """Let the signals that end a process set an event instead, once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is told of signals
        return
    loop = asyncio.get_running_loop()
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    def stop(*_: object) -> None:
        restore()
        loop.call_soon_threadsafe(stopped.set)

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    for each in before:
        signal.signal(each, stop)
    try:
        yield
    finally:
        restore()
