"""Working through an agenda: whose connections are used, when somebody wakes, and how it ends."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ormco_trios.core import _lanes
from ormco_trios.core._lanes import (
    AsyncLane,
    Lane,
    without_first_frame,
    work_through,
    work_through_async,
)
from ormco_trios.core.clock import Clock, ManualClock
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.transport import HttpLibrary


@dataclass
class Errands:
    """An agenda: what is due when; ``then`` says what becomes due once a job is done."""

    clock: Clock
    due: dict[str, float]
    then: dict[str, dict[str, float]] = field(default_factory=dict)
    in_flight: int = 0

    @property
    def finished(self) -> bool:
        return not self.due and not self.in_flight

    @property
    def pressing(self) -> bool:
        return bool(self.due)

    def take(self) -> str | None:
        job = min(self.due, key=self.due.__getitem__, default=None)
        if job is None or self.due[job] > self.clock.monotonic():
            return None
        del self.due[job]
        self.in_flight += 1
        return job

    def rest(self) -> float | None:
        return min(self.due.values()) - self.clock.monotonic() if self.due else None

    def settle(self, job: str, answer: Any) -> list[tuple[str, Any]]:
        self.in_flight -= 1
        self.due |= self.then.get(job, {})
        return [(job, answer)]


class Transport:
    """One that can open lanes, and says which it opened."""

    def __init__(self) -> None:
        self.opened: list[tuple[HttpLibrary, Opened]] = []

    def open_lane(self, library: HttpLibrary) -> Opened:
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

    open_lane = None


@pytest.fixture
def work(both: Any) -> Callable[..., Iterator[Any]]:
    """`work_through` in either colour, as if it were the synchronous one."""

    def start(agenda: Errands, ask: Callable[..., Any], **options: Any) -> Iterator[Any]:
        options = {"clock": agenda.clock, "lanes": 3, "library": "httpx", **options}
        if not both.is_async:
            return work_through(agenda, ask, **options)
        stream = work_through_async(agenda, both.callback(ask), **options)
        return both.wrap(Stream(stream))  # type: ignore[no-any-return] # a stand-in

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


@pytest.mark.parametrize("library", ["httpx", "aiohttp"])
def test_a_lane_opens_one_connection_and_closes_it(both: Any, library: HttpLibrary) -> None:
    transport = Transport()
    lane: Any = (AsyncLane if both.is_async else Lane)(library)
    both.run(lane.aclose if both.is_async else lane.close)  # nothing was opened
    used = [lane.instead_of(transport) for _ in range(3)]
    ((asked_for, opened),) = transport.opened
    assert asked_for == library
    assert all(each is opened for each in used)
    both.run(lane.aclose if both.is_async else lane.close)
    assert opened.closed == 1


@pytest.mark.parametrize("own", [TheCallersOwn(), object()], ids=["injected", "gateway"])
def test_a_transport_that_opens_no_lane_is_used_itself(both: Any, own: Any) -> None:
    lane: Any = (AsyncLane if both.is_async else Lane)("httpx")
    assert lane.instead_of(own) is own


def test_every_job_is_given_a_lane_of_the_library(work: Any, both: Any) -> None:
    transport = Transport()
    agenda = Errands(ManualClock(), {"a": 0.0, "b": 0.0})

    def ask(job: str, lane: Any) -> str:
        lane.instead_of(transport)
        return job.upper()

    options = {"library": "aiohttp", "lanes": 1} if both.is_async else {}
    assert sorted(work(agenda, ask, **options)) == [("a", "A"), ("b", "B")]
    ((library, opened),) = transport.opened
    assert library == options.get("library", "httpx")
    assert opened.closed == 1


def test_a_library_that_is_not_there(work: Any, both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lanes, "find_spec", lambda name: None)
    agenda = Errands(ManualClock(), {"a": 0.0})
    told = "httpx-aiohttp is not installed" if both.is_async else "only there for the async"
    with pytest.raises(ConfigurationError, match=told):
        list(work(agenda, lambda job, lane: job, library="aiohttp"))
    assert list(work(agenda, lambda job, lane: job)) == [("a", "a")]


# --- when -----------------------------------------------------------------------------------


def test_nothing_is_asked_early_and_nothing_waits_longer_than_it_has_to(work: Any) -> None:
    clock = ManualClock()
    began = clock.monotonic()
    # Whoever waits for the first of these is told of one that is due sooner.
    agenda = Errands(clock, {"now": began, "late": began + 100}, {"now": {"soon": began + 5}})
    asked: dict[str, float] = {}

    def ask(job: str, lane: Any) -> None:
        asked[job] = clock.monotonic() - began

    assert [job for job, _ in work(agenda, ask)] == ["now", "soon", "late"]
    assert asked == {"now": 0.0, "soon": 5.0, "late": 100.0}


@pytest.mark.anyio
async def test_an_alarm_is_brought_forward() -> None:
    clock = ManualClock()
    began = clock.monotonic()
    agenda = Errands(clock, {"slow": began, "late": began + 100}, {"slow": {"soon": began + 5}})
    idle = asyncio.Event()
    asked: dict[str, float] = {}

    async def ask(job: str, lane: AsyncLane) -> None:
        asked[job] = clock.monotonic() - began
        if job == "slow":
            # The other lane has found nothing that is due, and has set its alarm to 100 seconds.
            await idle.wait()

    working = work_through_async(agenda, ask, clock=Held(clock), lanes=2, library="httpx")
    first = asyncio.ensure_future(anext(working))
    for _ in range(5):
        await asyncio.sleep(0)
    idle.set()
    assert [(await first)[0], *[job async for job, _ in working]] == ["slow", "soon", "late"]
    assert asked == {"slow": 0.0, "soon": 5.0, "late": 100.0}


class Held(Clock):
    """A clock that goes on only when all tasks wait for it: to the first moment asked for."""

    def __init__(self, inner: ManualClock) -> None:
        self._inner = inner

    def monotonic(self) -> float:
        return self._inner.monotonic()

    async def sleep_async(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        for _ in range(20):  # an alarm that is set anew is cancelled meanwhile
            await asyncio.sleep(0)
        self._inner.advance(max(0.0, until - self.monotonic()))


# --- how it ends ----------------------------------------------------------------------------


def test_a_failure_is_an_answer_and_shows_nothing_of_the_lanes(work: Any) -> None:
    agenda = Errands(ManualClock(), {"a": 0.0, "b": 0.0})

    def ask(job: str, lane: Any) -> str:
        if job == "a":
            raise ValueError("mine")
        return job

    answers = dict(work(agenda, ask))
    assert answers["b"] == "b"
    frames = traceback.extract_tb(answers["a"].__traceback__)
    assert frames[-1].name == "ask"
    assert not {"work_through", "_work"} & {frame.name for frame in frames}


def test_an_error_without_a_traceback_stays_without() -> None:
    assert without_first_frame(ValueError()).__traceback__ is None


def test_an_agenda_that_fails_ends_it(work: Any) -> None:
    class Broken(Errands):
        def settle(self, job: str, answer: Any) -> list[tuple[str, Any]]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(work(Broken(ManualClock(), {"a": 0.0}), lambda job, lane: job))


@pytest.mark.anyio
async def test_whoever_stops_early_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    clock = Clock()
    began = clock.monotonic()
    transport = Transport()
    agenda = Errands(clock, {"now": began, "tomorrow": began + 86400})

    async def ask(job: str, lane: AsyncLane) -> str:
        lane.instead_of(transport)  # type: ignore[arg-type] # it is never used
        return job

    working = work_through_async(agenda, ask, clock=clock, lanes=2, library="httpx")
    assert await anext(working) == ("now", "now")
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks() - before) == 3  # two lanes, and the alarm
    await working.aclose()
    assert asyncio.all_tasks() == before
    assert [opened.closed for _, opened in transport.opened] == [1]
