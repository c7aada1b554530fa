"""The browser is sent back to this machine: one address is taken, everything else shrugged off."""

from __future__ import annotations

import http.client
import logging
import socket
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.practices import clients

from ormco_trios import AuthorizationRequest, RedirectReceiver, errors
from ormco_trios.sandbox import Sandbox

pytestmark = pytest.mark.socket

PRIVATE = "sandbox-c0de"
OTHER = [
    "/favicon.ico",
    "/",
    "/callback",
    "/callback?",
    "/callback?utm=1",
    "/callback/?code=sandbox-c0de",
    "/other?code=sandbox-c0de",
    "//127.0.0.1/callback?code=sandbox-c0de",
    "http://evil.example/callback?code=sandbox-c0de",
    "/callback?code=" + "x" * 9000,
    "/callback?x=<script>alert(1)</script>",
]


def ask(receiver: Any, target: str, *, method: str = "GET", host: str | None = None) -> Any:
    parts = urlsplit(receiver.redirect_uri)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
    try:
        connection.request(method, target, headers={} if host is None else {"Host": host})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


@pytest.fixture
def receiver(both: Any) -> Any:
    return both.make("RedirectReceiver", "http://127.0.0.1/callback")


def test_the_whole_journey(both: Any) -> None:
    with Sandbox() as sandbox:
        oauth = clients(both, sandbox, account_dialect=True).oauth
        with oauth.receive_redirect(redirect_uri="http://127.0.0.1/callback") as receiver:
            request = oauth.authorization_request(redirect_uri=receiver.redirect_uri)
            address = urlsplit(sandbox.authorize(request.url))
            status, _, page = ask(receiver, f"{address.path}?{address.query}")
            assert (status, "close this window" in page) == (200, True)
            received = receiver.wait()
        assert received == address.geturl()
        assert oauth.exchange(request.finish(received), request)


def test_a_cancel_comes_through(receiver: Any) -> None:
    ask(receiver, "/callback?error=access_denied&state=x")
    assert receiver.wait().endswith("/callback?error=access_denied&state=x")


def test_a_question_mark_in_an_answer_belongs_to_it(receiver: Any) -> None:
    assert ask(receiver, f"/callback?code={PRIVATE}&iss=a?b")[0] == 200
    assert receiver.wait().endswith(f"/callback?code={PRIVATE}&iss=a?b")


@pytest.mark.parametrize("target", OTHER, ids=range(len(OTHER)))
def test_it_waits_on_after_anything_else(receiver: Any, target: str) -> None:
    status, _, page = ask(receiver, target)
    assert (status, "Nothing here" in page) == (404, True)
    assert PRIVATE not in page
    assert "alert" not in page
    ask(receiver, f"/callback?code={PRIVATE}&state=s")
    assert receiver.wait() == f"{receiver.redirect_uri}?code={PRIVATE}&state=s"


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "<script>"])
def test_it_only_takes_a_get(receiver: Any, method: str) -> None:
    status, _, page = ask(receiver, f"/callback?code={PRIVATE}", method=method)
    assert status >= 400
    assert "script" not in page
    with pytest.raises(errors.NobodyCameBack):
        receiver.wait(timeout=0.05)


