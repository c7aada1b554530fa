"""The World without a socket: the library's own transports, straight into a dispatcher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ormco_trios.core.errors import NotDelivered, OutcomeUnknown, UntrustedHost
from ormco_trios.core.transport import BLOCK, Answer, AsyncTransport, Request, Transport
from ormco_trios.sandbox.dispatch.dispatcher import Dispatcher
from ormco_trios.sandbox.wire.messages import Network, WireReply, WireRequest
from ormco_trios.sandbox.world.world import World

_FAILURES: Mapping[Network, str] = {
    "connect": "The connection was refused.",
    "reset": "The connection was reset before the answer arrived.",
    "close": "The connection was closed before the answer arrived.",
    "truncate": "The connection was closed in the middle of the answer.",
    "slow_body": "The answer arrived too slowly.",
    "read_timeout": "No answer arrived in time.",
}


def split_url(world: World, url: str) -> tuple[str, str]:
    """Path and query of ``url`` in the World.

    Raises:
        UntrustedHost: The address is not the World's: nothing leaves the sandbox.
    """
    found = world.locate(url)
    if found is None:
        raise UntrustedHost("A sandbox is configured, and this address is not the sandbox's.")
    path, _, query = found.partition("?")
    return path, query


class _UnreadReply:
    """A body that is read block by block, and perhaps breaks off in the middle."""

    def __init__(self, reply: WireReply) -> None:
        self._blocks = reply.blocks()
        self._left = reply.size // 2 if reply.broken else reply.size
        self._broken: Network | None = reply.broken

    def read(self) -> list[bytes]:
        """The pieces of the next block; none at the end."""
        block: list[bytes] = []
        most = self._left - BLOCK
        while self._left > max(most, 0):
            piece = next(self._blocks)[: self._left]
            self._left -= len(piece)
            block.append(piece)
        if not block and self._broken is not None:
            raise OutcomeUnknown(_FAILURES[self._broken])
        return block

    def close(self) -> None:
        """Nothing is held open."""


class _AsyncUnreadReply:
    """As `_UnreadReply`, for an event loop."""

    def __init__(self, body: _UnreadReply) -> None:
        self._body = body

    async def read(self) -> list[bytes]:
        """The pieces of the next block; none at the end."""
        return self._body.read()

    async def aclose(self) -> None:
        """Nothing is held open."""


def _ask(dispatcher: Dispatcher, request: Request) -> Answer:
    path, query = split_url(dispatcher.world, request.url)
    reply = dispatcher.handle(
        WireRequest(request.method, path, query, tuple(request.headers), request.body)
    )
    if request.stream and 200 <= reply.status < 300 and reply.broken in (None, "truncate"):
        headers = {**_headers(reply), "content-length": str(reply.size)}
        return Answer(reply.status, headers, b"", _UnreadReply(reply))
    if reply.broken is not None:
        failure = NotDelivered if reply.broken == "connect" else OutcomeUnknown
        raise failure(_FAILURES[reply.broken])
    return Answer(reply.status, _headers(reply), reply.whole())


def _headers(reply: WireReply) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in reply.headers:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


class InProcessTransport:
    """The library's own kind of transport; the other end is a World in the same process."""

    def __init__(self, world: World) -> None:
        self._dispatcher = Dispatcher(world)

    def send(self, request: Request) -> Answer:
        """Ask the World."""
        return _ask(self._dispatcher, request)

    def close(self) -> None:
        """Nothing is held open."""


class AsyncInProcessTransport:
    """The library's own kind of transport; the other end is a World in the same process."""

    def __init__(self, world: World) -> None:
        self._dispatcher = Dispatcher(world)

    async def send(self, request: Request) -> Answer:
        """Ask the World."""
        answer = _ask(self._dispatcher, request)
        if isinstance(answer.stream, _UnreadReply):
            return replace(answer, stream=_AsyncUnreadReply(answer.stream))
        return answer

    async def aclose(self) -> None:
        """Nothing is held open."""


class InProcessGateway:
    """A `core.transport.Gateway`: an environment that holds it reaches nothing but the World."""

    def __init__(self, world: World) -> None:
        self._world = world

    def open(self) -> Transport:
        """A synchronous transport."""
        return InProcessTransport(self._world)

    def open_async(self) -> AsyncTransport:
        """An asynchronous transport."""
        return AsyncInProcessTransport(self._world)
