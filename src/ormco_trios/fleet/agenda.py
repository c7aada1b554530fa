"""Which practice is due next: pure, for the lanes of `core`."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Container, Iterator

from ormco_trios.core.clock import Clock
from ormco_trios.core.wheel import Wheel
from ormco_trios.fleet.records import FleetRecords
from ormco_trios.fleet.standing import Standing

GLANCE = 5.0
"""Seconds between looks at what other processes wrote, such as an authorization."""


class FleetAgenda:
    """Practices of which there are records, by the moment each is due."""

    def __init__(self, records: FleetRecords, practices: Container[str], clock: Clock) -> None:
        self._records = records
        self._practices = practices
        self._clock = clock
        self._lead = clock.time() - clock.monotonic()
        self._wheel = Wheel()
        self._ready: deque[int] = deque()
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        # When each is due by `_now`; infinite while it is being done, or nothing is to be done.
        self._due = array("d")
        self._doing: set[str] = set()
        self._open = 0
        self._read_all()

    @property
    def finished(self) -> bool:
        """Whether nothing happens by itself any more."""
        return not self._open and not self._doing

    @property
    def pressing(self) -> bool:
        """Whether somebody is due and nobody sees to it yet."""
        return bool(self._ready)

    def rest(self) -> float | None:
        """Seconds until somebody is due, or another process may have said so."""
        when = self._wheel.next()
        return GLANCE if when is None else max(0.0, min(GLANCE, when - self._now()))

    def take(self) -> str | None:
        """The practice that has been due for longest."""
        if self._records.changed():
            self._read_all()
        now = self._now()
        self._ready.extend(self._wheel.due(now))
        while self._ready:
            row = self._ready.popleft()
            if self._due[row] <= now:  # or it stood there twice
                self._set(row, math.inf)
                self._doing.add(self._ids[row])
                return self._ids[row]
        return None

    def settle(self, job: str, answer: Standing | Exception) -> Iterator[Standing]:
        """Note where a practice stands after its round."""
        self._doing.discard(job)
        if isinstance(answer, Exception):
            raise answer  # the records cannot be written: nothing else can be done either
        self._plan(answer)
        yield answer

    def _read_all(self) -> None:
        for standing in self._records:
            if standing.practice in self._practices and standing.practice not in self._doing:
                row = self._rows.get(standing.practice)
                if row is None or self._moment(standing) < self._due[row]:
                    self._plan(standing)

    def _plan(self, standing: Standing) -> None:
        row = self._rows.get(standing.practice)
        if row is None:
            row = self._rows[standing.practice] = len(self._ids)
            self._ids.append(standing.practice)
            self._due.append(math.inf)
        moment = self._moment(standing)
        self._set(row, moment)
        if moment < math.inf:
            self._wheel.put(row, moment)

    def _moment(self, standing: Standing) -> float:
        """When it is due by `_now`, however wrong the wall clock has been in the meantime."""
        if standing.due is None:
            return math.inf
        return self._now() + standing.due.timestamp() - self._clock.time()

    def _set(self, row: int, due: float) -> None:
        self._open += (due < math.inf) - (self._due[row] < math.inf)
        self._due[row] = due

    def _now(self) -> float:
        """The monotonic clock, and what the machine has slept; a clock set back is not noticed."""
        now = self._clock.monotonic()
        return max(now, self._clock.time() - self._lead)
