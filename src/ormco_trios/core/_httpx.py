"""The only module of the library proper that knows httpx.

Requests go to httpx's transports directly: everything `httpx.Client` would add (cookies,
redirects, its log line with the whole URL) is unwanted here.  A client the caller injects is used
as it is, so that its proxies, certificates and mocks count.
"""

from __future__ import annotations

import functools
import os
import ssl
import sys
import threading
import warnings
import zlib
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic as _now
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from ormco_trios.core._acompat import call_apart_async, kept
from ormco_trios.core.errors import (
    AnswerTooLarge,
    ConfigurationError,
    NotDelivered,
    OutcomeUnknown,
    TransportError,
)
from ormco_trios.core.extras import extra
from ormco_trios.core.log import in_our_call, silence
from ormco_trios.core.transport import (
    BLOCK,
    Answer,
    AsyncTransport,
    HttpLibrary,
    Request,
    Transport,
)

if TYPE_CHECKING:
    import asyncio

silence(
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)

HttpClient: TypeAlias = httpx.Client
AsyncHttpClient: TypeAlias = httpx.AsyncClient

_AT_ONCE = 32
_FILES_AT_ONCE = 16
_KEEP = 30.0

_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEP)
"""For each origin: a pool with more would have to be searched."""

# What these prove: the request was not carried out, since it was not even sent.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


_ANY_ZLIB = 47
"""``wbits`` for gzip and deflate alike."""


@functools.cache
def tls_context() -> ssl.SSLContext:
    """The process's one TLS context; making one costs more than 60 calls."""
    return httpx.create_ssl_context()


def _verification(origin: str) -> ssl.SSLContext:
    """What a connection is verified with; one without TLS does not wait for certificates."""
    if origin.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which trusts nobody
    return tls_context()


@functools.lru_cache(maxsize=256)
def _url(url: str) -> httpx.URL:
    return httpx.URL(url)


class _Httpx:
    """Sends a request and reads the answer, from threads; subclasses choose the connection."""

    def send(self, request: Request) -> Answer:
        failure = None
        quiet = in_our_call.set(True)
        _this_thread.deadline = _now() + request.timeout.total
        try:
            return self._exchange(request)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failure = _failure(error)
        finally:
            in_our_call.reset(quiet)
        # Raised here, so that neither httpx's exception nor its frames hang on ours.
        raise failure

    def _exchange(self, request: Request) -> Answer:
        raise NotImplementedError

    def _read(self, request: Request, response: httpx.Response, pieces: Iterable[bytes]) -> Answer:
        if request.stream and response.is_success:
            stream = _Stream(request, response, pieces)
            return Answer(response.status_code, _headers(response), b"", stream)
        try:
            body = _Body(request, response)
            for piece in pieces:
                body.add(piece)
        finally:
            response.close()
        return Answer(response.status_code, _headers(response), body.whole())


class _AsyncHttpx:
    """Sends a request and reads the answer, in an event loop; subclasses choose the connection."""

    def __init__(self) -> None:
        # Here, since threads do without it.
        import asyncio

        self._asyncio = asyncio

    async def send(self, request: Request) -> Answer:
        failure = None
        quiet = in_our_call.set(True)
        try:
            async with self._asyncio.timeout(request.timeout.total):
                return await self._exchange(request)
        except TimeoutError:
            failure = _failure(httpx.ReadTimeout("answer too slow"))
        except _failures() as error:
            failure = _failure(error)
        finally:
            in_our_call.reset(quiet)
        raise failure

    async def _exchange(self, request: Request) -> Answer:
        raise NotImplementedError

    async def _read(
        self, request: Request, response: httpx.Response, pieces: AsyncIterable[bytes]
    ) -> Answer:
        if request.stream and response.is_success:
            stream = _AsyncStream(request, response, pieces)
            return Answer(response.status_code, _headers(response), b"", stream)
        try:
            body = _Body(request, response)
            async for piece in pieces:
                body.add(piece)
        finally:
            await response.aclose()
        return Answer(response.status_code, _headers(response), body.whole())


