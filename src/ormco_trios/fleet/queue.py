"""A fleet on many machines: one short job for each round, on Procrastinate over PostgreSQL.

A job holds a practice's id and nothing else.  What a killed worker leaves behind does no harm: the
next round looks first.  Who may do a round is decided by a lock that ends with its process, so not
even a worker that was taken for dead does one at the same time as another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Self

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status
from psycopg.errors import ForeignKeyViolation

from ormco_trios.core.clock import Clock
from ormco_trios.core.connections import AsyncHttpConnections
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.shield import Shielded
from ormco_trios.core.transport import HttpLibrary
from ormco_trios.fleet.async_round import do_round_async, take_authorization_async
from ormco_trios.fleet.postgres import FleetDatabase, PostgresRecords
from ormco_trios.fleet.practice_status import PracticeStatus
from ormco_trios.fleet.practices import check_id
from ormco_trios.fleet.report import FleetStatus
from ormco_trios.onboarding.async_onboarding import AsyncOnboarding

QUEUE = "ormco-trios"
ADVANCE = "ormco_trios.advance"
SWEEP = "ormco_trios.sweep"

BUSY = timedelta(seconds=5)
"""Until a round is tried again that somebody else was doing."""

PAUSED = timedelta(minutes=1)
"""Until it is looked again whether the fleet is still paused."""

GRACE = timedelta(minutes=5)
"""How late a round may be before the sweep takes its job for lost."""

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
        self._idle: list[AsyncHttpConnections] = []
        self._app = App(connector=PsycopgConnector(conninfo=database.conninfo))
        self._app.task(name=ADVANCE, queue=QUEUE)(self._advance)

    async def __aenter__(self) -> Self:
        await self._app.open_async()
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await self._idle.pop().aclose()
        await self._app.close_async()

    # --- for the web application ------------------------------------------------------------

    async def enroll(self, practice: str, *, priority: int = 0) -> bool:
        """Add a practice, and begin with it; whether it is new.  Safe to repeat.

        Args:
            practice: Your opaque id of it.
            priority: Higher goes first when there is more to do than workers can.

        Raises:
            ConfigurationError: It is no id, such as an e-mail address.
        """
        now = self._clock.now()
        status = PracticeStatus.enrolled(check_id(practice), now)
        new = await self._records.enroll(status, priority=priority)
        if new:
            await self._defer(practice, now, priority)
        return new

    async def authorized(self, practice: str, pasted: str) -> None:
        """Take the address that the practice's person was redirected to, and go on with it.

        The code is used here and now, since it lives three minutes; only the going on is queued.

        Raises:
            LookupError: The practice is not enrolled.
            PasteError: There is no usable code in it; the link stays good, paste again.
            ConsentDenied: The person chose *Cancel*.
            CodeRefused: The code was not taken; the next round has a fresh link.
            AuthorizationNeeded: The practice was not asked for an authorization, or has answered
                already; nothing was sent.
        """
        asked, priority = await self._records.change(
            practice, lambda it: it.claimed(self._clock.now())
        )
        try:
            await take_authorization_async(asked, pasted, lambda: self._open(practice))
        finally:
            del pasted
            await self._records.change(practice, lambda it: it.answered(asked, self._clock.now()))
            if asked.progress.pending is None:  # it was used
                await self._wake(practice, priority)

    async def retry(self, practices: Iterable[str] | None = None) -> int:
        """Let failed practices be tried again, these or all; how many there were.

        A practice whose request Ormco's lab has removed asks for the connection again.
        """
        wanted = None if practices is None else set(practices)
        failed = [each for each in await self._records.failed() if wanted is None or each in wanted]
        for practice in failed:
            _, priority = await self._records.change(
                practice, lambda it: it.due_at(self._clock.now())
            )
            await self._wake(practice, priority)
        return len(failed)

    async def pause(self) -> None:
        """Let no round begin until `resume`; those under way are finished."""
        await self.database.execute(
            "insert into ormco_trios_setting values ('paused', 'yes') on conflict do nothing"
        )

    async def resume(self) -> None:
        """Go on after `pause`."""
        await self.database.execute("delete from ormco_trios_setting where name = 'paused'")
        # Those beyond the limit of one look notice by themselves within a minute.
        await self._wake_overdue(self._clock.now())

    async def status(self) -> FleetStatus:
        """Where all of them stand."""
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

        Args:
            concurrency: Most rounds at a time.
            polling: Seconds between looks for rounds that have become due.
            stalled_after: Seconds without a sign of life after which a worker is taken for dead.
            sweep: When to look for what dead workers have left, as a cron expression.
            install_signal_handlers: Off where the program has its own.

        Raises:
            ConfigurationError: The tables are of another version, or there are none.
        """
        await self.database.check()
        if not await self._app.check_connection_async():
            raise ConfigurationError(
                "There is no queue in this database.", advice="Run `ormco-trios fleet migrate`."
            )

        async def sweep_up(timestamp: int) -> None:  # noqa: ARG001 - the queue says when it was due
            await self._sweep(stalled_after)

        task = self._app.task(name=SWEEP, queue=QUEUE, queueing_lock=SWEEP)(sweep_up)
        self._app.periodic(cron=sweep)(task)
        while True:
            try:
                await self._app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=concurrency,
                    fetch_job_polling_interval=polling,
                    stalled_worker_timeout=stalled_after,
                    update_heartbeat_interval=min(10.0, stalled_after / 3),
                    delete_jobs="always",
                    install_signal_handlers=install_signal_handlers,
                )
            except ConnectorException as error:
                # It slept, as a suspended machine does, and was taken for dead: it is a new one.
                if not isinstance(error.__cause__, ForeignKeyViolation):
                    raise
            else:
                return

    # --- inside -----------------------------------------------------------------------------

    async def _advance(self, practice: str) -> None:
        """One job: one round, and the job for the next."""
        async with self.database.locks.holding(f"practice/{practice}") as mine:
            try:
                status, priority = await self._records.load(practice)
            except LookupError:
                return  # dropped since
            due = status.due
            if due is None:
                return
            now = self._clock.now()
            if not mine or await self._paused():
                await self._defer(practice, now + (PAUSED if mine else BUSY), priority)
                return
            if due > now:
                await self._defer(practice, due, priority)
                return
            connections = self._idle.pop() if self._idle else AsyncHttpConnections(self._transport)
            try:
                after = await do_round_async(
                    status, lambda: self._open(practice), connections=connections, clock=self._clock
                )
            finally:
                self._idle.append(connections)
            if not await self._records.save(after):
                # An answer that came meanwhile counts for more than what a round saw before it.
                after, _ = await self._records.load(practice)
        if after.due is not None:
            await self._defer(practice, after.due, priority)

    async def _sweep(self, stalled_after: float) -> None:
        """Clear away what dead workers were doing, and begin anew what has no job any more."""
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(
            queue=QUEUE, seconds_since_heartbeat=stalled_after
        ):
            await manager.finish_job(job, Status.FAILED, delete_job=True)
            if job.task_name == ADVANCE:
                practice = str(job.task_kwargs["practice"])
                await self._defer(practice, self._clock.now(), job.priority)
        await self._wake_overdue(self._clock.now() - GRACE)

    async def _wake_overdue(self, moment: datetime) -> None:
        """Let those that should have been looked at by ``moment`` be looked at now."""
        for practice, priority in await self._records.overdue(moment):
            await self._wake(practice, priority)

    async def _wake(self, practice: str, priority: int) -> None:
        """Let the next round be now, whenever it was to be; one that is due keeps its place."""
        real = Clock().now()  # the queue's time, whatever the practices live in
        manager = self._app.job_manager
        for job in await manager.list_jobs_async(queueing_lock=practice, status="todo"):
            later = job.scheduled_at is not None and job.scheduled_at > real
            if later and job.id is not None:
                await manager.cancel_job_by_id_async(job.id, delete_job=True)
        await self._defer(practice, self._clock.now(), priority)

    async def _defer(self, practice: str, due: datetime, priority: int) -> None:
        """Queue the next round."""
        ahead = self._clock.in_reality((due - self._clock.now()).total_seconds())
        # Unless the next round is queued already.
        with contextlib.suppress(AlreadyEnqueued):
            await self._app.configure_task(
                name=ADVANCE,
                queue=QUEUE,
                queueing_lock=practice,
                priority=priority,
                schedule_in={"seconds": ahead},
            ).defer_async(practice=practice)

    async def _paused(self) -> bool:
        return bool(
            await self.database.rows("select 1 from ormco_trios_setting where name = 'paused'")
        )
