"""Which practice is due next."""

from __future__ import annotations

import math
from collections.abc import Container
from heapq import heappop, heappush

from ormco_trios.core.clock import Clock
from ormco_trios.fleet.practice_status import PracticeStatus
from ormco_trios.fleet.records import FleetRecords

INTERVAL = 5.0
"""Seconds between looks at what other processes wrote, such as an authorization."""

TICK = 1.0
"""Seconds: practices that become due within one tick share a wake-up, at its end; while practices
are looked at, other processes' writes are looked for once in each."""


class FleetSchedule:
    """The practices that have records, by the moment each is due.

    Args:
        until_people: Whether it is finished when only people can act.
    """

    def __init__(
        self,
        records: FleetRecords,
        practices: Container[str],
        clock: Clock,
        *,
        until_people: bool = False,
    ) -> None:
        self._records = records
        self._practices = practices
        self._clock = clock
        self._until_people = until_people
        self._lead = clock.time() - clock.monotonic()
        # When each is due by `_now`; not while a worker has it, or when nothing is to be done.
        self._due: dict[str, float] = {}
        # Those whose moment has changed since are in it twice; only `_due` counts.
        self._heap: list[tuple[float, str]] = []
        # Those of `_due` that a person has to act on; they are looked at all the same.
        self._resting: set[str] = set()
        self._taken: set[str] = set()
        self._look_around_at = -math.inf
        records.announced()
        for status in records:
            self._plan(status)

    def is_finished(self) -> bool:
        """Whether nothing more happens, after a look at what others wrote meanwhile."""
        now = self._clock.monotonic()
        if self._records.announced_here or now >= self._look_around_at or self._ended():
            self._look_around_at = now + TICK
            if self._records.changed():
                for status in self._records.announced():
                    # What a worker has now is read again after its round.
                    if status.practice not in self._taken:
                        self._plan(status)
        return self._ended()

    def _ended(self) -> bool:
        if self._until_people:
            return self.only_people and not self.has_due
        return not self._due and not self._taken

    @property
    def only_people(self) -> bool:
        """Whether nothing happens until a person acts, if at all."""
        return not self._taken and len(self._resting) == len(self._due)

    @property
    def has_due(self) -> bool:
        """Whether a practice is due that no worker has."""
        return self._next() <= self._now()

    @property
    def hurries(self) -> bool:
        """Whether the clock, which does not really wait, would rush past those it waits for."""
        return self.only_people and not self._clock.in_reality(1.0)

    def rest(self) -> float:
        """Seconds until a practice is due, or another process may have said so."""
        until = self._next() - self._now()
        return max(0.0, until if self._due and self.hurries else min(INTERVAL, until))

    def take(self) -> str | None:
        """The practice that has been due for longest, if there is one."""
        if not self.has_due:
            return None
        _, practice = heappop(self._heap)
        del self._due[practice]
        self._resting.discard(practice)
        self._taken.add(practice)
        return practice

    def settle(self, status: PracticeStatus) -> None:
        """Note the status of a practice after its round."""
        self._taken.discard(status.practice)
        self._plan(status)

    def _plan(self, status: PracticeStatus) -> None:
        practice = status.practice
        if practice not in self._practices:
            return
        self._due.pop(practice, None)
        self._resting.discard(practice)
        if status.due is not None:
            # However wrong the wall clock becomes until then.
            now = self._now()
            moment = now + status.due.timestamp() - self._clock.time()
            if moment > now:
                moment = math.ceil(moment / TICK) * TICK
            self._due[practice] = moment
            heappush(self._heap, (moment, practice))
            if status.rests:
                self._resting.add(practice)

    def _next(self) -> float:
        """When the next practice is due, by `_now`."""
        while self._heap:
            moment, practice = self._heap[0]
            if self._due.get(practice) == moment:
                return moment
            heappop(self._heap)
        return math.inf

    def _now(self) -> float:
        """The monotonic clock, and what the machine has slept; a clock set back is not noticed."""
        now = self._clock.monotonic()
        return max(now, self._clock.time() - self._lead)