def _check_injected(client: object, expected: type[HttpClient | AsyncHttpClient]) -> None:
    """Say now what would else be an odd failure of the first call."""
    if isinstance(client, expected):
        return
    given = f"{type(client).__module__.partition('.')[0]}.{type(client).__qualname__}"
    raise ConfigurationError(
        f"The http_client is a {given}, and an httpx.{expected.__name__} is needed.",
        advice=f"Make it with httpx.{expected.__name__}(...), of the package httpx: httpx2 and "
        "others are other packages, whose requests and errors this library does not know.",
    )


class InjectedClient(_Httpx):
    """Sends with a client of the caller's, who closes it."""

    def __init__(self, client: HttpClient) -> None:
        _check_injected(client, httpx.Client)
        self._client = client
        self._process: int | None = None

    def close(self) -> None: ...

    def _exchange(self, request: Request) -> Answer:
        if self._process != (here := os.getpid()):
            if self._process is not None:
                raise _used_elsewhere("process")
            self._process = here
        response = self._client.send(
            _outgoing(request), stream=True, auth=None, follow_redirects=False
        )
        return self._read(request, response, response.iter_bytes())


class AsyncInjectedClient(_AsyncHttpx):
    """Sends with a client of the caller's, who closes it."""

    def __init__(self, client: AsyncHttpClient) -> None:
        super().__init__()
        _check_injected(client, httpx.AsyncClient)
        self._client = client
        self._place: tuple[int, object] | None = None

    async def aclose(self) -> None: ...

    async def _exchange(self, request: Request) -> Answer:
        here = os.getpid(), self._asyncio.get_running_loop()
        if self._place != here:
            if self._place is not None:
                raise _used_elsewhere("process" if self._place[0] != here[0] else "event loop")
            self._place = here
        response = await self._client.send(
            _outgoing(request), stream=True, auth=None, follow_redirects=False
        )
        return await self._read(request, response, response.aiter_bytes())


def _used_elsewhere(place: str) -> ConfigurationError:
    return ConfigurationError(
        f"The http_client was used in another {place} before, and its connections belong there: "
        "an answer could be another request's.  Nothing was sent.",
        advice=f"Make an httpx client, and a client of this library with it, in each {place}.",
    )


class HttpxTransport(_Httpx):
    """Sends over connections of its own, one request at a time.

    A connection whose request did not end with a whole answer is closed, whatever the reason: one
    that was interrupted while it was being made would otherwise be neither used nor given back.
    """

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str | None], _Connection] = {}

    def close(self) -> None:
        while self._connections:
            self._connections.popitem()[1].close()

    @property
    def is_open(self) -> bool:
        """Whether it holds any connection."""
        return bool(self._connections)

    def _exchange(self, request: Request) -> Answer:
        key = _origin(request.url), _proxy(request.url)
        connection = self._connections.get(key)
        if connection is None:
            connection = self._connections[key] = _Connection(*key)
        whole = False
        try:
            response = connection.transport.handle_request(_outgoing(request))
            # As it comes: httpx's decoders would have nothing to do.
            pieces = cast(httpx.SyncByteStream, response.stream)
            answer = self._read(request, response, pieces)
            whole = True
        finally:
            if not whole:
                self._drop(key, connection)
        if isinstance(answer.stream, _Stream):
            answer.stream.when_broken_off = partial(self._drop, key, connection)
        return answer

    def _drop(self, key: tuple[str, str | None], connection: _Connection) -> None:
        if self._connections.get(key) is connection:
            del self._connections[key]
        connection.close()


