"""A sign-in server that answers what it is told to, and shows what it was asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from ormco_trios import Clock, Environment
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.transport import Answer, Request

JSON = {"content-type": "application/json"}


def reply(status: int = 200, **fields: Any) -> Answer:
    return Answer(status, JSON, json.dumps(fields).encode())


class Scripted:
    """Both a `Gateway` and the transports sync or async that it opens."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = iter(answers)
        self.requests: list[Request] = []

    def environment(self, clock: Clock | None = None) -> Environment:
        return Environment.sandbox("http://127.0.0.1:9", gateway=self, clock=clock or ManualClock())

    @property
    def forms(self) -> Iterator[dict[str, str]]:
        for request in self.requests:
            pairs = parse_qsl(request.body.decode(), strict_parsing=True, keep_blank_values=True)
            assert len(dict(pairs)) == len(pairs)
            yield dict(pairs)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def open(self) -> Any:
        return _Transport(self)

    def open_async(self) -> Any:
        return _AsyncTransport(self)


class _Transport:
    def __init__(self, server: Scripted) -> None:
        self._server = server

    def send(self, request: Request) -> Answer:
        return self._server.answer(request)

    def close(self) -> None:
        pass


class _AsyncTransport:
    def __init__(self, server: Scripted) -> None:
        self._server = server

    async def send(self, request: Request) -> Answer:
        return self._server.answer(request)

    async def aclose(self) -> None:
        pass
