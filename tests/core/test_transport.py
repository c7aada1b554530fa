"""What goes over the socket and what is made of what comes back, with every kind of transport."""

from __future__ import annotations

import gzip
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import httpx_aiohttp
import pytest
from tests.trust.servers import Server, json_answer, proxy, read_head, saying

from ormco_trios.core._http.connection import (
    AsyncConnection,
    Connection,
    proxy_for,
    tls_context,
)
from ormco_trios.core._http.pool import AsyncHttpxPools, HttpxPool
from ormco_trios.core._http.transport import (
    AsyncHttpxTransport,
    AsyncInjectedClient,
    HttpxTransport,
    InjectedClient,
)
from ormco_trios.core.errors import (
    AnswerTooLarge,
    ConfigurationError,
    NotDelivered,
    OutcomeUnknown,
)
from ormco_trios.core.transport import Request, Timeout

pytestmark = pytest.mark.socket

KINDS = ["own", "single", "aiohttp", "injected"]


def transport(both: Any, kind: str) -> Any:
    """A transport of the test's mode."""
    if kind == "injected":
        own: Any = (httpx.AsyncClient if both.is_async else httpx.Client)(trust_env=False)
        return both.make(AsyncInjectedClient if both.is_async else InjectedClient, own)
    if not both.is_async:
        return both.make(HttpxTransport if kind == "single" else HttpxPool)
    if kind == "own":
        return both.make(AsyncHttpxPools)
    return both.make(AsyncHttpxTransport, "aiohttp" if kind == "aiohttp" else "httpx")


