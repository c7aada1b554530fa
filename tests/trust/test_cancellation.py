"""A call that is cancelled anywhere: the client goes on, and no connection stays open or is shared.

Each test cancels a call after one turn of the event loop, after two, and so on until the call is
over sooner, all on one client: what one of them breaks, the next ones meet.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import trustme

from ormco_trios.core._http import connection, pool
from ormco_trios.core._http.pool import AsyncHttpxPool, AsyncHttpxPools
from ormco_trios.core._http.transport import AsyncHttpxTransport
from ormco_trios.core.errors import OutcomeUnknown
from ormco_trios.core.transport import AsyncTransport, HttpLibrary, Request, Timeout

pytestmark = [pytest.mark.anyio, pytest.mark.socket]

LIMITS = Timeout(connect=5, read=5, total=5)
"""Seconds; nothing here takes so long unless it is broken."""


class Server:
    """Answers with the path of each request, when it may."""

    def __init__(self) -> None:
        self.open = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self.may_answer.wait()
                path = head.split(b" ")[1]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(path))
                await writer.drain()
                writer.write(path)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Server, str]]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server, f"{'https' if context else 'http'}://localhost:{port}"


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    connection.tls_context.cache_clear()
    yield context
    connection.tls_context.cache_clear()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - the other side of a socket notifies nobody
            await asyncio.sleep(0)


def request(url: str, path: str) -> Request:
    return Request("GET", f"{url}{path}", (), b"", LIMITS)


async def cancelled_at_every_turn(
    transport: AsyncTransport, url: str, *, fresh: bool, again: bool = False
) -> int:
    """How many turns of the loop a call takes.

    Args:
        fresh: Whether each call is to make a connection, instead of using the one that is there.
        again: Whether it is cancelled until it has ended, as in a task group of anyio.
    """
    for turns in range(1, 500):
        task = asyncio.create_task(transport.send(request(url, f"/{turns}")))
        for _ in range(turns):
            await asyncio.sleep(0)
        over = task.done()
        task.cancel()
        while again and not task.done():
            await asyncio.sleep(0)
            task.cancel()
        done = await asyncio.gather(task, return_exceptions=True)
        if not over:
            assert type(done[0]) is asyncio.CancelledError
        # The next one gets its own answer, and soon.
        for path in ("/a", "/b"):
            answer = await transport.send(request(url, path))
            assert (answer.status, answer.body) == (200, path.encode())
        if fresh:
            await transport.aclose()
        if over:
            return turns
    raise AssertionError("the call never ends")


@pytest.mark.parametrize("fresh", [True, False])
async def test_plain(fresh: bool) -> None:
    async with serving() as (server, url):
        transport = AsyncHttpxPools()
        assert await cancelled_at_every_turn(transport, url, fresh=fresh) > (10 if fresh else 3)
        await transport.aclose()
        await until(lambda: server.open == 0)


@pytest.mark.parametrize("fresh", [True, False])
async def test_over_tls(fresh: bool, tls: ssl.SSLContext) -> None:
    async with serving(tls) as (server, url):
        transport = AsyncHttpxPools()
        assert await cancelled_at_every_turn(transport, url, fresh=fresh) > (10 if fresh else 3)
        await transport.aclose()
        await until(lambda: server.open == 0)


@pytest.mark.parametrize("fresh", [True, False])
async def test_with_aiohttp(fresh: bool) -> None:
    async with serving() as (server, url):
        transport = AsyncHttpxTransport("aiohttp")
        assert await cancelled_at_every_turn(transport, url, fresh=fresh) > 3
        await transport.aclose()
        await until(lambda: server.open == 0)


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("library", ["httpx", "aiohttp"])
@pytest.mark.parametrize("fresh", [True, False])
async def test_cancelled_again_and_again(
    fresh: bool, library: HttpLibrary, encrypted: bool, tls: ssl.SSLContext
) -> None:
    """What gives a connection back has to come to its end, although each ``await`` is cancelled."""
    async with serving(tls if encrypted else None) as (server, url):
        transport = AsyncHttpxTransport(library)
        await cancelled_at_every_turn(transport, url, fresh=fresh, again=True)
        await transport.aclose()
        await until(lambda: server.open == 0)


async def test_closing_that_is_cancelled_closes() -> None:
    """Who leaves a block ``async with`` in a cancelled task group of anyio closes it like that."""
    async with serving() as (server, url):
        transport = AsyncHttpxPools()
        server.may_answer.clear()
        calls = [asyncio.create_task(transport.send(request(url, "/"))) for _ in range(5)]
        await until(lambda: server.open == 5)
        server.may_answer.set()
        await asyncio.gather(*calls)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await transport.aclose()
        await until(lambda: server.open == 0)


async def test_with_every_connection_taken() -> None:
    """A call that waits for a free connection, and gets one while it is cancelled."""
    async with serving() as (server, url):
        transport = AsyncHttpxPool()
        for turns in range(1, 40):
            server.may_answer.clear()
            taken = [
                asyncio.create_task(transport.send(request(url, "/taken")))
                for _ in range(pool.AT_ONCE)
            ]
            await until(lambda: server.open == pool.AT_ONCE)
            waiting = [
                asyncio.create_task(transport.send(request(url, "/waits"))) for _ in range(3)
            ]
            await asyncio.sleep(0)
            server.may_answer.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            waiting[0].cancel()
            waiting[1].cancel()
            await asyncio.gather(*waiting, *taken, return_exceptions=True)
            assert (await waiting[2]).body == b"/waits"
            # Every place is free again, at once.
            assert transport._free._value == pool.AT_ONCE
        await transport.aclose()
        await until(lambda: server.open == 0)


async def test_the_time_limit_is_no_different(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as (server, url):
        transport = AsyncHttpxPools()
        server.may_answer.clear()
        short = Request("GET", f"{url}/late", (), b"", Timeout(connect=5, read=5, total=0.01))
        with pytest.raises(OutcomeUnknown):
            await transport.send(short)
        server.may_answer.set()
        assert (await transport.send(request(url, "/next"))).body == b"/next"
        assert server.open == 1
        await transport.aclose()
