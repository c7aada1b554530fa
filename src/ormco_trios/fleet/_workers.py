"""The workers of a fleet on one machine: how many practices are looked at at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from importlib.util import find_spec
from typing import Any

from ormco_trios.core.clock import Clock
from ormco_trios.core.connections import AsyncHttpConnections, HttpConnections
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.extras import missing_extra
from ormco_trios.core.transport import HttpLibrary
from ormco_trios.fleet.practice_status import PracticeStatus
from ormco_trios.fleet.schedule import FleetSchedule

_MACHINE = Clock()
_PATIENCE = 0.1
"""Seconds of the machine's time for people to act in, where the fleet's clock gives them none."""


class WorkerPool:
    """Looks at one practice after another, in the thread that runs it.

    Args:
        size: There is one worker, whatever this says.
    """

    def __init__(
        self,
        schedule: FleetSchedule,
        look: Callable[[str, HttpConnections], PracticeStatus],
        *,
        clock: Clock,
        size: int,
        library: HttpLibrary,
    ) -> None:
        if library == "aiohttp":
            raise ConfigurationError("aiohttp is only there for the asynchronous fleet.")
        self._schedule = schedule
        self._look = look
        self._clock = clock
        self._library: HttpLibrary = library

    def run(self) -> Generator[PracticeStatus]:
        """Look at what is due until the schedule is finished; gives each status."""
        schedule = self._schedule
        connections = HttpConnections(self._library)
        try:
            while not schedule.is_finished():
                practice = schedule.take()
                if practice is None:
                    if schedule.hurries:
                        _MACHINE.sleep(_PATIENCE)
                    self._clock.sleep(schedule.rest())
                    continue
                status = self._look(practice, connections)
                schedule.settle(status)
                yield status
        finally:
            connections.close()

    def wake(self) -> None:
        """Nothing: the one worker looks around every few seconds."""


class AsyncWorkerPool:
    """Looks at up to ``size`` practices at a time.

    Each worker is a task, made when it is needed.  One alarm wakes a worker when something is due.
    """

    def __init__(
        self,
        schedule: FleetSchedule,
        look: Callable[[str, AsyncHttpConnections], Awaitable[PracticeStatus]],
        *,
        clock: Clock,
        size: int,
        library: HttpLibrary,
    ) -> None:
        if library == "aiohttp" and find_spec("httpx_aiohttp") is None:
            raise missing_extra("aiohttp", "httpx-aiohttp")
        self._schedule = schedule
        self._look = look
        self._clock = clock
        self._size = size
        self._library: HttpLibrary = library
        self._results: asyncio.Queue[PracticeStatus | BaseException | None] = asyncio.Queue()
        self._workers: set[asyncio.Task[None]] = set()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = 0.0

    async def run(self) -> AsyncGenerator[PracticeStatus]:
        """Look at what is due until the schedule is finished; gives each status."""
        try:
            self.wake()
            while True:
                result = await self._results.get()
                if isinstance(result, BaseException):
                    raise result
                if result is not None:
                    yield result
                elif not self._schedule.is_finished():
                    self.wake()  # the caller has done something about the last one
                elif self._results.empty():
                    return
                self._results.task_done()
        finally:
            tasks = [*self._workers, *([] if self._alarm is None else [self._alarm])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """Let a worker that has nothing to do look around now, if there is one."""
        while self._idle:
            waiting = self._idle.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        if len(self._workers) < self._size:
            self._workers.add(self._start(self._work()))

    async def _work(self) -> None:
        schedule = self._schedule
        connections = AsyncHttpConnections(self._library)
        try:
            while not schedule.is_finished():
                practice = schedule.take()
                if practice is None:
                    self._set_alarm()
                    waiting = asyncio.get_running_loop().create_future()
                    self._idle.append(waiting)
                    await waiting
                    continue
                if schedule.has_due:
                    self.wake()
                status = await self._look(practice, connections)
                schedule.settle(status)
                self._results.put_nowait(status)
            self._results.put_nowait(None)
        finally:
            await connections.aclose()

    def _set_alarm(self) -> None:
        rest = self._schedule.rest()
        at = self._clock.monotonic() + rest
        if self._alarm is not None and not self._alarm.done():
            if self._alarm_at <= at:
                return
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = self._start(self._ring(rest, patient=self._schedule.hurries))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._workers.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._results.put_nowait(error)

    async def _ring(self, seconds: float, *, patient: bool) -> None:
        if patient:
            await _MACHINE.sleep_async(_PATIENCE)
        if not self._clock.in_reality(1.0):
            # A clock that does not really wait stands still until the caller has used each status.
            await self._results.join()
        await self._clock.sleep_async(seconds)
        self.wake()
