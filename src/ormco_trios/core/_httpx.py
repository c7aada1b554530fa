"""The only module of the library proper that knows httpx.

Requests go to httpx's transports directly: everything `httpx.Client` would add (cookies,
redirects, its log line with the whole URL) is unwanted here.  A client the caller injects is used
as it is, so that its proxies, certificates and mocks count.
"""

from __future__ import annotations

import functools
import ssl
import threading
import zlib
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from time import monotonic as _now
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from ormco_trios.core.errors import AnswerTooLarge, NotDelivered, OutcomeUnknown, TransportError
from ormco_trios.core.log import in_our_call, silence
from ormco_trios.core.transport import (
    BLOCK,
    Answer,
    AsyncTransport,
    HttpLibrary,
    Request,
    Transport,
)

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

_LIMITS = httpx.Limits(
    max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE, keepalive_expiry=_KEEP
)
_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEP)
"""For a lane, and there for each origin: a pool with more would have to be searched."""

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


@functools.lru_cache(maxsize=256)
def _url(url: str) -> httpx.URL:
    return httpx.URL(url)


class HttpxTransport:
    """Sends over real sockets, from threads."""

    def __init__(
        self, client: HttpClient | None = None, *, lane: HttpLibrary | None = None
    ) -> None:
        self._client = client
        self._lane: HttpLibrary | None = lane
        self._transports: dict[tuple[str, str | None], httpx.BaseTransport] = {}

    @property
    def open_lane(self) -> Callable[[HttpLibrary], Transport] | None:
        """Opens a transport for one request at a time; None if the caller chose the client."""
        return HttpxTransport._open_lane if self._client is None else None

    @staticmethod
    def _open_lane(library: HttpLibrary) -> Transport:
        return HttpxTransport(lane=library)

    def send(self, request: Request) -> Answer:
        failure = None
        quiet = in_our_call.set(True)
        try:
            return self._exchange(request)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failure = _failure(error)
        finally:
            in_our_call.reset(quiet)
        # Raised here, so that neither httpx's exception nor its frames hang on ours.
        raise failure

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()
        self._transports.clear()

    def _exchange(self, request: Request) -> Answer:
        outgoing = _outgoing(request)
        _this_thread.deadline = _now() + request.timeout.total
        if self._client is not None:
            response = self._client.send(outgoing, stream=True, auth=None, follow_redirects=False)
        else:
            response = self._transport(request.url).handle_request(outgoing)
        if request.stream and response.is_success:
            return Answer(response.status_code, _headers(response), b"", _Stream(request, response))
        pieces: Iterable[bytes]
        try:
            body = _Body(request, response)
            if self._client is None:
                # As it comes: httpx's decoders would have nothing to do.
                pieces = cast(httpx.SyncByteStream, response.stream)
            else:
                pieces = response.iter_bytes()
            for piece in pieces:
                body.add(piece)
        finally:
            response.close()
        return Answer(response.status_code, _headers(response), body.whole())

    def _transport(self, url: str) -> httpx.BaseTransport:
        key = _origin(url) if self._lane else "", _proxy(url)
        transport = self._transports.get(key)
        if transport is None:
            transport = self._open(_ONE if self._lane else _LIMITS, key[1])
            self._transports[key] = transport
        return transport

    def _open(self, limits: httpx.Limits, proxy: str | None) -> httpx.BaseTransport:
        transport = httpx.HTTPTransport(verify=tls_context(), limits=limits, proxy=proxy)
        # httpx takes no backend, and there is no other way to end a read of headers in a thread.
        pool = transport._pool  # pyright: ignore[reportPrivateUsage]
        pool._network_backend = _Punctual(pool._network_backend)  # pyright: ignore[reportPrivateUsage]
        return transport


