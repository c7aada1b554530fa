"""Many practices on one machine, without a queue: run it, and after a crash run it again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from os import PathLike
from typing import Generic, Literal, TypeVar

from ormco_trios.core._acompat import AsyncClosing
from ormco_trios.core.clock import Clock
from ormco_trios.core.connections import AsyncHttpConnections
from ormco_trios.core.shield import Shielded
from ormco_trios.core.transport import HttpLibrary
from ormco_trios.fleet._workers import AsyncWorkerPool
from ormco_trios.fleet.async_forget import RECORD, SIGN_IN, let_go_async, removed
from ormco_trios.fleet.async_round import do_round_async, take_answer_async
from ormco_trios.fleet.practice_status import PracticeStatus
from ormco_trios.fleet.records import FleetRecords
from ormco_trios.fleet.report import FleetStatus
from ormco_trios.fleet.schedule import FleetSchedule
from ormco_trios.onboarding.async_onboarding import AsyncOnboarding
from ormco_trios.onboarding.outcomes import NeedsPerson
from ormco_trios.onboarding.repair import Disconnected, Place, PlaceState
from ormco_trios.ormcodigital.tasks import Address, TaskAnswer

P = TypeVar("P")

_NOT_IN_THE_LIST = (
    "The practice is not in the list, so this fleet cannot open it: "
    "`AsyncPracticeOpener.forget_sign_in` deletes it by its id."
)


class AsyncFleet(AsyncClosing, Shielded, Generic[P]):
    """Connects every practice of a fleet, however far each has come.

    A practice is looked at when it is due, in one short round; in between it costs a row in the
    records and nothing else.  The failure of one stops no other.

    Args:
        practices: Whatever you know of each practice, by an opaque id of yours.
        open_practice: Makes a practice of that, for one round; `AsyncPracticeOpener.open` is one.
        records: What is remembered between rounds: a file's path, or a `FleetRecords` that you
            close yourself.
        in_flight: Most requests under way in all; the synchronous fleet has one.
        transport: What carries the requests; ``aiohttp`` is asynchronous only, and needs the extra
            of that name.
        clock: For tests and the sandbox.
    """

    def __init__(
        self,
        practices: Mapping[str, P],
        open_practice: Callable[[P], AsyncOnboarding],
        records: FleetRecords | str | PathLike[str],
        *,
        in_flight: int = 32,
        transport: HttpLibrary = "httpx",
        clock: Clock | None = None,
    ) -> None:
        self._practices = practices
        self._open = open_practice
        self._closes_records = not isinstance(records, FleetRecords)
        self._records = records if isinstance(records, FleetRecords) else FleetRecords(records)
        self._clock = clock or Clock()
        self._in_flight = in_flight
        self._transport: HttpLibrary = transport
        self._workers: AsyncWorkerPool | None = None
        self._running: AsyncGenerator[PracticeStatus] | None = None
        self._records.enroll(practices, self._clock.now())

    def run(self, *, until: Literal["people"] | None = None) -> AsyncGenerator[PracticeStatus]:
        """Do what is due, whenever something is; gives the status of a practice after each round.

        Ends when every practice is connected or has failed.  In between it sleeps, until the next
        moment at which a practice is due or `authorized` or `retry` has been called.  Where the
        clock does not really wait, people are still given a tenth of a second each time.

        It can be left at any moment, and run again.

        Args:
            until: ``"people"`` to end as soon as only people can act, with every link up to date.

        Raises:
            ConfigurationError: Another process is running this fleet.
        """
        self._running = self._run(until)
        return self._running

    async def _run(self, until: Literal["people"] | None) -> AsyncGenerator[PracticeStatus]:
        with self._records.one_run():
            schedule = FleetSchedule(
                self._records, self._practices, self._clock, until_people=until == "people"
            )
            self._workers = AsyncWorkerPool(
                schedule,
                self._round,
                clock=self._clock,
                size=self._in_flight,
                library=self._transport,
            )
            try:
                async with aclosing(self._workers.run()) as statuses:
                    async for status in statuses:
                        yield status
            finally:
                self._workers = None

    async def aclose(self) -> None:
        """Stop a run that was left, and close the file; nothing is lost."""
        if self._running is not None:
            await self._running.aclose()
        if self._closes_records:
            self._records.close()

    def status(self) -> FleetStatus:
        """The status of all of them; not of those that are only in the records."""
        known = (each for each in self._records if each.practice in self._practices)
        return FleetStatus.of(known, now=self._clock.now())

    async def authorized(
        self, practice: str, pasted: str, *, account_shown: str | None = None
    ) -> NeedsPerson | None:
        """Take the address that the practice's person was redirected to.

        Do it in the request that receives it: a code lives three minutes.  A run goes on with
        the practice at once, and one in another process within seconds.

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
        """
        return await self._take(practice, answer, id=id)

    def retry(self, practices: Iterable[str] | None = None) -> int:
        """Let failed practices be tried again, these or all; how many there were.

        A practice whose request Ormco's lab has removed asks for the connection again.
        """
        wanted = None if practices is None else set(practices)
        failed = [each for each in self._records.failed() if wanted is None or each in wanted]
        for practice in failed:
            self._records.change(practice, lambda it: it.due_at(self._clock.now()))
        self._wake()
        return len(failed)

    def gone(self) -> list[str]:
        """The practices that there are records of, and that are no longer in the list."""
        return [each.practice for each in self._records if each.practice not in self._practices]

    async def forget(self, practice: str, *, take_back: bool = False) -> Disconnected:
        """Delete what is kept of a practice, and say what became of each place.

        Not while the fleet is run.  What stays: backups, logs, and reports that were written; and
        the line in your list, which would enroll it again.

        Args:
            practice: Its id.
            take_back: Take back what it had agreed to as well: at the portal, under Applications,
                the connection, and this library's sign-in.  Where that fails, its sign-in is
                kept, so that it can be tried again.

        Raises:
            LookupError: There is no such practice, neither in the list nor in the records.
            ConfigurationError: The fleet is being run.
        """
        with self._records.one_run():
            known = practice in self._practices
            there = self._records.forget(practice)
            if not known and not there:
                raise LookupError("there is no such practice")
            if known:
                places = await let_go_async(self._opening(practice), take_back=take_back)
            else:
                places = [Place(SIGN_IN, PlaceState.NEEDS_PERSON, _NOT_IN_THE_LIST)]
            return Disconnected((*places, removed(RECORD, there)))

    async def _take(
        self, practice: str, answer: TaskAnswer, *, id: str | None = None
    ) -> NeedsPerson | None:
        asked = self._records.change(practice, lambda it: it.claimed(self._clock.now()))
        try:
            return await take_answer_async(asked, answer, self._opening(practice), id=id)
        finally:
            del answer
            try:
                self._records.change(practice, lambda it: it.answered(asked, self._clock.now()))
            except LookupError:
                # Forgotten meanwhile, so nothing is kept of what the answer has brought.
                await let_go_async(self._opening(practice), take_back=False)
                raise
            self._wake()

    def _wake(self) -> None:
        if self._workers is not None:
            self._workers.wake()

    async def _round(self, practice: str, connections: AsyncHttpConnections) -> PracticeStatus:
        before = self._records.load(practice)
        after = await do_round_async(
            before, self._opening(practice), connections=connections, clock=self._clock
        )
        # An answer that came meanwhile counts for more than what a round saw before it.
        return after if self._records.save(after) else self._records.load(practice)

    def _opening(self, practice: str) -> Callable[[], Awaitable[AsyncOnboarding]]:
        async def open_practice() -> AsyncOnboarding:
            return self._open(self._practices[practice])

        return open_practice