class AsyncHttpxTransport(_AsyncHttpx):
    """Sends over connections of its own, one request at a time.

    A connection whose request did not end with a whole answer is closed, whatever the reason: one
    that was cancelled while it was being made would otherwise be neither used nor given back.
    """

    def __init__(self, library: HttpLibrary = "httpx") -> None:
        super().__init__()
        self._library: HttpLibrary = library
        self._connections: dict[tuple[str, str | None], _AsyncConnection] = {}

    async def aclose(self) -> None:
        await call_apart_async(self._close)

    async def _close(self) -> None:
        while self._connections:
            await self._connections.popitem()[1].aclose()

    @property
    def is_open(self) -> bool:
        """Whether it holds any connection."""
        return bool(self._connections)

    async def _exchange(self, request: Request) -> Answer:
        key = _origin(request.url), _proxy(request.url)
        connection = self._connections.get(key)
        if connection is None:
            connection = self._connections[key] = _AsyncConnection(self._library, *key)
        whole = False
        try:
            response = await connection.transport.handle_async_request(_outgoing(request))
            pieces = cast(httpx.AsyncByteStream, response.stream)
            answer = await self._read(request, response, pieces)
            whole = True
        finally:
            if not whole:
                await self._drop(key, connection)
        if isinstance(answer.stream, _AsyncStream):
            answer.stream.when_broken_off = partial(self._drop, key, connection)
        return answer

    async def _drop(self, key: tuple[str, str | None], connection: _AsyncConnection) -> None:
        if self._connections.get(key) is connection:
            del self._connections[key]
        await call_apart_async(connection.aclose)


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
        if isinstance(stream, _Stream):
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
                self._free = _places(_AT_ONCE)
                self._free_for_files = _places(_FILES_AT_ONCE)
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
        while self._idle and self._idle[0][0] < now - _KEEP:
            old = self._idle.popleft()[1]
            self._all.discard(old)
            old.close()


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


class AsyncHttpxPool:
    """Sends over whichever of up to 32 connections is free, in one event loop; files over 16.

    httpx has a pool for each: a common one looks at all connections on each request, and cannot be
    told to forget one.
    """

    def __init__(self) -> None:
        # Here, since threads do without it.
        import asyncio

        self._asyncio = asyncio
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._free_for_files = asyncio.Semaphore(_FILES_AT_ONCE)
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
        if isinstance(stream, _AsyncStream):
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
        while self._idle and self._idle[0][0] < now - _KEEP:
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


def _warn_of_unclosed(pool: object) -> None:
    if not sys.is_finalizing():
        warnings.warn(
            "A client was given up without being closed: use it in a `with` block, or call its "
            "close(), or aclose() if it is asynchronous.",
            ResourceWarning,
            stacklevel=3,
            source=pool,
        )


def _close_soon(loop: asyncio.AbstractEventLoop, pool: AsyncHttpxPool) -> None:
    kept(loop.create_task(pool.aclose()))


def _none_free() -> NotDelivered:
    return NotDelivered("No connection became free in time; nothing was sent.")


class _Connection:
    """A pool of one connection, which can be closed at any moment of its making."""

    def __init__(self, origin: str, proxy: str | None) -> None:
        verify = _verification(origin)
        self.transport = httpx.HTTPTransport(verify=verify, limits=_ONE, proxy=proxy)
        # httpx takes no backend, and there is no other way to end a read of headers in a thread.
        pool = self.transport._pool  # pyright: ignore[reportPrivateUsage]
        self._backend = _Punctual(pool._network_backend)  # pyright: ignore[reportPrivateUsage]
        pool._network_backend = self._backend  # pyright: ignore[reportPrivateUsage]

    def close(self) -> None:
        self.transport.close()
        self._backend.close()


