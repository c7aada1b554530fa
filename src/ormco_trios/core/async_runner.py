"""Drives flows: the only code that sends, sleeps or asks."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from ormco_trios.core._acompat import (
    AsyncAsk,
    call_blocking_async,
    call_local_async,
    run_together_async,
)
from ormco_trios.core._uninterrupted import uninterrupted_async
from ormco_trios.core.channel import Channel, route_calls
from ormco_trios.core.clock import Clock
from ormco_trios.core.connections import AsyncHttpConnections
from ormco_trios.core.effects import (
    AskHuman,
    Blocking,
    Effect,
    Emit,
    Flow,
    Local,
    Page,
    Pause,
    Send,
    Together,
    Uninterrupted,
)
from ormco_trios.core.environment import Service
from ormco_trios.core.shield import empty_frames
from ormco_trios.core.transport import Answer, AsyncTransport

T = TypeVar("T")


class AsyncRunner:
    """Runs flows over the channels of one or several clients, on demand with other connections."""

    __slots__ = ("channels", "clock", "http_connections")

    def __init__(
        self,
        channels: Mapping[Service, Channel[AsyncTransport]],
        clock: Clock,
        http_connections: AsyncHttpConnections | None = None,
    ) -> None:
        self.channels = channels
        self.clock = clock
        self.http_connections = http_connections

    async def run(
        self,
        flow: Flow[T] | Effect[T],
        *,
        ask: AsyncAsk | None = None,
        on_update: Callable[[Any], None] | None = None,
    ) -> T:
        """Drive a flow, or a single effect, to its end and return its result."""
        drive = _AsyncDrive(self, flow, ask)
        try:
            while (emitted := await drive.until_emit()) is not None:
                if on_update is not None:
                    on_update(emitted.item)
        finally:
            await drive.aclose()
        return drive.result

    async def iterate(
        self, flow: Flow[Any] | Effect[Any], *, ask: AsyncAsk | None = None
    ) -> AsyncGenerator[Any, None]:
        """Drive ``flow`` and yield what it emits."""
        drive = _AsyncDrive(self, flow, ask)
        try:
            while (emitted := await drive.until_emit()) is not None:
                yield emitted.item
        finally:
            await drive.aclose()

    async def _uninterrupted(self, flow: Flow[T]) -> T:
        owners = [channel.unfinished for channel in self.channels.values()]
        if self.http_connections is not None:
            owners.append(self.http_connections.unfinished)
        return await uninterrupted_async(self._run_by, flow, self.clock, set(owners))

    async def _run_by(self, flow: Flow[T], clock: Clock) -> T:
        runner = copy.copy(self)
        runner.clock = clock
        if self.http_connections is None:
            return await runner.run(flow)
        # Who is cancelled goes on to use these for something else, or closes them.
        runner.http_connections = self.http_connections.others()
        try:
            return await runner.run(flow)
        finally:
            await runner.http_connections.aclose()

    async def perform(self, effect: Effect[Any], ask: AsyncAsk | None) -> Any:
        """Do what an effect asks for."""
        match effect:
            case Send(transport, request):
                if self.http_connections is not None:
                    transport = self.http_connections.instead_of(transport)
                return await transport.send(request)
            case Page(browser, action):
                return await browser.perform(action)
            case Pause(seconds):
                return await self.clock.sleep_async(seconds)
            case AskHuman(prompt):
                if ask is None:
                    raise TypeError("this flow needs somebody to ask")
                return await ask(prompt)
            case Local(function, arguments):
                return await call_local_async(function, arguments)
            case Uninterrupted(flow):
                return await self._uninterrupted(flow)
            case Together(flows):
                return await run_together_async(*(partial(self.run, flow) for flow in flows))
            case Blocking(function, arguments):
                return await call_blocking_async(function, *arguments)
            case _:
                raise TypeError(f"not an effect: {type(effect).__name__}")


class _AsyncDrive(Generic[T]):
    """One flow on its way; ``result`` is there at its end."""

    __slots__ = ("_ask", "_opened", "_runner", "_steps", "result")

    result: T

    def __init__(
        self, runner: AsyncRunner, flow: Flow[T] | Effect[T], ask: AsyncAsk | None
    ) -> None:
        self._runner = runner
        self._ask = ask
        self._steps = route_calls(iter(flow), runner.channels)
        self._opened: list[Any] = []

    async def until_emit(self) -> Emit | None:
        """Go on until the flow emits something; None at its end."""
        steps = self._steps
        result: Any = None
        error: BaseException | None = None
        try:
            while True:
                try:
                    effect = steps.throw(error) if error is not None else steps.send(result)
                except StopIteration as stop:
                    self.result = stop.value
                    return None
                result, error = None, None
                if isinstance(effect, Emit):
                    return effect
                try:
                    result = await self._runner.perform(effect, self._ask)
                    if isinstance(result, Answer) and result.stream is not None:
                        self._opened.append(result.stream)
                except BaseException as caught:  # noqa: BLE001 - the flow cleans up, then it goes on
                    error = caught
        except BaseException as leaving:
            empty_frames(leaving)
            raise

    async def aclose(self) -> None:
        """End the flow, if it has not ended."""
        self._steps.close()
        # However it ended, no connection stays taken.
        for stream in self._opened:
            await stream.aclose()
