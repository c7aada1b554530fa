"""Time, injected.

Deadlines compare `Clock.time` (a wall clock, so that a laptop that slept notices), spacing uses
`Clock.monotonic` (so that a corrected wall clock neither hurries nor stops a wait).  Nothing in
the library reads the time or sleeps in any other way.
"""

from __future__ import annotations

import heapq
import threading
import time as _time
from datetime import UTC, datetime


async def _sleep(seconds: float) -> None:
    # Here, since asyncio takes longer to import than the rest of this package.
    import asyncio

    await asyncio.sleep(seconds)


class Clock:
    """The machine's own time; the base of every other clock."""

    def time(self) -> float:
        """Wall-clock time in seconds since 1970-01-01 UTC."""
        return _time.time()

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        return _time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for ``seconds`` (at least 0)."""
        _time.sleep(self.in_reality(seconds))

    async def sleep_async(self, seconds: float) -> None:
        """Suspend the calling task for ``seconds`` (at least 0)."""
        await _sleep(self.in_reality(seconds))

    def now(self) -> datetime:
        """Wall-clock time as an aware UTC `datetime`."""
        return datetime.fromtimestamp(self.time(), UTC)

    def in_reality(self, seconds: float) -> float:
        """How many of the machine's seconds sleeping for ``seconds`` takes."""
        return max(0.0, seconds)


class HurriedClock(Clock):
    """Real time, in which waiting goes ``speed`` times faster and everything else does not.

    A day of waiting for approval takes seconds, while a code that lives three minutes still does:
    that is what a demonstration needs; with an infinite ``speed`` waiting takes no time at all.
    Shared between a client and a sandbox in one process.
    """

    def __init__(self, speed: float) -> None:
        if speed < 1:
            raise ValueError("speed must be at least 1")
        self.speed = speed
        self._skipped = 0.0
        self._lock = threading.Lock()

    def time(self) -> float:
        return _time.time() + self._skipped

    def monotonic(self) -> float:
        return _time.monotonic() + self._skipped

    def in_reality(self, seconds: float) -> float:
        return max(0.0, seconds) / self.speed

    def sleep(self, seconds: float) -> None:
        real = self.in_reality(seconds)
        _time.sleep(real)
        self._skip(seconds - real)

    async def sleep_async(self, seconds: float) -> None:
        real = self.in_reality(seconds)
        await _sleep(real)
        self._skip(seconds - real)

    def _skip(self, seconds: float) -> None:
        with self._lock:
            self._skipped += max(0.0, seconds)


class ScaledClock(Clock):
    """Time that runs ``scale`` times as fast as the machine's, from ``start`` on.

    Two processes with the same ``scale``, ``start`` and ``origin`` (seconds of the machine's wall
    clock at which ``start`` was) agree on the time.
    """

    def __init__(
        self, scale: float, *, start: float | None = None, origin: float | None = None
    ) -> None:
        if scale <= 0:
            raise ValueError("scale must be positive")
        self.scale = scale
        self.origin = _time.time() if origin is None else origin
        self.start = self.origin if start is None else start
        self._zero = _time.monotonic()

    def time(self) -> float:
        return self.start + (_time.time() - self.origin) * self.scale

    def monotonic(self) -> float:
        return (_time.monotonic() - self._zero) * self.scale

    def in_reality(self, seconds: float) -> float:
        return max(0.0, seconds) / self.scale


class ManualClock(Clock):
    """Time that does not pass until it is told to; sleeping lets it pass.

    ``sleep`` advances at once.  ``sleep_async`` lets every other task run first and wakes the
    sleepers in the order of their moments, so a day with a thousand waiting tasks is exact and
    takes no real time.
    """

    def __init__(self, start: datetime | float = 1_767_225_600.0) -> None:
        self._now = start.timestamp() if isinstance(start, datetime) else float(start)
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int]] = []
        self._order = 0
        self._lock = threading.RLock()

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` (at least 0) pass."""
        if seconds < 0:
            raise ValueError("time only advances; use shift_wall for a corrected wall clock")
        with self._lock:
            self._elapsed += seconds
            self._now += seconds

    def advance_to(self, moment: datetime) -> None:
        """Let time pass until ``moment``, which must not be in the past."""
        self.advance(moment.timestamp() - self._now)

    def shift_wall(self, seconds: float) -> None:
        """Correct the wall clock by ``seconds`` (either sign) without time passing."""
        with self._lock:
            self._now += seconds

    def in_reality(self, seconds: float) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    async def sleep_async(self, seconds: float) -> None:
        due = self._elapsed + max(0.0, seconds)
        with self._lock:
            self._order += 1
            me = (due, self._order)
            heapq.heappush(self._sleepers, me)
        try:
            while True:
                # Several turns of the loop: a task that was just woken may start a shorter sleep.
                for _ in range(4):
                    await _sleep(0)
                if self._elapsed >= due:
                    return
                if self._sleepers[0] == me:
                    self.advance(due - self._elapsed)
                    return
        finally:
            with self._lock:
                self._sleepers.remove(me)
                heapq.heapify(self._sleepers)


_TICK = 0.001
"""Seconds; a wall clock of today's size, as a float, still shows a step of this length."""


class Deadline:
    """A moment to give up at.

    It is the wall clock's, so that a laptop that slept notices; and it comes at the latest when as
    much time has passed as was left at the start, so that a clock set back does not prolong it.
    """

    def __init__(self, clock: Clock, moment: float) -> None:
        self._clock = clock
        self._moment = moment
        self._left_then = moment - clock.time()
        self._zero = clock.monotonic()

    def passed(self) -> float:
        """Seconds since this object was made, by the monotonic clock."""
        return self._clock.monotonic() - self._zero

    def left(self) -> float:
        """Seconds until the moment; not positive once it has come.

        A rest too small for a wall clock to show counts as nothing: sleeping for it would not end.
        """
        left = min(self._left_then - self.passed(), self._moment - self._clock.time())
        return left if left >= _TICK else min(left, 0.0)
