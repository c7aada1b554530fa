"""How fast requests may go to one host, in all.

An environment's pacer is asked before every request that is sent under it, repetitions included.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable
from typing import Protocol

from ormco_trios.core.clock import Clock


class Pacer(Protocol):
    """Hands out turns; share one between everything that has a common budget."""

    def reserve(self, host: str, clock: Clock) -> float:
        """Take the next turn at ``host``; returns how many seconds away it is."""
        ...


class AsyncPacer(Protocol):
    """As `Pacer`, for turns that are kept somewhere else, such as in a database.

    ``reserve`` must be a coroutine function; only asynchronous clients can use it.
    """

    def reserve(self, host: str, clock: Clock) -> Awaitable[float]:
        """Take the next turn at ``host``; returns how many seconds away it is."""
        ...


class Spacing:
    """What a rate and a burst mean for the moments of turns, wherever those are kept.

    Attributes:
        seconds: Between two turns.
    """

    def __init__(self, rate: float, burst: int) -> None:
        if not rate > 0 or burst < 1:  # NaN is neither
            raise ValueError("rate must be positive, and burst at least 1")
        self.seconds = 1.0 / rate
        self._tolerance = (burst - 1) * self.seconds

    def wait(self, turn: float, now: float) -> float:
        """Seconds until a turn may be used."""
        return max(0.0, turn - self._tolerance - now)


class TokenBucket:
    """At most ``rate`` requests a second to each host, and ``burst`` at once after a rest.

    For one process; it may be shared between threads and event loops.
    """

    def __init__(self, rate: float, *, burst: int = 1) -> None:
        self._spacing = Spacing(rate, burst)
        self._next: dict[str, float] = {}
        self._process = os.getpid()
        self._lock = threading.Lock()

    def reserve(self, host: str, clock: Clock) -> float:
        """Take the next turn at ``host``; returns how many seconds away it is."""
        if self._process != os.getpid():
            # A thread that the other process had when it was forked may have held it.
            self._lock, self._process = threading.Lock(), os.getpid()
        now = clock.monotonic()
        with self._lock:
            turn = max(self._next.get(host, now), now)
            self._next[host] = turn + self._spacing.seconds
        return self._spacing.wait(turn, now)
