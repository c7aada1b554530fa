"""The workers of a fleet: whose connections they use, when one wakes, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from ormco_trios.core.clock import Clock, ManualClock
from ormco_trios.core.connections import AsyncHttpConnections, HttpConnections
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.transport import AsyncTransport, HttpLibrary
from ormco_trios.fleet import PracticeStatus, _workers
from ormco_trios.fleet._workers import AsyncWorkerPool, WorkerPool
from ormco_trios.fleet.schedule import FleetSchedule


def done(practice: str) -> PracticeStatus:
    return PracticeStatus.enrolled(practice, Clock().now())


@dataclass
class Errands:
    """A schedule without records; ``then`` says what becomes due once a practice is settled."""

    clock: Clock
    due: dict[str, float]
    then: dict[str, dict[str, float]] = field(default_factory=dict)
    taken: int = 0
    hurries: bool = False

    def is_finished(self) -> bool:
        return not self.due and not self.taken

    @property
    def has_due(self) -> bool:
        return bool(self.due)

    def take(self) -> str | None:
        practice = min(self.due, key=self.due.__getitem__, default=None)
        if practice is None or self.due[practice] > self.clock.monotonic():
            return None
        del self.due[practice]
        self.taken += 1
        return practice

    def rest(self) -> float:
        return min(self.due.values()) - self.clock.monotonic() if self.due else 5.0

    def settle(self, status: PracticeStatus) -> None:
        self.taken -= 1
        self.due |= self.then.get(status.practice, {})


class Opens:
    """A transport that can open another, and says which it opened."""

    def __init__(self) -> None:
        self.opened: list[tuple[HttpLibrary, Opened]] = []

    def open_connection(self, library: HttpLibrary) -> Opened:
        self.opened.append((library, Opened()))
        return self.opened[-1][1]


class Opened:
    closed = 0

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


class TheCallersOwn:
    """As an injected client's: others may not open anything in its place."""

    open_connection = None


@pytest.fixture
def work(both: Any) -> Callable[..., Iterator[str]]:
    """The pool of either kind, as if it were the synchronous one; gives whom it has looked at."""

    def start(errands: Errands, look: Callable[..., Any], **options: Any) -> Iterator[str]:
        options = {"clock": errands.clock, "size": 3, "library": "httpx", **options}
        schedule = cast(FleetSchedule, errands)
        if not both.is_async:
            return (each.practice for each in WorkerPool(schedule, look, **options).run())
        pool = AsyncWorkerPool(schedule, both.callback(look), **options)
        return (each.practice for each in both.wrap(Stream(pool.run())))

    return start


