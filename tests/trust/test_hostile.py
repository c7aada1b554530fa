"""Answers of a broken or hostile service: each a clear error, in little memory and time."""

from __future__ import annotations

import gzip
import json
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trust.servers import Server, Speak, json_answer, saying

from ormco_trios import CommunicateClient, Environment, Retry, Timeout, errors
from ormco_trios.core._http.transport import AsyncHttpxTransport, HttpxTransport
from ormco_trios.core.answers import refusal, request_id_of, retry_after
from ormco_trios.core.transport import Answer, AsyncStream, AsyncTransport, Request, Transport

pytestmark = pytest.mark.socket

MIB = 1024 * 1024
LIMIT = MIB
BOUND = 12 * MIB
"""Memory of one call whose answer may have 1 MiB, servers and clients in one process."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Limited:
    """Real sockets, with less patience for long answers than the library's 64 MiB."""

    def open(self) -> Transport:
        inner = HttpxTransport()
        return _Sync(inner)

    def open_async(self) -> AsyncTransport:
        return _Async(AsyncHttpxTransport())


class _Sync:
    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    def send(self, request: Request) -> Answer:
        return self.inner.send(replace(request, max_body=LIMIT))

    def close(self) -> None:
        self.inner.close()


class _Async:
    def __init__(self, inner: AsyncTransport) -> None:
        self.inner = inner

    async def send(self, request: Request) -> Answer:
        return await self.inner.send(replace(request, max_body=LIMIT))

    async def aclose(self) -> None:
        await self.inner.aclose()


def ask(both: Any, speak: Speak, **options: Any) -> tuple[Any, int]:
    """What ``users.me`` makes of it, and how many requests that took."""
    with Server(speak) as server:
        client = both.communicate(
            environment=Environment.sandbox(server.url, gateway=Limited()),
            token="t",
            retry=options.pop("retry", Retry(attempts=3, initial=0, maximum=0)),
            timeout=options.pop("timeout", Timeout(connect=5, read=5, total=5)),
        )
        tracemalloc.start()
        began = time.perf_counter()
        try:
            result = client.users.me()
        except errors.OrmcoTriosError as error:
            result = error
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        client.close()
        assert time.perf_counter() - began < 5
        assert peak < BOUND, f"{peak / MIB:.0f} MiB"
        return result, len(server.heads)


def endless(piece: bytes, head: bytes) -> Speak:
    def speak(connection: Any) -> None:
        connection.sendall(head)
        for _ in range(4096):
            connection.sendall(piece)

    return speak


CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"


