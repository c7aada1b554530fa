"""Many jobs, a bounded number at a time: the two ways to work through an `Agenda`.

A lane is a worker with connections of its own.  That is not only a bound: the connection pool of
httpx looks at all its connections on each request, so 32 requests in flight over one pool cost
several times the CPU of 32 lanes with one connection each.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from importlib.util import find_spec
from typing import Protocol, TypeVar

from ormco_trios.core.clock import Clock
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.transport import AsyncTransport, HttpLibrary, Transport

J = TypeVar("J")
A = TypeVar("A", contravariant=True)
B = TypeVar("B")
O = TypeVar("O", covariant=True)  # noqa: E741 - an outcome


class Agenda(Protocol[J, A, O]):
    """What is to be done and when; it does no I/O."""

    @property
    def finished(self) -> bool:
        """Nothing is left, not even in flight."""
        ...

    @property
    def pressing(self) -> bool:
        """Whether there may be work for another lane."""
        ...

    def take(self) -> J | None:
        """The next job that is due, or None while none is, or too many are in flight."""
        ...

    def rest(self) -> float | None:
        """Seconds until something becomes due; None when nothing will by itself."""
        ...

    def settle(self, job: J, answer: A | Exception) -> Iterable[O]:
        """Note what came of a job; what that means for the caller."""
        ...


class Lane:
    """Connections for one job at a time, shared by all that take this lane."""

    __slots__ = ("_library", "_own")

    def __init__(self, library: HttpLibrary) -> None:
        self._library: HttpLibrary = library
        self._own: Transport | None = None

    def instead_of(self, transport: Transport) -> Transport:
        """This lane's transport, unless ``transport`` is one that the caller chose."""
        open_lane: Callable[[HttpLibrary], Transport] | None
        open_lane = getattr(transport, "open_lane", None)
        if open_lane is None:
            return transport
        if self._own is None:
            self._own = open_lane(self._library)
        return self._own

    def close(self) -> None:
        """Close the connections."""
        if self._own is not None:
            self._own.close()


class AsyncLane:
    """Connections for one job at a time, shared by all that take this lane."""

    __slots__ = ("_library", "_own")

    def __init__(self, library: HttpLibrary) -> None:
        self._library: HttpLibrary = library
        self._own: AsyncTransport | None = None

    def instead_of(self, transport: AsyncTransport) -> AsyncTransport:
        """This lane's transport, unless ``transport`` is one that the caller chose."""
        open_lane: Callable[[HttpLibrary], AsyncTransport] | None
        open_lane = getattr(transport, "open_lane", None)
        if open_lane is None:
            return transport
        if self._own is None:
            self._own = open_lane(self._library)
        return self._own

    async def aclose(self) -> None:
        """Close the connections."""
        if self._own is not None:
            await self._own.aclose()


def without_first_frame(error: Exception) -> Exception:
    """``error`` without the frame that caught it, which goes on and is nobody else's to look at."""
    trace = error.__traceback__
    return error.with_traceback(None if trace is None else trace.tb_next)


def work_through(
    agenda: Agenda[J, B, O],
    ask: Callable[[J, Lane], B],
    *,
    clock: Clock,
    lanes: int,  # noqa: ARG001 - there is one, the calling thread
    library: HttpLibrary,
) -> Generator[O]:
    """Do the jobs one after another, in the calling thread."""
    if library == "aiohttp":
        raise ConfigurationError("aiohttp is only there for the asynchronous client.")
    lane = Lane(library)
    try:
        while not agenda.finished:
            job = agenda.take()
            if job is None:
                clock.sleep(agenda.rest() or 0.0)
                continue
            answer: B | Exception
            try:
                answer = ask(job, lane)
            except Exception as error:  # noqa: BLE001 - one failure does not stop the others
                answer = without_first_frame(error)
            yield from agenda.settle(job, answer)
    finally:
        lane.close()


async def work_through_async(
    agenda: Agenda[J, B, O],
    ask: Callable[[J, AsyncLane], Awaitable[B]],
    *,
    clock: Clock,
    lanes: int,
    library: HttpLibrary,
) -> AsyncGenerator[O]:
    """Do the jobs in at most ``lanes`` lanes, each a task; all have ended when this has."""
    if library == "aiohttp" and find_spec("httpx_aiohttp") is None:
        raise ConfigurationError(
            "The package httpx-aiohttp is not installed.",
            advice="pip install 'ormco-trios[aiohttp]'",
        )
    # Here, since threads do without it and asyncio takes long to import.
    from ormco_trios.core._crew import Crew

    crew = Crew(agenda, ask, clock, lanes, library)
    try:
        crew.call_one()
        while (outcome := await crew.results.get()) is not None:
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome[0]
    finally:
        await crew.dismiss()
