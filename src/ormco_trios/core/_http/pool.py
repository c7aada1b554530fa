"""Many requests at once, each over a connection that is free."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections import deque
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic as _now
from typing import TYPE_CHECKING

from ormco_trios.core._acompat import call_apart_async, kept
from ormco_trios.core._http.body import AsyncBodyStream, BodyStream
from ormco_trios.core._http.connection import KEEP_ALIVE
from ormco_trios.core._http.transport import AsyncHttpxTransport, HttpxTransport
from ormco_trios.core.errors import ConfigurationError, NotDelivered
from ormco_trios.core.transport import Answer, AsyncTransport, HttpLibrary, Request, Transport

if TYPE_CHECKING:
    import asyncio

AT_ONCE = 32


FILES_AT_ONCE = 16


class HttpxPool:
    """Sends over whichever of up to 32 connections is free, from threads; and reads files over 16.

    httpx has a pool for each: a common one looks at all connections on each request, and cannot be
    told to forget one.  A process that was forked begins with none: on a connection that two
    processes read, each gets answers that are for the other.
    """

    def __init__(self) -> None:
        self._process = 0
        self._begin()

    @staticmethod
    def open_connection(library: HttpLibrary) -> Transport:
        """Opens a transport for one request at a time."""
        if library == "aiohttp":
            raise ConfigurationError("aiohttp is only there for the asynchronous client.")
        return HttpxTransport()

    def send(self, request: Request) -> Answer:
        if self._process != os.getpid():
            self._begin()
        free = self._free_for_files if request.stream else self._free
        # A file can be long, so it is waited for as long as it takes.
        try:
            free.get(timeout=None if request.stream else request.timeout.connect)
        except Empty:
            failure = _none_free()
        else:
            return self._send(request, free)
        raise failure

    def _send(self, request: Request, free: SimpleQueue[None]) -> Answer:
        stream = transport = None
        try:
            transport = self._take()
            answer = transport.send(request)
            stream = answer.stream
        finally:
            if stream is None:
                self._give_back(free, transport)
        if isinstance(stream, BodyStream):
            stream.when_closed = partial(self._give_back, free, transport)
        return answer

    def close(self) -> None:
        if self._process == os.getpid():
            self._idle.clear()
            while self._all:
                self._all.pop().close()

    def __del__(self) -> None:
        if self._process == os.getpid() and any(each.is_open for each in self._all):
            _warn_of_unclosed(self)
            self.close()

    def _begin(self) -> None:
        with _beginning[0]:
            if self._process != (here := os.getpid()):
                self._free = _places(AT_ONCE)
                self._free_for_files = _places(FILES_AT_ONCE)
                self._all: set[HttpxTransport] = set()
                self._idle: deque[tuple[float, HttpxTransport]] = deque()
                self._process = here

    def _take(self) -> HttpxTransport:
        try:
            return self._idle.pop()[1]
        except IndexError:
            transport = HttpxTransport()
            self._all.add(transport)
            return transport

    def _give_back(self, free: SimpleQueue[None], transport: HttpxTransport | None) -> None:
        free.put(None)
        if transport is None:
            return
        now = _now()
        self._idle.append((now, transport))
        while self._idle and self._idle[0][0] < now - KEEP_ALIVE:
            old = self._idle.popleft()[1]
            self._all.discard(old)
            old.close()


class AsyncHttpxPool:
    """Sends over whichever of up to 32 connections is free, in one event loop; files over 16.

    httpx has a pool for each: a common one looks at all connections on each request, and cannot be
    told to forget one.
    """

    def __init__(self) -> None:
        # Here, since threads do without it.
        import asyncio

        self._asyncio = asyncio
        self._free = asyncio.Semaphore(AT_ONCE)
        self._free_for_files = asyncio.Semaphore(FILES_AT_ONCE)
        self._all: set[AsyncHttpxTransport] = set()
        self._idle: deque[tuple[float, AsyncHttpxTransport]] = deque()

    async def send(self, request: Request) -> Answer:
        free = self._free_for_files if request.stream else self._free
        if free.locked():
            # A file can be long, so it is waited for as long as it takes.
            await self._turn(free, None if request.stream else request.timeout.connect)
        else:
            await free.acquire()
        transport = self._take()
        stream = None
        try:
            answer = await transport.send(request)
            stream = answer.stream
        finally:
            if stream is None:
                await self._give_back(free, transport)
        if isinstance(stream, AsyncBodyStream):
            stream.when_closed = partial(self._give_back, free, transport)
        return answer

    async def aclose(self) -> None:
        await call_apart_async(self._close)

    async def _close(self) -> None:
        self._idle.clear()
        while self._all:
            await self._all.pop().aclose()

    @property
    def is_open(self) -> bool:
        """Whether it holds any connection."""
        return any(each.is_open for each in self._all)

    async def _turn(self, free: asyncio.Semaphore, seconds: float | None) -> None:
        try:
            async with self._asyncio.timeout(seconds):
                await free.acquire()
        except TimeoutError:
            failure = _none_free()
        else:
            return
        raise failure

    def _take(self) -> AsyncHttpxTransport:
        if self._idle:
            return self._idle.pop()[1]
        transport = AsyncHttpxTransport()
        self._all.add(transport)
        return transport

    async def _give_back(self, free: asyncio.Semaphore, transport: AsyncHttpxTransport) -> None:
        free.release()
        now = _now()
        self._idle.append((now, transport))
        while self._idle and self._idle[0][0] < now - KEEP_ALIVE:
            old = self._idle.popleft()[1]
            self._all.discard(old)
            await old.aclose()


class AsyncHttpxPools:
    """Sends over the `AsyncHttpxPool` of the event loop that runs.

    A connection belongs to the loop in which it was made, and a loop to its process.
    """

    def __init__(self) -> None:
        # Here, since threads do without it.
        import asyncio

        self._running_loop = asyncio.get_running_loop
        self._process = os.getpid()
        self._pools: dict[asyncio.AbstractEventLoop, AsyncHttpxPool] = {}

    @staticmethod
    def open_connection(library: HttpLibrary) -> AsyncTransport:
        """Opens a transport for one request at a time."""
        return AsyncHttpxTransport(library)

    async def send(self, request: Request) -> Answer:
        if self._process != os.getpid():
            self._process, self._pools = os.getpid(), {}
        loop = self._running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            # Other threads, with loops of their own, may be doing the same.
            for ended in [each for each in list(self._pools) if each.is_closed()]:
                self._pools.pop(ended, None)
            pool = self._pools[loop] = AsyncHttpxPool()
        return await pool.send(request)

    async def aclose(self) -> None:
        """Close the connections of the loop that runs."""
        if self._process == os.getpid():
            pool = self._pools.pop(self._running_loop(), None)
            if pool is not None:
                await pool.aclose()

    def __del__(self) -> None:
        if self._process != os.getpid():
            return
        held = [(loop, pool) for loop, pool in self._pools.items() if pool.is_open]
        if held:
            _warn_of_unclosed(self)
        for loop, pool in held:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_close_soon, loop, pool)


_beginning = [threading.Lock()]


def _begin_unlocked() -> None:
    """A thread that the other process had when it was forked may have held it."""
    _beginning[0] = threading.Lock()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_begin_unlocked)


def _places(count: int) -> SimpleQueue[None]:
    """A semaphore, whose Python version costs ten times as much."""
    places = SimpleQueue[None]()
    for _ in range(count):
        places.put(None)
    return places


def _warn_of_unclosed(pool: object) -> None:
    if not sys.is_finalizing():
        warnings.warn(
            "A client was dropped without being closed: use it in a `with` block, or call its "
            "close(), or aclose() if it is asynchronous.",
            ResourceWarning,
            stacklevel=3,
            source=pool,
        )


def _close_soon(loop: asyncio.AbstractEventLoop, pool: AsyncHttpxPool) -> None:
    kept(loop.create_task(pool.aclose()))


def _none_free() -> NotDelivered:
    return NotDelivered("No connection became free in time; nothing was sent.")