class _AsyncConnection:
    """A pool of one connection, which can be closed at any moment of its making."""

    transport: httpx.AsyncBaseTransport

    def __init__(self, library: HttpLibrary, origin: str, proxy: str | None) -> None:
        self._backend = None
        if library == "aiohttp":
            self.transport = _aiohttp_transport(proxy)
            return
        verify = _verification(origin)
        transport = httpx.AsyncHTTPTransport(verify=verify, limits=_ONE, proxy=proxy)
        pool = transport._pool  # pyright: ignore[reportPrivateUsage]
        self._backend = _Tracking(pool._network_backend)  # pyright: ignore[reportPrivateUsage]
        pool._network_backend = self._backend  # pyright: ignore[reportPrivateUsage]
        self.transport = transport

    async def aclose(self) -> None:
        await self.transport.aclose()
        if self._backend is not None:
            await self._backend.aclose()


def _aiohttp_transport(proxy: str | None) -> httpx.AsyncBaseTransport:
    with extra("aiohttp"):
        import aiohttp
        from httpx_aiohttp import AiohttpTransport

    def session() -> aiohttp.ClientSession:
        # Many accounts share a connection; none may be sent another's cookies.
        connector = aiohttp.TCPConnector(ssl=tls_context(), limit=1)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return AiohttpTransport(
        verify=tls_context(),
        proxy=None if proxy is None else httpx.Proxy(proxy),
        client=session,
    )


class _Tracking(httpcore.AsyncNetworkBackend):
    """Opens connections, and knows the last one.

    A task that is cancelled while it connects, or agrees on TLS, leaves the socket to nobody.  So
    the connecting is a task of its own, and what comes of it is closed in the end.
    """

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        # Here, since threads do without it.
        import asyncio

        self._asyncio = asyncio
        self._inner = inner
        self._connecting: asyncio.Task[httpcore.AsyncNetworkStream] | None = None

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        self._connecting = self._asyncio.create_task(self._inner.connect_tcp(*args, **options))
        await self._asyncio.wait([self._connecting])
        return self._connecting.result()

    async def aclose(self) -> None:
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            closing = kept(self._asyncio.create_task(_close_result(connecting)))
            # One that is not done ends with the time limit for connecting.
            if connecting.done():
                await closing


async def _close_result(connecting: Awaitable[httpcore.AsyncNetworkStream]) -> None:
    try:
        stream = await connecting
    except Exception:  # noqa: BLE001 - whatever it was, the request has failed with it
        return
    await stream.aclose()


class _Unread:
    """The body of an answer that is still on its way; see `_Body` about compression."""

    def __init__(self, request: Request, response: httpx.Response) -> None:
        self._response = response
        self._whole = False
        self._total = request.timeout.total
        self._unpack = _unpacker(response)
        self._pieces: list[bytes] = []
        self._packed = b""
        self._failure: TransportError | None = None

    def _block(self) -> list[bytes]:
        """At most a block of what has come; what is not unpacked yet is kept."""
        pieces, self._pieces = self._pieces, []
        if self._unpack is None:
            return pieces
        piece = _unpacked(self._unpack, self._packed or b"".join(pieces), BLOCK)
        self._packed = self._unpack.unconsumed_tail
        return [piece] if piece else []

    def _last(self) -> list[bytes]:
        """What is left to unpack when nothing more comes."""
        if self._unpack is None:
            return []
        piece = self._unpack.flush()
        if not piece and not self._unpack.eof:
            raise httpx.DecodingError("cut short")
        return [piece] if piece else []

    def _end(self, failure: TransportError | None) -> list[bytes]:
        """Nothing at the end; what had come before a failure, which is then raised."""
        self._failure = self._failure or failure
        block = [] if self._unpack else self._block()
        if self._failure is not None and not block:
            raise self._failure
        return block