class AsyncHttpxTransport:
    """Sends over real sockets, from an event loop: one request at a time, unless with a client."""

    def __init__(
        self, client: AsyncHttpClient | None = None, *, lane: HttpLibrary = "httpx"
    ) -> None:
        # Here, since threads do without it.
        from asyncio import timeout

        self._within = timeout
        self._client = client
        self._lane: HttpLibrary = lane
        self._transports: dict[tuple[str, str | None], httpx.AsyncBaseTransport] = {}

    @property
    def open_lane(self) -> Callable[[HttpLibrary], AsyncTransport] | None:
        """Opens a transport for one request at a time; None if the caller chose the client."""
        return AsyncHttpxTransport.open_lane_of if self._client is None else None

    @staticmethod
    def open_lane_of(library: HttpLibrary) -> AsyncTransport:
        """Opens a transport for one request at a time."""
        return AsyncHttpxTransport(lane=library)

    async def send(self, request: Request) -> Answer:
        failure = None
        quiet = in_our_call.set(True)
        try:
            async with self._within(request.timeout.total):
                return await self._exchange(request)
        except TimeoutError:
            failure = _failure(httpx.ReadTimeout("answer too slow"))
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failure = _failure(error)
        finally:
            in_our_call.reset(quiet)
        raise failure

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()

    async def _exchange(self, request: Request) -> Answer:
        outgoing = _outgoing(request)
        if self._client is not None:
            response = await self._client.send(
                outgoing, stream=True, auth=None, follow_redirects=False
            )
        else:
            response = await self._transport(request.url).handle_async_request(outgoing)
        if request.stream and response.is_success:
            return Answer(
                response.status_code, _headers(response), b"", _AsyncStream(request, response)
            )
        pieces: AsyncIterable[bytes]
        try:
            body = _Body(request, response)
            if self._client is None:
                pieces = cast(httpx.AsyncByteStream, response.stream)
            else:
                pieces = response.aiter_bytes()
            async for piece in pieces:
                body.add(piece)
        finally:
            await response.aclose()
        return Answer(response.status_code, _headers(response), body.whole())

    def _transport(self, url: str) -> httpx.AsyncBaseTransport:
        key = _origin(url), _proxy(url)
        transport = self._transports.get(key)
        if transport is None:
            transport = self._open(key[1])
            self._transports[key] = transport
        return transport

    def _open(self, proxy: str | None) -> httpx.AsyncBaseTransport:
        if self._lane != "aiohttp":
            return httpx.AsyncHTTPTransport(verify=tls_context(), limits=_ONE, proxy=proxy)
        import aiohttp
        from httpx_aiohttp import AiohttpTransport

        def session() -> aiohttp.ClientSession:
            # Many accounts share a lane; none may be sent another's cookies.
            connector = aiohttp.TCPConnector(ssl=tls_context(), limit=1)
            return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

        return AiohttpTransport(
            verify=tls_context(),
            proxy=None if proxy is None else httpx.Proxy(proxy),
            client=session,
        )


class AsyncHttpxLanes:
    """Sends over whichever of up to 32 connections is free, from an event loop.

    Each is a lane with a pool of its own: a common pool looks at all of them on each request.
    """

    def __init__(self) -> None:
        # Here, since threads do without it.
        from asyncio import Semaphore

        self._free = Semaphore(_AT_ONCE)
        self._free_for_files = Semaphore(_FILES_AT_ONCE)
        self._lanes: set[AsyncTransport] = set()
        self._idle: deque[tuple[float, AsyncTransport]] = deque()

    @property
    def open_lane(self) -> Callable[[HttpLibrary], AsyncTransport]:
        """Opens a transport for one request at a time."""
        return AsyncHttpxTransport.open_lane_of

    async def send(self, request: Request) -> Answer:
        if request.stream:
            return await self._send_file(request)
        await self._turn(request.timeout.connect)
        try:
            lane = self._idle.pop()[1] if self._idle else self._new()
            try:
                return await lane.send(request)
            finally:
                await self._rest(lane)
        finally:
            self._free.release()

    async def _send_file(self, request: Request) -> Answer:
        """As `send`, with a lane that is taken until the whole file was read.

        That can be long, so files have lanes of their own, and wait for one as long as it takes.
        """
        await self._free_for_files.acquire()
        lane = self._idle.pop()[1] if self._idle else self._new()

        async def give_back() -> None:
            self._free_for_files.release()
            await self._rest(lane)

        stream = None
        try:
            answer = await lane.send(request)
            stream = answer.stream
        finally:
            if stream is None:
                await give_back()
        if isinstance(stream, _AsyncStream):
            stream.when_closed = give_back
        return answer

    async def _rest(self, lane: AsyncTransport) -> None:
        now = _now()
        self._idle.append((now, lane))
        while self._idle and self._idle[0][0] < now - _KEEP:
            await self._drop(self._idle.popleft()[1])

    async def aclose(self) -> None:
        self._idle.clear()
        for lane in list(self._lanes):
            await self._drop(lane)

    async def _turn(self, seconds: float) -> None:
        if self._free.locked():
            from asyncio import timeout

            try:
                async with timeout(seconds):
                    await self._free.acquire()
            except TimeoutError:
                pass
            else:
                return
            raise NotDelivered("No connection became free in time; nothing was sent.")
        await self._free.acquire()

    def _new(self) -> AsyncTransport:
        lane = AsyncHttpxTransport()
        self._lanes.add(lane)
        return lane

    async def _drop(self, lane: AsyncTransport) -> None:
        self._lanes.discard(lane)
        await lane.aclose()


