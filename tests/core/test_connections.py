"""How many connections an asynchronous client opens, and how long it keeps them."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.trust.servers import Server as Kept
from tests.trust.servers import read_head

from ormco_trios import AsyncCommunicateClient, CommunicateClient, Environment, Retry
from ormco_trios.core._http import pool as pools
from ormco_trios.core._http.pool import AsyncHttpxPool
from ormco_trios.core.errors import NotDelivered
from ormco_trios.core.transport import Request, Timeout

pytestmark = [pytest.mark.anyio, pytest.mark.socket]


class Server:
    """Answers when it may, and counts."""

    def __init__(self) -> None:
        self.opened = 0
        self.open = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await self.may_answer.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - the other side of a socket notifies nobody
        await asyncio.sleep(0)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, AsyncHttpxPool, Request]]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    pool = AsyncHttpxPool()
    async with listening:
        yield server, pool, Request("GET", f"http://127.0.0.1:{port}/", (), b"", Timeout())
        await pool.aclose()
    await until(lambda: server.open == 0)


async def test_one_connection_is_enough_for_one_call_after_another() -> None:
    async with serving() as (server, pool, request):
        for _ in range(5):
            assert (await pool.send(request)).body == b"ok"
        assert server.opened == 1


async def test_many_calls_share_32_connections() -> None:
    async with serving() as (server, pool, request):
        answers = await asyncio.gather(*(pool.send(request) for _ in range(100)))
        assert {answer.body for answer in answers} == {b"ok"}
        assert server.opened == 32


async def test_a_call_that_gets_no_connection_in_time_was_not_delivered() -> None:
    async with serving() as (server, pool, request):
        server.may_answer.clear()
        busy = [asyncio.create_task(pool.send(request)) for _ in range(32)]
        await until(lambda: server.opened == 32)
        hurried = Request("GET", request.url, (), b"", Timeout(connect=0.01))
        with pytest.raises(NotDelivered):
            await pool.send(hurried)
        server.may_answer.set()
        await asyncio.gather(*busy)


async def read(pool: AsyncHttpxPool, request: Request) -> bytes:
    """A file, block by block."""
    stream: Any = (await pool.send(replace(request, stream=True))).stream
    content = b""
    while block := await stream.read():
        content += b"".join(block)
    return content


async def test_files_have_connections_of_their_own_and_are_waited_for() -> None:
    async with serving() as (server, pool, request):
        server.may_answer.clear()
        busy = [asyncio.create_task(read(pool, request)) for _ in range(16)]
        await until(lambda: server.opened == 16)
        late = asyncio.create_task(read(pool, replace(request, timeout=Timeout(connect=0.01))))
        await asyncio.sleep(0.05)
        assert not late.done()
        call = asyncio.create_task(pool.send(request))
        await until(lambda: server.opened == 17)
        server.may_answer.set()
        assert set(await asyncio.gather(*busy, late)) == {b"ok"}
        assert (await call).body == b"ok"
        assert server.opened == 17


async def test_cancelled_calls_give_their_place_back() -> None:
    async with serving() as (server, pool, request):
        server.may_answer.clear()
        busy = [asyncio.create_task(pool.send(request)) for _ in range(40)]
        await until(lambda: server.opened == 32)
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        server.may_answer.set()
        answers = await asyncio.gather(*(pool.send(request) for _ in range(40)))
        assert len(answers) == 40


async def test_what_rests_too_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(pools, "_now", lambda: now)
    async with serving() as (server, pool, request):
        await asyncio.gather(*(pool.send(request) for _ in range(10)))
        now += 60
        await pool.send(request)
        await until(lambda: server.open == 1)
        assert server.opened <= 11


@pytest.fixture
def warned(recwarn: pytest.WarningsRecorder) -> Callable[[], list[str]]:
    """What was warned of, finalisers included."""
    warnings.simplefilter("always")

    def look() -> list[str]:
        gc.collect()
        return [f"{each.category.__name__}: {each.message}" for each in recwarn.list]

    return look


def only_ours(said: list[str]) -> None:
    (message,) = said
    assert message.startswith("ResourceWarning: A client was dropped without being closed")


def test_a_client_that_is_given_up_says_so_once(warned: Callable[[], list[str]]) -> None:
    with Kept(keeping) as server:
        client = CommunicateClient(Environment.sandbox(server.url), token="t")
        view = client.with_options()
        client.users.me()
        view.users.me()
        del client
        assert warned() == []
        del view
        only_ours(warned())


async def test_an_asynchronous_one_closes_its_connections(
    warned: Callable[[], list[str]],
) -> None:
    async with serving() as (server, _, request):
        base = request.url.removesuffix("/")
        client = AsyncCommunicateClient(Environment.sandbox(base), token="t")
        await asyncio.gather(*(client.users.me() for _ in range(3)), return_exceptions=True)
        assert server.open == 3
        del client
        only_ours(warned())
        await until(lambda: server.open == 0)
    only_ours(warned())


def test_a_client_that_has_no_connection_says_nothing(warned: Callable[[], list[str]]) -> None:
    with Kept(keeping) as server:
        unused = CommunicateClient(Environment.sandbox(server.url), token="t")
        closed = CommunicateClient(Environment.sandbox(server.url), token="t")
        closed.users.me()
        closed.close()
        del unused, closed
        assert warned() == []
        gone = server.url
    refused = CommunicateClient(Environment.sandbox(gone), token="t", retry=Retry.never())
    with pytest.raises(NotDelivered):
        refused.users.me()
    del refused
    assert warned() == []


def keeping(connection: socket.socket) -> None:
    """Answer, and again, on one connection."""
    body = b'{"Id": "1"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    connection.sendall(answer)
    while read_head(connection):
        connection.sendall(answer)