class Stream:
    """An asynchronous generator in the shape in which `both` can close it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __aiter__(self) -> AsyncIterator[Any]:
        return self.inner  # type: ignore[no-any-return] # an async generator

    async def aclose(self) -> None:
        await self.inner.aclose()


# --- connections ----------------------------------------------------------------------------


def connections_of(both: Any, library: HttpLibrary) -> Any:
    return (AsyncHttpConnections if both.is_async else HttpConnections)(library)


def close(both: Any, connections: Any) -> None:
    both.run(connections.aclose if both.is_async else connections.close)


@pytest.mark.parametrize("library", ["httpx", "aiohttp"])
def test_connections_are_opened_when_needed_and_closed_once(
    both: Any, library: HttpLibrary
) -> None:
    transport = Opens()
    connections = connections_of(both, library)
    close(both, connections)  # nothing was opened
    used = [connections.instead_of(transport) for _ in range(3)]
    ((asked_for, opened),) = transport.opened
    assert asked_for == library
    assert all(each is opened for each in used)
    close(both, connections)
    assert opened.closed == 1


@pytest.mark.parametrize("own", [TheCallersOwn(), object()], ids=["injected", "gateway"])
def test_a_transport_that_opens_no_other_is_used_itself(both: Any, own: Any) -> None:
    assert connections_of(both, "httpx").instead_of(own) is own


def test_a_worker_keeps_its_connections(work: Any, both: Any) -> None:
    transport = Opens()
    errands = Errands(ManualClock(), {"a": 0.0, "b": 0.0})

    def look(practice: str, connections: Any) -> PracticeStatus:
        connections.instead_of(transport)
        return done(practice)

    options = {"library": "aiohttp", "size": 1} if both.is_async else {}
    assert sorted(work(errands, look, **options)) == ["a", "b"]
    ((library, opened),) = transport.opened
    assert library == options.get("library", "httpx")
    assert opened.closed == 1


def test_a_library_that_is_not_there(work: Any, both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_workers, "find_spec", lambda name: None)
    errands = Errands(ManualClock(), {"a": 0.0})
    told = "httpx-aiohttp is not installed" if both.is_async else "only there for the async"
    with pytest.raises(ConfigurationError, match=told):
        list(work(errands, lambda practice, _: done(practice), library="aiohttp"))
    assert list(work(errands, lambda practice, _: done(practice))) == ["a"]


# --- when -----------------------------------------------------------------------------------


def test_nothing_is_early_and_nothing_waits_longer_than_it_has_to(work: Any) -> None:
    clock = ManualClock()
    began = clock.monotonic()
    # A worker that waits for the first of these is told of one that is due sooner.
    errands = Errands(clock, {"now": began, "late": began + 100}, {"now": {"soon": began + 5}})
    looked: dict[str, float] = {}

    def look(practice: str, _: Any) -> PracticeStatus:
        looked[practice] = clock.monotonic() - began
        return done(practice)

    assert list(work(errands, look)) == ["now", "soon", "late"]
    assert looked == {"now": 0.0, "soon": 5.0, "late": 100.0}


@pytest.mark.anyio
async def test_an_alarm_is_brought_forward() -> None:
    clock = ManualClock()
    began = clock.monotonic()
    errands = Errands(clock, {"slow": began, "late": began + 100}, {"slow": {"soon": began + 5}})
    idle = asyncio.Event()
    looked: dict[str, float] = {}

    async def look(practice: str, _: AsyncHttpConnections) -> PracticeStatus:
        looked[practice] = clock.monotonic() - began
        if practice == "slow":
            # The other worker has found nothing that is due, and has set its alarm to 100 seconds.
            await idle.wait()
        return done(practice)

    working = pool(errands, look, clock=Held(clock)).run()
    first = asyncio.ensure_future(anext(working))
    for _ in range(5):
        await asyncio.sleep(0)
    idle.set()
    order = [(await first).practice, *[each.practice async for each in working]]
    assert order == ["slow", "soon", "late"]
    assert looked == {"slow": 0.0, "soon": 5.0, "late": 100.0}


def pool(errands: Errands, look: Any, *, clock: Clock, size: int = 2) -> AsyncWorkerPool:
    schedule = cast(FleetSchedule, errands)
    return AsyncWorkerPool(schedule, look, clock=clock, size=size, library="httpx")


class Held(Clock):
    """A clock that goes on only when all tasks wait for it: to the first moment asked for."""

    def __init__(self, inner: ManualClock) -> None:
        self._inner = inner

    def monotonic(self) -> float:
        return self._inner.monotonic()

    async def sleep_async(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        for _ in range(20):  # an alarm that is set again is cancelled meanwhile
            await asyncio.sleep(0)
        self._inner.advance(max(0.0, until - self.monotonic()))


@pytest.mark.anyio
@pytest.mark.parametrize("size", [1, 5, 7])
async def test_so_many_at_a_time_and_no_more(size: int) -> None:
    errands = Errands(ManualClock(), {f"p{n}": 0.0 for n in range(200)})
    now = most = 0

    async def look(practice: str, _: AsyncHttpConnections) -> PracticeStatus:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return done(practice)

    working = pool(errands, look, clock=errands.clock, size=size).run()
    assert len([each async for each in working]) == 200
    assert most == size


@pytest.mark.anyio
async def test_a_worker_that_rests_can_be_woken() -> None:
    """As soon as something is due that no worker could know of, instead of at the next alarm."""
    clock = Clock()
    errands = Errands(clock, {"tomorrow": clock.monotonic() + 86400})

    async def look(practice: str, _: AsyncHttpConnections) -> PracticeStatus:
        return done(practice)

    workers = pool(errands, look, clock=clock)
    working = workers.run()
    first = asyncio.ensure_future(anext(working))
    for _ in range(5):
        await asyncio.sleep(0)
    errands.due["now"] = clock.monotonic()
    workers.wake()
    assert (await first).practice == "now"
    await working.aclose()


# --- how it ends ----------------------------------------------------------------------------


def test_a_look_that_fails_ends_it(work: Any) -> None:
    """A round's own failure is a status; this is one of the records."""

    def look(practice: str, _: Any) -> PracticeStatus:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        list(work(Errands(ManualClock(), {"a": 0.0}), look))


def test_what_the_caller_does_about_the_last_one_counts(work: Any) -> None:
    """Such as `retry`, or handing over the address: the loop goes on with it."""
    errands = Errands(ManualClock(), {"a": 0.0, "b": 0.0})
    seen = []
    for practice in work(errands, lambda practice, _: done(practice)):
        seen.append(practice)
        if len(seen) == 2:
            errands.due["again"] = 0.0
    assert sorted(seen) == ["a", "again", "b"]


@pytest.mark.anyio
async def test_a_caller_that_stops_early_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    clock = Clock()
    began = clock.monotonic()
    transport = Opens()
    errands = Errands(clock, {"now": began, "tomorrow": began + 86400})

    async def look(practice: str, connections: AsyncHttpConnections) -> PracticeStatus:
        connections.instead_of(cast(AsyncTransport, transport))
        return done(practice)

    working = pool(errands, look, clock=clock).run()
    assert (await anext(working)).practice == "now"
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks() - before) == 3  # two workers, and the alarm
    await working.aclose()
    assert asyncio.all_tasks() == before
    assert [opened.closed for _, opened in transport.opened] == [1]


@pytest.mark.anyio
async def test_a_cancelled_run_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    errands = Errands(ManualClock(), {f"p{n}": 0.0 for n in range(50)})
    under_way = 0

    async def look(practice: str, _: AsyncHttpConnections) -> PracticeStatus:
        nonlocal under_way
        under_way += 1
        try:
            await asyncio.Event().wait()
        finally:
            under_way -= 1
        raise AssertionError

    async def consume() -> None:
        async with contextlib.aclosing(pool(errands, look, clock=Clock(), size=32).run()) as run:
            await anext(run)

    consumer = asyncio.create_task(consume())
    for _ in range(100):
        await asyncio.sleep(0)
    assert under_way == 32
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert asyncio.all_tasks() == before
    assert under_way == 0