class _Unread:
    """The body of an answer that is still on its way; see `_Body` about compression."""

    def __init__(self, request: Request, response: httpx.Response) -> None:
        self._response = response
        self._total = request.timeout.total
        self._unpack = _unpacker(response)
        self._pieces: list[bytes] = []
        self._packed = b""
        self._failure: TransportError | None = None

    def _block(self) -> bytes:
        """At most a block of what has come; what is not unpacked yet is kept."""
        block = self._packed or b"".join(self._pieces)
        self._pieces = []
        if self._unpack is not None and block:
            block = _unpacked(self._unpack, block, BLOCK)
            self._packed = self._unpack.unconsumed_tail
        return block

    def _last(self) -> bytes:
        """What is left to unpack when nothing more comes."""
        block = b"" if self._unpack is None else self._unpack.flush()
        if not block and self._unpack is not None and not self._unpack.eof:
            raise httpx.DecodingError("cut short")
        return block

    def _end(self, failure: TransportError | None) -> bytes:
        """Nothing at the end; what had come before a failure, which is then raised."""
        self._failure = self._failure or failure
        block = b"" if self._unpack else self._block()
        if self._failure is not None and not block:
            raise self._failure
        return block


class _Stream(_Unread):
    def __init__(self, request: Request, response: httpx.Response) -> None:
        super().__init__(request, response)
        self._body = response.iter_bytes()

    def read(self) -> bytes:
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
        return bool(self._pieces)

    def close(self) -> None:
        self._response.close()


class _AsyncStream(_Unread):
    def __init__(self, request: Request, response: httpx.Response) -> None:
        super().__init__(request, response)
        self._body = response.aiter_bytes()
        self.when_closed: Callable[[], Awaitable[None]] | None = None

    async def read(self) -> bytes:
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
        except httpx.RequestError as error:
            failure = _failure(error)
        finally:
            in_our_call.reset(quiet)
        await self.aclose()
        return self._end(failure)

    async def _gather(self) -> bool:
        """Whether any pieces came: as many as make a block."""
        from asyncio import timeout

        size = 0
        async with timeout(self._total):
            async for piece in self._body:
                self._pieces.append(piece)
                size += len(piece)
                if size >= BLOCK:
                    break
        return bool(self._pieces)

    async def aclose(self) -> None:
        await self._response.aclose()
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

    httpcore's own time-out begins anew with each piece it reads, and an answer's headers can come
    in any number of pieces.
    """

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        return _PunctualStream(self._inner.connect_tcp(*args, **options))


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
    try:
        unpacked: bytes = unpack.decompress(piece, most)
    except zlib.error:
        raise httpx.DecodingError("packed in a way that was not asked for") from None
    return unpacked


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


def _failure(error: httpx.RequestError | httpx.InvalidURL) -> TransportError:
    kind = type(error).__name__
    origin = type(error.__cause__).__name__
    if isinstance(error, _NOT_SENT) and origin not in _AT_ANY_TIME:
        if "CERTIFICATE" in str(error).upper():
            return NotDelivered(
                "The service's certificate could not be verified; nothing was sent.",
                advice="Check the base URL and the machine's trusted certificates; a company "
                "proxy's own certificate can be named with SSL_CERT_FILE.",
            )
        return NotDelivered(f"The service could not be reached ({kind}); nothing was sent.")
    return OutcomeUnknown(f"The request was sent, but its answer did not arrive whole ({kind}).")