def test_another_name_for_this_machine_is_not_enough(receiver: Any) -> None:
    port = urlsplit(receiver.redirect_uri).port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1"):
        assert ask(receiver, f"/callback?code={PRIVATE}", host=host)[0] == 404
    assert ask(receiver, f"/callback?code={PRIVATE}", host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01\x02\x00\x01\n\n", b"GET\r\n\r\n", b"GET / H"])
def test_probes_and_idle_connections(receiver: Any, data: bytes) -> None:
    port = urlsplit(receiver.redirect_uri).port or 0
    with socket.create_connection(("127.0.0.1", port)) as idle:
        idle.sendall(data)
        ask(receiver, f"/callback?code={PRIVATE}")
        assert PRIVATE in receiver.wait()


def test_the_page_leaks_nothing(
    receiver: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    _, headers, page = ask(receiver, f"/callback?code={PRIVATE}&state=<b>")
    assert headers == {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(page.encode())),
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Connection": "close",
    }
    receiver.wait()
    said = capfd.readouterr()
    for text in (page, caplog.text, said.out, said.err, repr(receiver)):
        assert PRIVATE not in text
        assert "<b>" not in text


def test_nobody_came(receiver: Any) -> None:
    with pytest.raises(errors.NobodyCameBack, match="paste the address") as caught:
        receiver.wait(timeout=0.01)
    assert isinstance(caught.value, TimeoutError)


def test_a_wrong_address_does_not_use_it_up(receiver: Any) -> None:
    for number in range(30):
        ask(receiver, f"/callback?code={number}")
    assert [receiver.wait()[-1] for _ in range(2)] == ["0", "1"]


def test_foreign_hits_do_not_push_the_true_answer_out(both: Any) -> None:
    """Any program may find the port; the true answer is known by its state, before the wait."""
    with Sandbox() as sandbox:
        oauth = clients(both, sandbox, account_dialect=True).oauth
        with oauth.receive_redirect(redirect_uri="http://127.0.0.1/callback") as receiver:
            foreign = [
                "/callback?code=x",
                "/callback?error=access_denied",
                "/callback?code=x&state=y",
            ] * 4
            for target in foreign:
                ask(receiver, target)
            request = oauth.authorization_request(redirect_uri=receiver.redirect_uri)
            for target in foreign:
                status, _, page = ask(receiver, target)
                assert (status, "Nothing here" in page) == (404, True)
            address = urlsplit(sandbox.authorize(request.url))
            assert ask(receiver, f"{address.path}?{address.query}")[0] == 200
            assert oauth.exchange(request.finish(receiver.wait()), request)


def test_of_two_links_either_may_be_used(both: Any) -> None:
    with Sandbox() as sandbox:
        oauth = clients(both, sandbox, account_dialect=True).oauth
        with oauth.receive_redirect(redirect_uri="http://127.0.0.1/callback") as receiver:
            first, second = (
                oauth.with_options().authorization_request(redirect_uri=receiver.redirect_uri)
                for _ in range(2)
            )
            for request in (first, second):
                state = request.state.get_secret_value()
                assert ask(receiver, f"/callback?error=access_denied&state={state}")[0] == 200
                with pytest.raises(errors.ConsentDenied):
                    request.finish(receiver.wait())
        # Another receiver, and a redirect address that is none, are not touched by it.
        assert oauth.authorization_request().state


def test_a_request_without_a_state_expects_nothing(receiver: Any) -> None:
    receiver.expect(AuthorizationRequest.from_url("https://a.example/?client_id=x&redirect_uri=y"))
    assert ask(receiver, f"/callback?code={PRIVATE}")[0] == 200
    assert PRIVATE in receiver.wait()


def test_an_address_without_a_path_is_the_root() -> None:
    with RedirectReceiver("http://127.0.0.1") as receiver:
        assert ask(receiver, f"/?code={PRIVATE}")[0] == 200
        assert receiver.wait() == f"{receiver.redirect_uri}/?code={PRIVATE}"


def test_nobody_has_to_wait_for_it_or_close_it() -> None:
    with RedirectReceiver("http://127.0.0.1/callback") as receiver:
        (thread,) = (t for t in threading.enumerate() if t.name == "ormco-trios-redirect")
        assert thread.daemon
        for number in range(10):
            ask(receiver, f"/callback?code={number}")
        receiver.close()
        assert not thread.is_alive()


def test_closing_ends_the_wait_and_frees_the_port() -> None:
    receiver = RedirectReceiver("http://127.0.0.1/callback")
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(errors.NobodyCameBack):
            receiver.wait()
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    receiver.close()
    receiver.close()
    assert ended.wait(10)
    thread.join()
    with RedirectReceiver(receiver.redirect_uri) as again:
        assert again.redirect_uri == receiver.redirect_uri
        with pytest.raises(errors.ConfigurationError, match="taken"):
            RedirectReceiver(again.redirect_uri)


def test_it_listens_on_this_machine_alone(receiver: Any) -> None:
    assert urlsplit(receiver.redirect_uri).hostname == "127.0.0.1"
    with RedirectReceiver("http://localhost/x") as other:
        assert other.redirect_uri.startswith("http://localhost:")
        assert ask(other, f"/x?code={PRIVATE}")[0] == 200


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/callback",
        "https://practice.example/callback",
        "http://practice.example/callback",
        "http://127.0.0.1.evil.example/",
        "http://me@127.0.0.1/",
        "http://127.0.0.1/?x=1",
        "http://0.0.0.0/",
        "",
    ],
)
def test_other_addresses_are_not_received(both: Any, address: str) -> None:
    with Sandbox() as sandbox:
        oauth = clients(both, sandbox).oauth
        with pytest.raises(errors.ConfigurationError, match="paste"):
            oauth.receive_redirect(redirect_uri=address or "https://practice.example/")


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_no_other_program_can_listen_on_the_same_port(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows that takes another option, which is replaced here by one that Linux has."""
    monkeypatch.setattr(sys, "platform", platform)
    stands_in = socket.SO_KEEPALIVE
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", stands_in, raising=False)
    with RedirectReceiver("http://127.0.0.1/callback") as receiver:
        port = urlsplit(receiver.redirect_uri).port
        made: socket.socket = receiver._listener._server.socket
        reused = made.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        exclusive = made.getsockopt(socket.SOL_SOCKET, stands_in)
        assert (bool(reused), bool(exclusive)) == (platform != "win32", platform == "win32")
        with pytest.raises(errors.ConfigurationError, match="port"):
            RedirectReceiver(f"http://127.0.0.1:{port}/callback")
