"""Connections that go from client to client: a fleet needs no more than it uses at a time."""

from __future__ import annotations

from collections.abc import Callable

from ormco_trios.core._acompat import call_apart_async
from ormco_trios.core._uninterrupted import Unfinished, finished_async
from ormco_trios.core.transport import AsyncTransport, HttpLibrary, Timeout, Transport


class HttpConnections:
    """Connections to use instead of a client's own: one to each host, for one request at a time.

    A fleet's worker keeps them from practice to practice.

    Attributes:
        unfinished: What goes on although who asked for it was cancelled; `close` waits for it.
    """

    __slots__ = ("_library", "_own", "unfinished")

    def __init__(self, library: HttpLibrary) -> None:
        self._library: HttpLibrary = library
        self._own: Transport | None = None
        self.unfinished = Unfinished()

    def others(self) -> HttpConnections:
        """Others of the same kind."""
        return HttpConnections(self._library)

    def instead_of(self, transport: Transport) -> Transport:
        """What to send with; ``transport`` itself, if the caller of the library chose it."""
        open_connection: Callable[[HttpLibrary], Transport] | None
        open_connection = getattr(transport, "open_connection", None)
        if open_connection is None:
            return transport
        if self._own is None:
            self._own = open_connection(self._library)
        return self._own

    def close(self) -> None:
        """Close the connections."""
        if self._own is not None:
            self._own.close()


class AsyncHttpConnections:
    """Connections to use instead of a client's own: one to each host, for one request at a time.

    A fleet's worker keeps them from practice to practice.

    Attributes:
        unfinished: What goes on although who asked for it was cancelled; `aclose` waits for it.
    """

    __slots__ = ("_library", "_own", "unfinished")

    def __init__(self, library: HttpLibrary) -> None:
        self._library: HttpLibrary = library
        self._own: AsyncTransport | None = None
        self.unfinished = Unfinished()

    def others(self) -> AsyncHttpConnections:
        """Others of the same kind."""
        return AsyncHttpConnections(self._library)

    def instead_of(self, transport: AsyncTransport) -> AsyncTransport:
        """What to send with; ``transport`` itself, if the caller of the library chose it."""
        open_connection: Callable[[HttpLibrary], AsyncTransport] | None
        open_connection = getattr(transport, "open_connection", None)
        if open_connection is None:
            return transport
        if self._own is None:
            self._own = open_connection(self._library)
        return self._own

    async def aclose(self) -> None:
        """Close the connections."""
        # A round often has none, and need not wait for a task.
        if self._own is not None or self.unfinished.tasks or self.unfinished.lost:
            await call_apart_async(self._close)

    async def _close(self) -> None:
        try:
            await finished_async(self.unfinished, Timeout().total)
        finally:
            if self._own is not None:
                await self._own.aclose()
