"""Sends requests one at a time: over connections of its own, or with the caller's client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable
from functools import partial
from time import monotonic as _now
from typing import TypeAlias, cast

import httpx

from ormco_trios.core._acompat import call_apart_async
from ormco_trios.core._http.body import AsyncBodyStream, Body, BodyStream
from ormco_trios.core._http.connection import AsyncConnection, Connection, origin_of, proxy_for
from ormco_trios.core._http.deadline import this_thread
from ormco_trios.core._http.messages import failure_of, failures, headers_of, outgoing
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.log import in_our_call
from ormco_trios.core.transport import Answer, HttpLibrary, Request

HttpClient: TypeAlias = httpx.Client


AsyncHttpClient: TypeAlias = httpx.AsyncClient


class _Httpx:
    """Sends a request and reads the answer, from threads; subclasses choose the connection."""

    def send(self, request: Request) -> Answer:
        failure = None
        quiet = in_our_call.set(True)
        this_thread.deadline = _now() + request.timeout.total
        try:
            return self._exchange(request)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failure = failure_of(error)
        finally:
            in_our_call.reset(quiet)
        # Raised here, so that neither httpx's exception nor its frames hang on ours.
        raise failure

    def _exchange(self, request: Request) -> Answer:
        raise NotImplementedError

    def _read(self, request: Request, response: httpx.Response, pieces: Iterable[bytes]) -> Answer:
        if request.stream and response.is_success:
            stream = BodyStream(request, response, pieces)
            return Answer(response.status_code, headers_of(response), b"", stream)
        try:
            body = Body(request, response)
            for piece in pieces:
                body.add(piece)
        finally:
            response.close()
        return Answer(response.status_code, headers_of(response), body.whole())


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
            failure = failure_of(httpx.ReadTimeout("answer too slow"))
        except failures() as error:
            failure = failure_of(error)
        finally:
            in_our_call.reset(quiet)
        raise failure

    async def _exchange(self, request: Request) -> Answer:
        raise NotImplementedError

    async def _read(
        self, request: Request, response: httpx.Response, pieces: AsyncIterable[bytes]
    ) -> Answer:
        if request.stream and response.is_success:
            stream = AsyncBodyStream(request, response, pieces)
            return Answer(response.status_code, headers_of(response), b"", stream)
        try:
            body = Body(request, response)
            async for piece in pieces:
                body.add(piece)
        finally:
            await response.aclose()
        return Answer(response.status_code, headers_of(response), body.whole())


class HttpxTransport(_Httpx):
    """Sends over connections of its own, one request at a time.

    A connection whose request did not end with a whole answer is closed, whatever the reason: one
    that was interrupted while it was being made would otherwise be neither used nor given back.
    """

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str | None], Connection] = {}

    def close(self) -> None:
        while self._connections:
            self._connections.popitem()[1].close()

    @property
    def is_open(self) -> bool:
        """Whether it holds any connection."""
        return bool(self._connections)

    def _exchange(self, request: Request) -> Answer:
        key = origin_of(request.url), proxy_for(request.url)
        connection = self._connections.get(key)
        if connection is None:
            connection = self._connections[key] = Connection(*key)
        whole = False
        try:
            response = connection.transport.handle_request(outgoing(request))
            # As it comes: httpx's decoders would have nothing to do.
            pieces = cast(httpx.SyncByteStream, response.stream)
            answer = self._read(request, response, pieces)
            whole = True
        finally:
            if not whole:
                self._drop(key, connection)
        if isinstance(answer.stream, BodyStream):
            answer.stream.when_broken_off = partial(self._drop, key, connection)
        return answer

    def _drop(self, key: tuple[str, str | None], connection: Connection) -> None:
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
        self._connections: dict[tuple[str, str | None], AsyncConnection] = {}

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
        key = origin_of(request.url), proxy_for(request.url)
        connection = self._connections.get(key)
        if connection is None:
            connection = self._connections[key] = AsyncConnection(self._library, *key)
        whole = False
        try:
            response = await connection.transport.handle_async_request(outgoing(request))
            pieces = cast(httpx.AsyncByteStream, response.stream)
            answer = await self._read(request, response, pieces)
            whole = True
        finally:
            if not whole:
                await self._drop(key, connection)
        if isinstance(answer.stream, AsyncBodyStream):
            answer.stream.when_broken_off = partial(self._drop, key, connection)
        return answer

    async def _drop(self, key: tuple[str, str | None], connection: AsyncConnection) -> None:
        if self._connections.get(key) is connection:
            del self._connections[key]
        await call_apart_async(connection.aclose)


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
            outgoing(request), stream=True, auth=None, follow_redirects=False
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
            outgoing(request), stream=True, auth=None, follow_redirects=False
        )
        return await self._read(request, response, response.aiter_bytes())


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


def _used_elsewhere(place: str) -> ConfigurationError:
    return ConfigurationError(
        f"The http_client was used in another {place} before, and its connections belong there: "
        "an answer could be another request's.  Nothing was sent.",
        advice=f"Make an httpx client, and a client of this library with it, in each {place}.",
    )
