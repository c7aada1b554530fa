"""No worker sends anything for a practice that another one has taken over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ormco_trios.core.connections import AsyncHttpConnections
from ormco_trios.core.transport import Answer, AsyncTransport, Request


class FencedConnections(AsyncHttpConnections):
    """Connections over which only questions are asked unless ``may_send`` allows more."""

    __slots__ = ("may_send",)

    may_send: Callable[[], Awaitable[None]]
    """Called directly before each request that may change something; raises if it must not."""

    def others(self) -> FencedConnections:
        """Others of the same kind, behind the same fence."""
        made = FencedConnections(self._library)
        made.may_send = self.may_send
        return made

    def instead_of(self, transport: AsyncTransport) -> AsyncTransport:
        """What to send with."""
        return _FencedTransport(super().instead_of(transport), self.may_send)


class _FencedTransport:
    __slots__ = ("_inner", "_may_send")

    def __init__(self, inner: AsyncTransport, may_send: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._may_send = may_send

    async def send(self, request: Request) -> Answer:
        if request.method not in {"GET", "HEAD"}:
            await self._may_send()
        return await self._inner.send(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