def bomb(wbits: int) -> bytes:
    """The first 256 MiB of a compressed body: as zlib would make it, from one piece of it."""
    packer = zlib.compressobj(wbits=wbits)
    first, second = (
        packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    return first + second * 255


TOO_LARGE: dict[str, Speak] = {
    "declared": endless(b"x" * 65536, HEAD + b"Content-Length: 9999999999\r\n\r\n"),
    "chunked": endless(CHUNK, HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
    "until closed": endless(b"x" * 65536, HEAD + b"\r\n"),
    "gzip bomb": json_answer(bomb(31), b"Content-Encoding: gzip"),
    "deflate bomb": json_answer(bomb(15), b"Content-Encoding: deflate"),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_too_large(both: Any, name: str) -> None:
    result, requests = ask(both, TOO_LARGE[name])
    assert type(result) is errors.AnswerTooLarge
    assert "longer than" in str(result)
    assert requests == 1, "asking again would not help"


def test_a_compressed_answer_that_was_not_asked_for_is_read(both: Any) -> None:
    body = b'{"Id": "1e4ec1f5-0000-4000-8000-000000000001"}'
    for packed, name in ((gzip.compress(body), b"gzip"), (zlib.compress(body), b"DEFLATE")):
        result, _ = ask(both, json_answer(packed, b"Content-Encoding: " + name))
        assert result.id.startswith("1e4ec1f5")


BROKEN: dict[str, Speak] = {
    "brotli": json_answer(b"\x0b\x02\x80{}\x03", b"Content-Encoding: br"),
    "not gzip": json_answer(b"{}", b"Content-Encoding: gzip"),
    "cut gzip": json_answer(gzip.compress(b'{"Id": "1"}')[:-9], b"Content-Encoding: gzip"),
    "gzip and more": json_answer(gzip.compress(b'{"Id": "1"}') + b"x", b"Content-Encoding: gzip"),
    "gzip and more, endlessly": endless(
        b"x" * 65536,
        HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b'{"Id": "1"}'),
    ),
    "cut": saying(HEAD + b'Content-Length: 100\r\n\r\n{"Id": '),
    "not http": saying(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "nothing": saying(b""),
    "many headers": saying(HEAD, b"".join(b"X-%d: %s\r\n" % (i, b"y" * 900) for i in range(400))),
    "a long header": saying(HEAD + b"X: " + b"y" * 4 * MIB + b"\r\n\r\n{}"),
    "bad chunk": saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    "two lengths": saying(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "split header": saying(HEAD + b"X-A\r\nContent-Length: 2\r\n\r\n{}"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_no_whole_answer(both: Any, name: str) -> None:
    result, requests = ask(both, BROKEN[name])
    assert type(result) is errors.OutcomeUnknown
    assert requests == 3, "a read is repeated"


async def all_of(answer: Answer) -> None:
    while answer.stream is not None and await cast(AsyncStream, answer.stream).read():
        pass


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", BROKEN)
async def test_no_whole_answer_with_aiohttp(name: str, stream: bool) -> None:
    """httpx-aiohttp leaves some of aiohttp's own errors, which quote the address and the answer."""
    transport = AsyncHttpxTransport("aiohttp")
    with Server(BROKEN[name]) as server:
        request = Request("GET", f"{server.url}/secret", (), b"", Timeout(5, 5, 5), stream=stream)
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await all_of(await transport.send(request))
        await transport.aclose()
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def deep(n: int) -> bytes:
    return b'{"Id": "1", "x": ' + b"[" * n + b"]" * n + b"}"


UNEXPECTED: dict[str, Speak] = {
    "deep": json_answer(deep(200_000)),
    "deep objects": json_answer(b'{"x":' * 100_000 + b"1" + b"}" * 100_000),
    "invalid utf-8": json_answer(b'{"Id": "\xff\xfe"}'),
    "utf-16": json_answer('{"Id": "1"}'.encode("utf-16")),
    "lone surrogate": json_answer(b'{"Id": "\\ud800"}'),
    "a page": json_answer(b"<html>", kind=b"text/html"),
    "nothing": json_answer(b""),
    "a list": json_answer(b"[]"),
    "null": json_answer(b"null"),
    "trailing": json_answer(b'{"Id": "1"} {"Id": "2"}'),
    "wrong types": json_answer(b'{"Id": "1", "Connections": {"Id": "2"}}'),
    "a long number": json_answer(b'{"Id": ' + b"9" * 100_000 + b"}"),
}


@pytest.mark.parametrize("name", UNEXPECTED)
def test_not_what_the_contract_says(both: Any, name: str) -> None:
    result, requests = ask(both, UNEXPECTED[name])
    assert type(result) is errors.UnexpectedAnswer, result
    assert requests == 1


READABLE: dict[str, Speak] = {
    "wrong content type": json_answer(b'{"Id": "first"}', kind=b"image/png"),
    "duplicate keys": json_answer(b'{"Id": "second", "Id": "first"}'),
    "not-a-number elsewhere": json_answer(b'{"Id": "first", "New": NaN, "Newer": -Infinity}'),
    "byte order": json_answer(b'{"Id": "first"}'),
}


@pytest.mark.parametrize("name", READABLE)
def test_odd_but_harmless(both: Any, name: str) -> None:
    """Of duplicate keys the last counts, as everywhere in JSON."""
    result, _ = ask(both, READABLE[name])
    assert result.id == "first"


def drip(head: bytes) -> Speak:
    def speak(connection: Any) -> None:
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.02)

    return speak


def test_a_slow_body_ends_at_the_total(both: Any) -> None:
    began = time.perf_counter()
    result, _ = ask(
        both,
        drip(HEAD + b"Content-Length: 100000\r\n\r\n"),
        timeout=Timeout(connect=1, read=1, total=0.2),
        retry=Retry.never(),
    )
    assert type(result) is errors.OutcomeUnknown
    assert time.perf_counter() - began < 2


def test_a_slow_body_ends_at_the_total_over_an_injected_client(both: Any) -> None:
    kind: Any = httpx.AsyncClient if both.is_async else httpx.Client
    with (
        Server(drip(HEAD + b"Content-Length: 100000\r\n\r\n")) as server,
        both.wrap(kind(trust_env=False)) as injected,
    ):
        began = time.perf_counter()
        client = both.communicate(
            environment=Environment.sandbox(server.url),
            token="t",
            retry=Retry.never(),
            timeout=Timeout(connect=1, read=1, total=0.2),
            http_client=injected,
        )
        with pytest.raises(errors.OutcomeUnknown):
            client.users.me()
        assert time.perf_counter() - began < 2


def no_end(connection: Any) -> None:
    for _ in range(200):
        connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
        time.sleep(0.02)


@pytest.mark.parametrize(
    "speak", [drip(b"HTTP/1.1 200 OK\r\nX: "), no_end], ids=["headers", "interim answers"]
)
def test_headers_end_at_the_total(both: Any, speak: Speak) -> None:
    began = time.perf_counter()
    result, _ = ask(both, speak, timeout=Timeout(connect=1, read=1, total=0.2), retry=Retry.never())
    assert type(result) is errors.OutcomeUnknown
    assert time.perf_counter() - began < 2


def test_an_answer_that_is_given_up_is_hung_up_on(both: Any) -> None:
    """Otherwise its connection would be lost to the pool, and the rest of it go on coming."""
    hung_up = threading.Event()

    def speak(connection: Any) -> None:
        try:
            endless(b"x" * 65536, HEAD + b"Content-Length: 9999999999\r\n\r\n")(connection)
        except OSError:
            hung_up.set()

    with Server(speak) as server:
        environment = Environment.sandbox(server.url, gateway=Limited())
        client = both.communicate(environment=environment, token="t")
        with pytest.raises(errors.AnswerTooLarge) as caught:
            client.users.me()
        assert hung_up.wait(10)
        del caught
        client.close()


def test_silence_ends_at_the_read_timeout(both: Any) -> None:
    def silent(connection: Any) -> None:
        connection.recv(1)

    result, _ = ask(both, silent, timeout=Timeout(read=0.1), retry=Retry.never())
    assert type(result) is errors.OutcomeUnknown


# --- in process ----------------------------------------------------------------------------------


class Same:
    """Gives every request the same answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def open(self) -> Transport:
        return self

    def open_async(self) -> AsyncTransport:
        raise NotImplementedError

    def send(self, request: Request) -> Answer:
        return self.answer

    def close(self) -> None:
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Id", "Email", "Roles", "Connections", "Region", "RegionUri", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "content-type", "x-request-id", "etag", "location"]),
    st.text(max_size=40)
    | st.integers().map(str)
    | st.sampled_from(
        [
            "9" * 400,
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Wed, 21 Oct 99999 07:28:00 GMT",
            "0",
            "-1",
            "1e9",
            "\u0661",
        ]
    ),
)


@given(
    st.sampled_from([200, 201, 204, 299, 300, 302, 400, 401, 404, 429, 500, 599, 700, 999]),
    HEADERS,
    JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60),
)
def test_any_answer_is_read_or_a_clear_error(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    gateway = Same(Answer(status, headers, body))
    environment = Environment.sandbox("http://127.0.0.1:1", gateway=gateway)
    client = CommunicateClient(environment, token="t", retry=Retry.never())
    calls: list[Callable[[], object]] = [
        client.users.me,
        client.connections.list,
        client.applications.list,
    ]
    for call in calls:
        try:
            repr(call())
        except errors.OrmcoTriosError as error:
            repr(error)


def test_a_moment_far_away_is_as_far_as_the_longest_delay() -> None:
    """A calendar cannot hold every moment that is a delay later."""
    headers = {
        "retry-after": "Fri, 31 Dec 9999 23:59:59 GMT",
        "date": "Thu, 01 Jan 2026 00:00:00 GMT",
    }
    assert retry_after(Answer(429, headers, b"")) == 1e9
    assert retry_after(Answer(429, {"retry-after": "9" * 400}, b"")) == 1e9


@pytest.mark.parametrize(
    "moment",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2027 99999999999999999999:00:00 GMT",
        "Mon, 01 Jan 2027 00:00:00 +9999999999999",
    ],
)
def test_a_moment_that_no_computer_can_hold_is_none(moment: str) -> None:
    soon = "Mon, 01 Jan 2027 00:00:00 GMT"
    for headers in ({"retry-after": moment, "date": soon}, {"retry-after": soon, "date": moment}):
        assert retry_after(Answer(429, headers, b"")) is None


@given(HEADERS)
def test_any_header_is_read(headers: dict[str, str]) -> None:
    answer = Answer(429, headers, b"")
    delay = retry_after(answer)
    assert delay is None or 0 <= delay <= 1e9
    id = request_id_of(answer)
    assert id is None or (id.isascii() and id.isprintable() and len(id) <= 64)


@pytest.mark.parametrize("seconds", [b"1e300", b"99999999999999", b"-1", b"NaN", b'"soon"'])
def test_lifetimes_that_no_calendar_holds(seconds: bytes) -> None:
    from ormco_trios import OAuthClient, OrmcoDigitalClient
    from ormco_trios.ormcodigital.models import Session

    body = b'{"access_token": "a", "authorization_url": "c", "expires_in": %s}' % seconds
    gateway = Same(Answer(200, {}, body))
    environment = Environment.sandbox("http://127.0.0.1:1", gateway=gateway)
    with pytest.raises(errors.UnexpectedAnswer):
        OrmcoDigitalClient(environment, token="t").trios.authorization_request()
    # What came for this is spent, so the token is kept.
    oauth = OAuthClient(environment, client_id="x", redirect_uri="http://127.0.0.1:1/")
    assert oauth.sign_in_with_password("x", "y").expires_at is not None
    # What answers like that before a sign-in is not the portal's API.
    ormco = OrmcoDigitalClient(environment, username="x", password="y")
    with pytest.raises(errors.PortalDiffers):
        ormco.trios.authorization_request()
    session = Session.model_validate_json(b'{"token": "b", "expires_in": %s}' % seconds)
    assert session.token.get_secret_value() == "b"


def test_a_status_nobody_knows_is_an_error() -> None:
    from ormco_trios.communicate.operations import ME

    for status in (100, 199, 299, 600, 999):
        assert refusal(ME, Answer(status, {}, b"")).status == status
