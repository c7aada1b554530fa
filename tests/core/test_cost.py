"""What a call costs, counted and not timed, so that it is the same on every machine."""

from __future__ import annotations

import asyncio
import gc
import sys
from types import FrameType
from typing import Any

from ormco_trios import AsyncCommunicateClient, CommunicateClient, Environment
from ormco_trios.core.transport import Answer, AsyncTransport, Request, Transport

ANSWER = Answer(200, {"content-type": "application/json"}, b'{"Id": "1", "Connections": []}')


class Canned:
    """Reaches no service: what is counted is the library's own part of a call."""

    def open(self) -> Transport:
        return _Sync()

    def open_async(self) -> AsyncTransport:
        return _Async()


class _Sync:
    def send(self, request: Request) -> Answer:
        return ANSWER

    def close(self) -> None: ...


class _Async:
    async def send(self, request: Request) -> Answer:
        return ANSWER

    async def aclose(self) -> None: ...


def environment() -> Environment:
    return Environment.sandbox("http://127.0.0.1:8025", gateway=Canned())


class Counter:
    """Notes each time one of the library's functions is entered, or a generator goes on."""

    def __init__(self) -> None:
        self.entered: list[str] = []

    def __enter__(self) -> Counter:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: Any) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_globals["__name__"].startswith("ormco_trios."):
            self.entered.append(frame.f_code.co_qualname)


MOST = 35
"""Functions entered for one call: 33 in sync and async, so one more layer is noticed."""


def test_a_call_enters_few_functions() -> None:
    with CommunicateClient(environment(), token="t") as client:
        client.users.me()
        with Counter() as counter:
            client.users.me()
    assert len(counter.entered) <= MOST, counter.entered


def test_an_awaited_call_enters_few_functions() -> None:
    async def count() -> list[str]:
        async with AsyncCommunicateClient(environment(), token="t") as client:
            await client.users.me()
            with Counter() as counter:
                await client.users.me()
        return counter.entered

    entered = asyncio.run(count())
    assert len(entered) <= MOST, entered


def test_calls_leave_nothing_behind() -> None:
    with CommunicateClient(environment(), token="t") as client:
        for _ in range(10):
            client.users.me()
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(50):
            client.users.me()
        gc.collect()
        assert len(gc.get_objects()) <= before + 5
