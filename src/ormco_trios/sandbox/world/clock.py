"""A clock that can do everything: run, stop, run faster, and jump ahead."""

from __future__ import annotations

import threading

from ormco_trios.core.clock import Clock


class ControlledClock(Clock):
    """Real time until it is told otherwise; for a server whose time a test decides.

    Args:
        scale: How fast it runs: 0 means that it stops, 1 is real, 3600 makes an hour of a second.
        start: Where it begins, in seconds since 1970; the present by default.
    """

    def __init__(self, scale: float = 1.0, *, start: float | None = None) -> None:
        self._real = Clock()
        self._lock = threading.Lock()
        self._then = self._real.monotonic()
        self._start = self._now = self._real.time() if start is None else start
        self._scale = _checked(scale)

    @property
    def scale(self) -> float:
        """How fast it runs."""
        return self._scale

    def set_scale(self, scale: float) -> None:
        """Run ``scale`` times as fast as real time from now on; 0 freezes it.

        Raises:
            ValueError: Time does not go back.
        """
        with self._lock:
            self._tick()
            self._scale = _checked(scale)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once.

        Raises:
            ValueError: Time does not go back.
        """
        if seconds < 0:
            raise ValueError("time only advances")
        with self._lock:
            self._now += seconds

    def time(self) -> float:
        """Its time, in seconds since 1970."""
        with self._lock:
            return self._tick()

    def monotonic(self) -> float:
        """Seconds of its own since it was made."""
        return self.time() - self._start

    def in_reality(self, seconds: float) -> float:
        """How many of the machine's seconds sleeping for ``seconds`` takes."""
        return max(0.0, seconds) / self._scale if self._scale else 0.0

    def sleep(self, seconds: float) -> None:
        """Wait until ``seconds`` of its own have passed; if it is stopped, it advances."""
        if not self._scale:
            self.advance(max(0.0, seconds))
        else:
            super().sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """As `sleep`."""
        if not self._scale:
            self.advance(max(0.0, seconds))
        await super().sleep_async(seconds)

    def _tick(self) -> float:
        then, self._then = self._then, self._real.monotonic()
        self._now += (self._then - then) * self._scale
        return self._now


def _checked(scale: float) -> float:
    if not 0 <= scale < 1e9:
        raise ValueError("scale must not be negative, and not boundless")
    return scale
