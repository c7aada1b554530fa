"""Driving flows, in sync and async: who is called, where, and what an error leaves behind."""

from __future__ import annotations

import asyncio
import threading
import traceback
from typing import Any

import pytest

from ormco_trios.core.async_runner import AsyncRunner
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.connections import AsyncHttpConnections
from ormco_trios.core.effects import (
    AskHuman,
    Blocking,
    Effect,
    Emit,
    Flow,
    Local,
    Pause,
    Send,
    Uninterrupted,
)
from ormco_trios.core.runner import Runner
from ormco_trios.core.transport import Answer


@pytest.fixture
def runner(both: Any) -> Any:
    return both.wrap((AsyncRunner if both.is_async else Runner)({}, ManualClock()))


def flow(*effects: Effect[Any]) -> Flow[list[Any]]:
    results: list[Any] = []
    for effect in effects:
        result = yield from effect
        results.append(result)
    return results


def test_a_function_is_called_where_the_flow_runs(runner: Any, both: Any) -> None:
    called: list[tuple[int, str]] = []

    def remember(what: str) -> str:
        called.append((threading.get_ident(), what))
        return what.upper()

    assert runner.run(flow(Local(remember, ("a",)), Local(both.callback(remember), ("b",)))) == [
        "A",
        "B",
    ]
    assert called == [(threading.get_ident(), "a"), (threading.get_ident(), "b")]


def test_what_takes_its_time_holds_up_no_event_loop(runner: Any, both: Any) -> None:
    threads: list[int] = []
    runner.run(flow(Blocking(lambda: threads.append(threading.get_ident()))))
    assert (threads == [threading.get_ident()]) is not both.is_async


def test_a_pause_is_the_clocks(runner: Any) -> None:
    before = runner.clock.monotonic()
    runner.run(flow(Pause(30.0)))
    assert runner.clock.monotonic() == before + 30


def test_the_callback_is_asked(runner: Any, both: Any) -> None:
    ask = both.callback(lambda prompt: f"{prompt}!")
    assert runner.run(flow(AskHuman("paste")), ask=ask) == ["paste!"]
    with pytest.raises(TypeError, match="needs a person to ask"):
        runner.run(flow(AskHuman("paste")))


def test_what_a_flow_emits(runner: Any) -> None:
    seen: list[object] = []
    assert runner.run(flow(Emit(1), Emit(2)), on_update=seen.append) == [None, None]
    assert seen == [1, 2]
    assert runner.run(flow(Emit(1))) == [None]  # nobody need listen
    assert list(runner.iterate(flow(Emit(1), Emit(2)))) == [1, 2]


def test_a_flow_may_catch_what_came_of_an_effect(runner: Any) -> None:
    def fails() -> None:
        raise LookupError

    def careful() -> Flow[str]:
        try:
            yield from Local(fails)
        except LookupError:
            return "caught"
        return "not there"

    assert runner.run(careful()) == "caught"


def test_what_is_no_effect(runner: Any) -> None:
    with pytest.raises(TypeError, match="not an effect: Effect"):
        runner.run(flow(Effect()))


def test_an_error_takes_no_local_variable_of_the_flow_along(runner: Any) -> None:
    """Also where nothing else shields, as in a callback or a wait for many."""

    def fails(secret: str) -> None:
        raise LookupError

    with pytest.raises(LookupError) as caught:
        runner.run(flow(Local(fails, ("s3cret",))))
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in trace.stack if "/ormco_trios/" in frame.filename]
    held = [frame.name for frame in ours if "s3cret" in str(frame.locals)]
    # The runner's own frame is the one that still ran: its caller's shield empties it.
    assert all("run" in name for name in held)
    assert any(frame.name == "until_emit" for frame in ours)


@pytest.mark.anyio
async def test_a_cancelled_task_waits_for_what_it_runs() -> None:
    """A file, say, is not closed under the thread that writes it."""
    began, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    ended: list[str] = []

    def write() -> None:
        loop.call_soon_threadsafe(began.set)
        may_end.wait(10)
        ended.append("written")

    def keep() -> Flow[None]:
        try:
            yield from Blocking(write)
        finally:
            ended.append("closed")

    task = asyncio.create_task(AsyncRunner({}, ManualClock()).run(keep()))
    await began.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["written", "closed"]


@pytest.mark.anyio
async def test_what_is_not_interrupted_has_connections_of_its_own() -> None:
    """A fleet's worker that is cancelled uses its own for another practice, or closes them."""
    opened: list[Opened] = []

    class Opened:
        def __init__(self) -> None:
            self.sent: list[object] = []
            self.closed = False
            self.answer = asyncio.Event()
            opened.append(self)

        async def send(self, request: Any) -> Answer:
            assert not self.closed
            self.sent.append(request)
            await self.answer.wait()
            return Answer(200, {}, b"")

        async def aclose(self) -> None:
            self.closed = True

    class Own:
        def open_connection(self, library: str) -> Opened:
            assert library == "aiohttp"
            return Opened()

    connections = AsyncHttpConnections("aiohttp")
    runner = AsyncRunner({}, ManualClock(), connections)
    request: Any = object()
    task = asyncio.create_task(runner.run(Uninterrupted(flow(Send(Own(), request)))))
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    # The worker goes on, and does so over other ones.
    other = asyncio.create_task(runner.run(Send(Own(), request)))
    for _ in range(10):
        await asyncio.sleep(0)
    opened[1].answer.set()
    await other
    closing = asyncio.create_task(connections.aclose())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not closing.done()
    opened[0].answer.set()
    await closing
    assert [each.closed for each in opened] == [True, True]
    assert [each.sent for each in opened] == [[request], [request]]
