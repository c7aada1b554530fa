"""The World behind httpx: transports for other people's clients, and for the browser's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx

from ormco_trios.core.log import silence
from ormco_trios.sandbox.dispatch.dispatcher import Dispatcher
from ormco_trios.sandbox.serve.transport import split_url
from ormco_trios.sandbox.wire.messages import Content, Network, WireRequest
from ormco_trios.sandbox.world.world import World

silence("httpx", "httpcore.connection", "httpcore.http11")

_FAILURES: dict[Network, tuple[type[httpx.TransportError], str]] = {
    "connect": (httpx.ConnectError, "connection refused by a planned fault"),
    "reset": (httpx.ReadError, "connection reset by a planned fault"),
    "close": (httpx.RemoteProtocolError, "connection closed by a planned fault"),
    "truncate": (httpx.RemoteProtocolError, "body cut short by a planned fault"),
    "slow_body": (httpx.ReadTimeout, "body too slow because of a planned fault"),
    "read_timeout": (httpx.ReadTimeout, "no answer because of a planned fault"),
}


class SandboxTransport(httpx.BaseTransport):
    """For `httpx.Client`; any address but the World's raises `UntrustedHost`."""

    def __init__(self, world: World) -> None:
        self._dispatcher = Dispatcher(world)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the World."""
        return respond(self._dispatcher, request, request.read())


class AsyncSandboxTransport(httpx.AsyncBaseTransport):
    """As `SandboxTransport`, for `httpx.AsyncClient`."""

    def __init__(self, world: World) -> None:
        self._dispatcher = Dispatcher(world)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the World."""
        return respond(self._dispatcher, request, await request.aread())


def respond(dispatcher: Dispatcher, request: httpx.Request, body: bytes) -> httpx.Response:
    """The World's reply to a request of httpx's.

    Raises:
        httpx.TransportError: A planned fault keeps the reply from arriving.
        UntrustedHost: The address is not the World's.
    """
    path, query = split_url(dispatcher.world, str(request.url))
    headers = tuple(request.headers.multi_items())
    reply = dispatcher.handle(WireRequest(request.method, path, query, headers, body))
    if reply.broken is not None:
        kind, text = _FAILURES[reply.broken]
        raise kind(text, request=request)
    if reply.content is None:
        return httpx.Response(
            reply.status, headers=list(reply.headers), content=reply.body, request=request
        )
    with_length = [*reply.headers, ("content-length", str(reply.size))]
    return httpx.Response(
        reply.status, headers=with_length, stream=_Blocks(reply.content), request=request
    )


class _Blocks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A long body, for either kind of client."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._content)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for block in self._content:
            yield block


def browser_client(world: World, *, served: bool) -> httpx.Client:
    """A client with an empty cookie jar that follows no redirect by itself.

    Args:
        world: Where it leads.
        served: Go over the socket the World is served on, instead of into the World.
    """
    transport = None if served else SandboxTransport(world)
    return httpx.Client(
        transport=transport,
        base_url=world.base_url,
        follow_redirects=False,
        trust_env=False,
        timeout=10.0,
    )