class _Stream(_Unread):
    def __init__(self, request: Request, response: httpx.Response, pieces: Iterable[bytes]) -> None:
        super().__init__(request, response)
        self._body = iter(pieces)
        self.when_broken_off: Callable[[], None] | None = None
        self.when_closed: Callable[[], None] | None = None

    def read(self) -> list[bytes]:
        failure = None
        quiet = in_our_call.set(True)
        try:
            while self._failure is None and (self._packed or self._gather()):
                if block := self._block():
                    return block
            if self._failure is None and (block := self._last()):
                return block
        except httpx.RequestError as error:
            failure = _failure(error)
        finally:
            in_our_call.reset(quiet)
        self.close()
        return self._end(failure)

    def _gather(self) -> bool:
        """Whether any pieces came: as many as make a block."""
        _this_thread.deadline = _now() + self._total
        size = 0
        for piece in self._body:
            if _now() > _this_thread.deadline:
                raise httpx.ReadTimeout("body too slow")
            self._pieces.append(piece)
            size += len(piece)
            if size >= BLOCK:
                break
        else:
            self._whole = True
        return bool(self._pieces)

    def close(self) -> None:
        try:
            self._response.close()
            broken, self.when_broken_off = self.when_broken_off, None
            if not self._whole and broken is not None:
                broken()
        finally:
            done, self.when_closed = self.when_closed, None
            if done is not None:
                done()


class _AsyncStream(_Unread):
    def __init__(
        self, request: Request, response: httpx.Response, pieces: AsyncIterable[bytes]
    ) -> None:
        super().__init__(request, response)
        self._body = aiter(pieces)
        self.when_broken_off: Callable[[], Awaitable[None]] | None = None
        self.when_closed: Callable[[], Awaitable[None]] | None = None

    async def read(self) -> list[bytes]:
        failure = None
        quiet = in_our_call.set(True)
        try:
            while self._failure is None and (self._packed or await self._gather()):
                if block := self._block():
                    return block
            if self._failure is None and (block := self._last()):
                return block
        except TimeoutError:
            failure = _failure(httpx.ReadTimeout("body too slow"))
        except _failures() as error:
            failure = _failure(error)
        finally:
            in_our_call.reset(quiet)
        await self.aclose()
        return self._end(failure)

    async def _gather(self) -> bool:
        """Whether any pieces came: as many as make a block."""
        import asyncio

        size = 0
        async with asyncio.timeout(self._total):
            async for piece in self._body:
                self._pieces.append(piece)
                size += len(piece)
                if size >= BLOCK:
                    break
            else:
                self._whole = True
        return bool(self._pieces)

    async def aclose(self) -> None:
        try:
            await self._response.aclose()
        finally:
            try:
                broken, self.when_broken_off = self.when_broken_off, None
                if not self._whole and broken is not None:
                    await broken()
            finally:
                done, self.when_closed = self.when_closed, None
                if done is not None:
                    await done()


class _Deadline(threading.local):
    """When this thread's request has to be over, however slowly its answer comes."""

    deadline = 0.0


_this_thread = _Deadline()


def _until_deadline(seconds: float | None) -> float:
    left = _this_thread.deadline - _now()
    if left <= 0:
        raise httpcore.ReadTimeout("answer too slow")
    return left if seconds is None else min(seconds, left)


class _Punctual(httpcore.NetworkBackend):
    """Opens connections on which nothing takes longer than the deadline.

    httpcore's own time-out begins again with each piece it reads, and an answer's headers can come
    in any number of pieces.
    """

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner
        self._stream: httpcore.NetworkStream | None = None

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        self._stream = self._inner.connect_tcp(*args, **options)
        return _PunctualStream(self._stream)

    def close(self) -> None:
        """Close the last one, also if nobody else has got it."""
        if self._stream is not None:
            self._stream.close()


