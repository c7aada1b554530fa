# Generated from async_runner.py by tools/mirror.py; edit that file.
"""Drives flows: the only code that sends, sleeps or asks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from ormco_trios.core._acompat import (
    Ask,
    call_blocking,
    call_local,
    run_together,
)
from ormco_trios.core._uninterrupted import uninterrupted
from ormco_trios.core.channel import Channel, route_calls
from ormco_trios.core.clock import Clock
from ormco_trios.core.connections import HttpConnections
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
from ormco_trios.core.transport import Answer, Transport

T = TypeVar("T")


class Runner:
    """Runs flows over the channels of one or several clients, on demand with other connections."""

    __slots__ = ("channels", "clock", "http_connections")

    def __init__(
        self,
        channels: Mapping[Service, Channel[Transport]],
        clock: Clock,
        http_connections: HttpConnections | None = None,
    ) -> None:
        self.channels = channels
        self.clock = clock
        self.http_connections = http_connections

    def run(
        self,
        flow: Flow[T] | Effect[T],
        *,
        ask: Ask | None = None,
        on_update: Callable[[Any], None] | None = None,
    ) -> T:
        """Drive a flow, or a single effect, to its end and return its result."""
        drive = _Drive(self, flow, ask)
        try:
            while (emitted := drive.until_emit()) is not None:
                if on_update is not None:
                    on_update(emitted.item)
        finally:
            drive.close()
        return drive.result

    def iterate(
        self, flow: Flow[Any] | Effect[Any], *, ask: Ask | None = None
    ) -> Generator[Any, None]:
        """Drive ``flow`` and yield what it emits."""
        drive = _Drive(self, flow, ask)
        try:
            while (emitted := drive.until_emit()) is not None:
                yield emitted.item
        finally:
            drive.close()

    def _uninterrupted(self, flow: Flow[T]) -> T:
        owners = [channel.unfinished for channel in self.channels.values()]
        if self.http_connections is not None:
            owners.append(self.http_connections.unfinished)
        return uninterrupted(self._run_by, flow, self.clock, set(owners))

    def _run_by(self, flow: Flow[T], clock: Clock) -> T:
        runner = copy.copy(self)
        runner.clock = clock
        if self.http_connections is None:
            return runner.run(flow)
        # Who is cancelled goes on to use these for something else, or closes them.
        runner.http_connections = self.http_connections.others()
        try:
            return runner.run(flow)
        finally:
            runner.http_connections.close()

    def perform(self, effect: Effect[Any], ask: Ask | None) -> Any:
        """Do what an effect asks for."""
        match effect:
            case Send(transport, request):
                if self.http_connections is not None:
                    transport = self.http_connections.instead_of(transport)
                return transport.send(request)
            case Page(browser, action):
                return browser.perform(action)
            case Pause(seconds):
                return self.clock.sleep(seconds)
            case AskHuman(prompt):
                if ask is None:
                    raise TypeError("this flow needs somebody to ask")
                return ask(prompt)
            case Local(function, arguments):
                return call_local(function, arguments)
            case Uninterrupted(flow):
                return self._uninterrupted(flow)
            case Together(flows):
                return run_together(*(partial(self.run, flow) for flow in flows))
            case Blocking(function, arguments):
                return call_blocking(function, *arguments)
            case _:
                raise TypeError(f"not an effect: {type(effect).__name__}")


class _Drive(Generic[T]):
    """One flow on its way; ``result`` is there at its end."""

    __slots__ = ("_ask", "_opened", "_runner", "_steps", "result")

    result: T

    def __init__(self, runner: Runner, flow: Flow[T] | Effect[T], ask: Ask | None) -> None:
        self._runner = runner
        self._ask = ask
        self._steps = route_calls(iter(flow), runner.channels)
        self._opened: list[Any] = []

    def until_emit(self) -> Emit | None:
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
                    result = self._runner.perform(effect, self._ask)
                    if isinstance(result, Answer) and result.stream is not None:
                        self._opened.append(result.stream)
                except BaseException as caught:  # noqa: BLE001 - the flow cleans up, then it goes on
                    error = caught
        except BaseException as leaving:
            empty_frames(leaving)
            raise

    def close(self) -> None:
        """End the flow, if it has not ended."""
        self._steps.close()
        # However it ended, no connection stays taken.
        for stream in self._opened:
            stream.close()
