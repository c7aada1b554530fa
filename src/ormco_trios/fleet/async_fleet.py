"""Many practices on one machine, without a queue: run it, and after a crash run it again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Generic, TypeVar

from ormco_trios.core._acompat import AsyncClosing
from ormco_trios.core._lanes import AsyncLane, work_through_async
from ormco_trios.core.clock import Clock
from ormco_trios.core.shield import Shielded
from ormco_trios.core.transport import HttpLibrary
from ormco_trios.fleet.agenda import FleetAgenda
from ormco_trios.fleet.async_round import do_round_async, take_authorization_async
from ormco_trios.fleet.records import FleetRecords
from ormco_trios.fleet.standing import Stage, Standing
from ormco_trios.fleet.status import FleetStatus
from ormco_trios.onboarding.async_onboarding import AsyncOnboarding

P = TypeVar("P")


class AsyncFleet(AsyncClosing, Shielded, Generic[P]):
    """Connects every practice of a fleet, from wherever each stands.

    A practice is looked at when it is due, in one short round; in between it costs a row in the
    records and nothing else.  The failure of one stops no other.

    Args:
        practices: Whatever you know of each practice, by an opaque id of yours.
        open_practice: Makes a practice of that, for one round; `AsyncPracticeOpener.open` is one.
        records: What is remembered between rounds.
        in_flight: Most requests under way in all; the synchronous fleet has one.
        transport: What carries the requests; ``aiohttp`` is asynchronous only, and needs the extra
            of that name.
        clock: For tests and the sandbox.
    """

    def __init__(
        self,
        practices: Mapping[str, P],
        open_practice: Callable[[P], AsyncOnboarding],
        records: FleetRecords,
        *,
        in_flight: int = 32,
        transport: HttpLibrary = "httpx",
        clock: Clock | None = None,
    ) -> None:
        self._practices = practices
        self._open = open_practice
        self._records = records
        self._in_flight = in_flight
        self._transport: HttpLibrary = transport
        self._clock = clock or Clock()
        self._running: AsyncGenerator[Standing] | None = None
        records.enroll(practices, self._clock.now())

    def run(self) -> AsyncGenerator[Standing]:
        """Do what is due, whenever something is; gives where a practice stands after each round.

        Ends when every practice is connected, or has failed.  Whoever does not want to wait for
        people leaves it when ``status().waits_for_people_only`` is true; it can be left at any
        moment, and run again.

        Raises:
            ConfigurationError: Another process is running this fleet.
        """
        self._running = self._run()
        return self._running

    async def _run(self) -> AsyncGenerator[Standing]:
        with self._records.one_run():
            agenda = FleetAgenda(self._records, self._practices, self._clock)
            working = work_through_async(
                agenda,
                self._round,
                clock=self._clock,
                lanes=self._in_flight,
                library=self._transport,
            )
            async with aclosing(working):
                async for standing in working:
                    yield standing

    async def aclose(self) -> None:
        """Stop a run that was left; nothing is lost."""
        if self._running is not None:
            await self._running.aclose()

    def status(self) -> FleetStatus:
        """Where all of them stand; not those that are only in the records."""
        known = (each for each in self._records if each.practice in self._practices)
        return FleetStatus.of(known, now=self._clock.now())

    async def authorized(self, practice: str, pasted: str) -> None:
        """Take the address that the practice's person was redirected to.

        Do it in the request that receives it: a code lives three minutes.  The run, in whichever
        process, goes on with the practice within seconds.

        Raises:
            LookupError: There is no such practice.
            PasteError: There is no usable code in it; the link stays good, paste again.
            ConsentDenied: The person chose *Cancel*.
            CodeRefused: The code was not taken; the next round has a fresh link.
            AuthorizationNeeded: The practice was not asked for an authorization, or has answered
                already; nothing was sent.
        """
        asked = self._records.change(practice, lambda it: it.claimed(self._clock.now()))
        try:
            await take_authorization_async(asked, pasted, self._opening(practice))
        finally:
            del pasted
            self._records.change(practice, lambda it: it.answered(asked, self._clock.now()))

    def retry(self, practices: Iterable[str] | None = None) -> int:
        """Let failed practices be tried again, these or all; how many there were.

        A practice whose request Ormco's lab has removed asks for the connection again.
        """
        wanted = None if practices is None else set(practices)
        failed = [
            standing
            for standing in self._records
            if standing.stage is Stage.FAILED and (wanted is None or standing.practice in wanted)
        ]
        for standing in failed:
            self._records.change(standing.practice, lambda it: it.due_at(self._clock.now()))
        return len(failed)

    async def _round(self, practice: str, lane: AsyncLane) -> Standing:
        standing = self._records.load(practice)
        after = await do_round_async(
            standing, self._opening(practice), lane=lane, clock=self._clock
        )
        # An answer that came meanwhile counts for more than what a round saw before it.
        return after if self._records.save(after) else self._records.load(practice)

    def _opening(self, practice: str) -> Callable[[], Awaitable[AsyncOnboarding]]:
        async def open_practice() -> AsyncOnboarding:
            return self._open(self._practices[practice])

        return open_practice
