"""What goes over the wire, as plain values, and the two small protocols that carry it.

The implementations are `ormco_trios.core._http` (real sockets) and `ormco_trios.sandbox`
(no sockets at all).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

HttpLibrary: TypeAlias = Literal["httpx", "aiohttp"]
"""What carries a fleet's requests; the latter is asynchronous, fast, and an extra."""


@dataclass(frozen=True, slots=True)
class Timeout:
    """Limits of one attempt, in seconds.

    Attributes:
        connect: Until the connection is made; also the wait for a free one from the pool.
        read: Between two pieces of the answer.
        total: For the whole answer, headers included, however slowly it arrives.  Of a file that is
            downloaded, for its headers, and then for each further 512 KiB.
    """

    connect: float = 10.0
    read: float = 30.0
    total: float = 120.0


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt.  ``repr`` leaves out everything that can hold a secret or a person."""

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    timeout: Timeout
    max_body: int = 64 * 1024 * 1024
    stream: bool = False
    """Leave the body of a successful answer to be read from `Answer.stream`."""


BLOCK = 512 * 1024
"""About how many bytes of a stream are read at a time."""


class Stream(Protocol):
    """The body of a successful answer, still on its way and of any length.

    ``read`` gives the pieces of the next block of about `BLOCK` bytes, of a shorter one at the end,
    and then none.
    ``close`` gives the connection back and is safe to repeat.

    Raises:
        OutcomeUnknown: It stopped, or a block took longer than ``Timeout.total``.
    """

    def read(self) -> list[bytes]: ...

    def close(self) -> None: ...


class AsyncStream(Protocol):
    """As `Stream`, for an event loop."""

    async def read(self) -> list[bytes]: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``headers`` have lower-case names; ``body`` is decoded and complete.

    Attributes:
        stream: The body instead, if the request asked for it and the transport can.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    stream: Stream | AsyncStream | None = field(default=None, repr=False)


class Transport(Protocol):
    """Sends one request and waits for the answer.

    Raises:
        NotDelivered: The request did not reach the service.
        OutcomeUnknown: It did, or may have, but no complete answer came back.
    """

    def send(self, request: Request) -> Answer: ...

    def close(self) -> None: ...


class AsyncTransport(Protocol):
    """As `Transport`, for an event loop."""

    async def send(self, request: Request) -> Answer: ...

    async def aclose(self) -> None: ...


class Gateway(Protocol):
    """Opens transports; an `Environment` holds one when its traffic must not take the network."""

    def open(self) -> Transport: ...

    def open_async(self) -> AsyncTransport: ...