class _PunctualStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _until_deadline(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _until_deadline(timeout))

    def start_tls(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        return _PunctualStream(self._inner.start_tls(*args, **options))

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Body:
    """Collects an answer's body within the request's limits of size and time.

    We ask for no compression.  A body that is compressed all the same is unpacked here, and never
    beyond the limit: httpx's decoders would unpack a whole piece first.
    """

    def __init__(self, request: Request, response: httpx.Response) -> None:
        self._limit = request.max_body
        self._deadline = _now() + request.timeout.total
        self._pieces: list[bytes] = []
        self._size = 0
        self._unpack = _unpacker(response)

    def add(self, piece: bytes) -> None:
        if self._unpack is not None:
            piece = _unpacked(self._unpack, piece, self._limit - self._size + 1)
        self._size += len(piece)
        if self._size > self._limit:
            raise AnswerTooLarge(
                f"The answer is longer than {self._limit} bytes; the rest was not read."
            )
        if _now() > self._deadline:
            raise httpx.ReadTimeout("body too slow")
        self._pieces.append(piece)

    def whole(self) -> bytes:
        if self._unpack is not None and self._pieces and not self._unpack.eof:
            raise httpx.DecodingError("cut short")
        return b"".join(self._pieces)


def _unpacker(response: httpx.Response) -> Any:
    """What unpacks the body, if it is compressed; httpx will not do it then."""
    if response.is_stream_consumed or "content-encoding" not in response.headers:
        return None
    packed = response.headers.pop("content-encoding").strip().lower()
    return None if packed == "identity" else zlib.decompressobj(_ANY_ZLIB)


def _unpacked(unpack: Any, piece: bytes, most: int) -> bytes:
    """At most ``most`` bytes.  Nothing may follow the end: it would be neither used nor counted."""
    try:
        if not unpack.eof:
            unpacked: bytes = unpack.decompress(piece, most)
            if not unpack.unused_data:
                return unpacked
    except zlib.error:
        pass
    raise httpx.DecodingError("packed in a way that was not asked for")


def _outgoing(request: Request) -> httpx.Request:
    url = _url(request.url)
    headers: Iterable[tuple[bytes, bytes]] = [
        (b"Host", url.netloc),
        *((name.encode("ascii"), value.encode("ascii")) for name, value in request.headers),
    ]
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        headers = [*headers, (b"Content-Length", b"%d" % len(request.body))]
    limits = request.timeout
    outgoing = httpx.Request(
        request.method,
        url,
        headers=list(headers),
        stream=httpx.ByteStream(request.body),
        extensions={
            "timeout": {
                "connect": limits.connect,
                "read": limits.read,
                "write": limits.read,
                # A file may have to wait for others, however long they are.
                "pool": None if request.stream else limits.connect,
            }
        },
    )
    # So that `content` is there: httpx-aiohttp would send even an empty stream in chunks.
    outgoing.read()
    return outgoing


def _headers(response: httpx.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@functools.lru_cache(maxsize=256)
def _origin(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@functools.lru_cache(maxsize=256)
def _proxy(url: str) -> str | None:
    """The proxy that the machine's settings name for this address, if any."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


# httpx-aiohttp calls these, too, time-outs while connecting, but they come at any time.
_AT_ANY_TIME = frozenset(
    {
        "ClientConnectionError",
        "ClientConnectionResetError",
        "ClientOSError",
        "ServerConnectionError",
        "ServerDisconnectedError",
    }
)


def _failures() -> tuple[type[Exception], ...]:
    """What a request fails with; httpx-aiohttp leaves some of aiohttp's own, which quote it."""
    aiohttp = sys.modules.get("aiohttp")
    own = () if aiohttp is None else (aiohttp.ClientError,)
    return (httpx.RequestError, httpx.InvalidURL, *own)


def _failure(error: Exception) -> TransportError:
    kind = type(error).__name__
    origin = type(error.__cause__).__name__
    if isinstance(error, _NOT_SENT) and origin not in _AT_ANY_TIME:
        if "CERTIFICATE" in str(error).upper():
            return NotDelivered(
                "The service's certificate could not be verified; nothing was sent.",
                advice="Check the base URL and the machine's trusted certificates; a company "
                "proxy's own certificate can be named with SSL_CERT_FILE.",
            )
        return NotDelivered("The service could not be reached; nothing was sent.").with_detail(kind)
    happened = "The request was sent, but its answer did not arrive whole."
    return OutcomeUnknown(happened).with_detail(kind)
