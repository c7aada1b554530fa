"""The tasks that work through an agenda: lanes, made when they are needed, and one alarm."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from ormco_trios.core._lanes import Agenda, AsyncLane, without_first_frame
from ormco_trios.core.clock import Clock
from ormco_trios.core.transport import HttpLibrary


class Crew:
    """The tasks of one `work_through_async`: lanes, made when they are needed, and one alarm."""

    def __init__(
        self,
        agenda: Agenda[Any, Any, Any],
        ask: Callable[[Any, AsyncLane], Awaitable[Any]],
        clock: Clock,
        lanes: int,
        library: HttpLibrary,
    ) -> None:
        self.results: asyncio.Queue[tuple[Any] | BaseException | None] = asyncio.Queue()
        self._agenda = agenda
        self._ask = ask
        self._clock = clock
        self._size = lanes
        self._library: HttpLibrary = library
        self._lanes: set[asyncio.Task[None]] = set()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = 0.0
        if agenda.finished:
            self.results.put_nowait(None)

    def call_one(self) -> None:
        """Get one more lane to look at the agenda, if there is one that does not work."""
        while self._idle:
            waiting = self._idle.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        if len(self._lanes) < self._size:
            task = asyncio.create_task(self._work())
            self._lanes.add(task)
            task.add_done_callback(self._ended)

    async def dismiss(self) -> None:
        """End all tasks, and wait until they have."""
        tasks = [*self._lanes, *([self._alarm] if self._alarm is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.results.put_nowait(error)

    async def _work(self) -> None:
        agenda, ask, put = self._agenda, self._ask, self.results.put_nowait
        lane = AsyncLane(self._library)
        try:
            while not agenda.finished:
                job = agenda.take()
                if job is None:
                    self._set_alarm()
                    waiting = asyncio.get_running_loop().create_future()
                    self._idle.append(waiting)
                    await waiting
                    continue
                if agenda.pressing:
                    self.call_one()
                try:
                    answer = await ask(job, lane)
                except Exception as error:  # noqa: BLE001 - one failure does not stop the others
                    answer = without_first_frame(error)
                for outcome in agenda.settle(job, answer):
                    put((outcome,))
            put(None)
        finally:
            await lane.aclose()

    def _set_alarm(self) -> None:
        rest = self._agenda.rest()
        if rest is None:
            return
        at = self._clock.monotonic() + rest
        if self._alarm is not None and not self._alarm.done():
            if self._alarm_at <= at:
                return
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = asyncio.create_task(self._ring(rest))
        self._alarm.add_done_callback(self._ended)

    async def _ring(self, seconds: float) -> None:
        await self._clock.sleep_async(seconds)
        self.call_one()