def send(both: Any, kind: str, url: str, method: str = "GET", **options: Any) -> Any:
    body = options.pop("body", b"")
    headers = options.pop("headers", ())
    request = Request(method, url, headers, body, Timeout(connect=5, read=5, total=10), **options)
    used = transport(both, kind)
    try:
        return used.send(request)
    finally:
        used.aclose() if both.is_async else used.close()
        injected = getattr(getattr(used, "_target", used), "_client", None)
        if injected is not None:
            both.run(injected.aclose if both.is_async else injected.close)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", b"", None),
        ("DELETE", b"", None),
        ("POST", b"", b"0"),
        ("PUT", b"", b"0"),
        ("POST", b"{}", b"2"),
    ],
)
def test_what_is_sent(both: Any, kind: str, method: str, body: bytes, length: Any) -> None:
    with Server(json_answer(b"{}")) as server:
        answer = send(
            both, kind, f"{server.url}/a%2Fb?c=d", method, body=body, headers=(("X", "y"),)
        )
        (head,) = server.heads
    assert (answer.status, answer.body) == (200, b"{}")
    line, *rest = head.split(b"\r\n\r\n")[0].split(b"\r\n")
    assert line == b"%s /a%%2Fb?c=d HTTP/1.1" % method.encode()
    headers = dict(each.lower().split(b": ", 1) for each in rest)
    assert headers.pop(b"host") == b"localhost:%d" % server.port
    assert headers.pop(b"x") == b"y"
    if (kind, method, both.is_async) == ("aiohttp", "DELETE", True):
        length = b"0"  # aiohttp's way
    assert headers.pop(b"content-length", None) == length
    assert not headers.keys() & {b"transfer-encoding", b"cookie", b"authorization"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_in_pieces_and_a_header_given_twice(both: Any, kind: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 6\r\n\r\n"
    with Server(saying(head + b"ab", b"cd", b"ef")) as server:
        answer = send(both, kind, server.url)
    assert answer.body == b"abcdef"
    assert answer.headers["x-a"] == "1, 2"


ENCODED = {
    "gzip": gzip.compress(b"x" * 1000),
    "GZip": gzip.compress(b"x" * 1000),
    "Identity": b"x" * 1000,
}


@pytest.mark.parametrize("kind", ["own", "single"])
@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("missing", [0, 1])
def test_a_body_is_as_long_as_it_may_be_and_no_longer(
    both: Any, kind: str, encoding: str, missing: int
) -> None:
    body = ENCODED[encoding]
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    with Server(saying(head.encode() + body)) as server:
        if missing:
            with pytest.raises(AnswerTooLarge):
                send(both, kind, server.url, max_body=1000 - missing)
        else:
            assert send(both, kind, server.url, max_body=1000).body == b"x" * 1000


def test_an_injected_client_adds_nothing_of_its_own(both: Any) -> None:
    """Its sign-in and redirects are for other servers; no body is read beyond the limit."""
    read = 0

    class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal read
            while True:
                read += 1
                yield b"x" * 1000

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in self:
                yield piece

    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path == "/endless":
            return httpx.Response(200, stream=Endless())
        return httpx.Response(302, headers={"Location": "https://elsewhere.example/"})

    kind: Any = httpx.AsyncClient if both.is_async else httpx.Client
    own = kind(
        transport=httpx.MockTransport(answer), auth=("u", "p"), follow_redirects=True, timeout=1
    )
    used = both.wrap((AsyncInjectedClient if both.is_async else InjectedClient)(own))
    limits = Timeout(connect=2, read=3, total=4)
    assert used.send(Request("GET", "https://a.example/", (), b"", limits)).status == 302
    (request,) = seen
    assert "authorization" not in request.headers
    assert request.extensions["timeout"] == {"connect": 2, "read": 3, "write": 3, "pool": 2}
    with pytest.raises(AnswerTooLarge):
        used.send(Request("GET", "https://a.example/endless", (), b"", limits, max_body=5000))
    assert read <= 6
    both.run(own.aclose if both.is_async else own.close)


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_says_of_what_kind_it_was(both: Any, kind: str) -> None:
    with Server(saying(b"")) as server:
        # What httpx-aiohttp calls a time-out while connecting comes at any time.
        with pytest.raises(OutcomeUnknown, match=r"\[(Re\w+Error|ConnectTimeout)\]"):
            send(both, kind, server.url)
        gone = server.url
    with pytest.raises(NotDelivered, match=r"\[Connect(Error|Timeout)\]"):
        send(both, kind, gone)


def test_a_transport_keeps_a_connection_to_each_of_its_servers(both: Any) -> None:
    kind: Any = AsyncHttpxTransport if both.is_async else HttpxTransport
    with Server(keeping) as one, Server(keeping) as other:
        used = both.make(kind)
        for url in (f"{one.url}/1", other.url, f"{one.url}/2?c"):
            used.send(Request("GET", url, (), b"", Timeout(connect=5, read=5, total=10)))
        held: dict[Any, Any] = getattr(used, "_target", used)._connections
        assert list(held) == [(one.url, None), (other.url, None)]
        pools = [each.transport._pool for each in held.values()]
        assert [pool._max_connections for pool in pools] == [1, 1]
        assert pools[0]._ssl_context.cert_store_stats()["x509"] == 0, "nothing was waited for"
        used.close()
        assert not held


def test_connections_with_tls_share_the_processs_context(both: Any) -> None:
    made: Any = Connection("https://a.example", None)
    if both.is_async:
        made = AsyncConnection("httpx", "https://a.example", None)
    assert made.transport._pool._ssl_context is tls_context()
    both.wrap(made).close()


def keeping(connection: socket.socket) -> None:
    """Answer, and again, on one connection."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    while read_head(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def test_who_opens_transports_for_one_request_at_a_time(both: Any) -> None:
    kind: Any = AsyncHttpxPools if both.is_async else HttpxPool
    opened = kind.open_connection("httpx")
    assert type(opened) is (AsyncHttpxTransport if both.is_async else HttpxTransport)
    injected: Any = AsyncInjectedClient if both.is_async else InjectedClient
    assert not hasattr(injected, "open_connection"), "a client that was given is used itself"


def test_aiohttp_is_not_there_for_threads() -> None:
    with pytest.raises(ConfigurationError, match="aiohttp"):
        HttpxPool.open_connection("aiohttp")


@pytest.mark.anyio
async def test_aiohttp_is_used_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the process's TLS context, one connection and no cookies."""
    made: Any = AsyncConnection("aiohttp", "https://a.example", None).transport
    assert isinstance(made, httpx_aiohttp.AiohttpTransport)
    session: Any = made.client() if callable(made.client) else made.client
    assert session.connector._ssl is tls_context()
    assert session.connector.limit == 1
    assert type(session.cookie_jar).__name__ == "DummyCookieJar"
    await session.close()
    await made.aclose()
    plain = AsyncConnection("httpx", "https://a.example", None)
    assert isinstance(plain.transport, httpx.AsyncHTTPTransport)
    await plain.aclose()


@pytest.mark.parametrize("kind", ["own", "single", "aiohttp"])
def test_a_proxy_is_everybodys(both: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy_for.cache_clear()
    with proxy() as between, Server(json_answer(b"{}")) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{between.port}")
        assert send(both, kind, server.url).body == b"{}"
        assert len(between.heads) == len(server.heads) == 1
    proxy_for.cache_clear()


@pytest.mark.parametrize("given", ["httpx2", "the other kind", "none at all"])
def test_a_client_of_another_package_is_told_apart(both: Any, given: str) -> None:
    theirs = type("Client", (), {"__module__": "httpx2._client"})
    client: Any = {
        "httpx2": theirs,
        "the other kind": httpx.Client if both.is_async else httpx.AsyncClient,
        "none at all": object,
    }[given]()
    kind = AsyncInjectedClient if both.is_async else InjectedClient
    with pytest.raises(ConfigurationError, match="package httpx") as caught:
        kind(client)
    assert (given != "httpx2") or "httpx2.Client" in caught.value.happened
