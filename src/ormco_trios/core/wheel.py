"""A timer wheel: when each of very many things is due, in a few bytes each."""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterator

TICK = 1.0
"""Seconds, a power of two; nothing is due earlier than it should be, nor more than this later."""


class Wheel:
    """Numbered items and their moments, in seconds of one monotonic clock.

    Items that are due within the same tick share a slot, a list of their numbers, so to put one in
    or take one out costs the same however many there are.  An item is in the wheel at most once,
    which is the caller's to see to.
    """

    __slots__ = ("_last", "_slots", "_ticks")

    def __init__(self) -> None:
        self._last = -math.inf
        self._slots: dict[float, array[int]] = {}
        self._ticks: list[float] = []

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def put(self, item: int, when: float) -> None:
        """Let ``item`` become due at ``when``, or at the next tick if that is past."""
        tick = max(math.ceil(when / TICK) * TICK, self._last)
        slot = self._slots.get(tick)
        if slot is None:
            self._slots[tick] = array("I", (item,))
            heapq.heappush(self._ticks, tick)
        else:
            slot.append(item)

    def next(self) -> float | None:
        """The moment at which something is due again, or None."""
        return self._ticks[0] if self._ticks else None

    def due(self, now: float) -> Iterator[int]:
        """Take out what is due at ``now``: earlier ticks first, then in the order of `put`."""
        while self._ticks and self._ticks[0] <= now:
            self._last = heapq.heappop(self._ticks)
            yield from self._slots.pop(self._last)
