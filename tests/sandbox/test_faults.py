"""Every kind of fault, as the raw client and as the library sees it; on the socket as well."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.practices import signed_in

from ormco_trios import Retry, Timeout, errors
from ormco_trios.sandbox import Approval, Fault, Sandbox

ME = "/communicate/api/users/me"
ONCE = Retry(attempts=1)
QUICK = Timeout(connect=1, read=0.2, total=1)


# --- on the socket --------------------------------------------------------------------------


@pytest.fixture
def served() -> Iterator[tuple[Sandbox, httpx.Client]]:
    with Sandbox(server=True) as sandbox, httpx.Client(trust_env=False, timeout=2) as client:
        yield sandbox, client


@pytest.mark.socket
@pytest.mark.parametrize(
    ("network", "error", "text"),
    [
        ("reset", httpx.ReadError, "reset"),
        ("close", httpx.RemoteProtocolError, "without sending a response"),
        ("truncate", httpx.RemoteProtocolError, "complete message body"),
        ("read_timeout", httpx.ReadTimeout, "timed out"),
        ("slow_body", httpx.ReadTimeout, "timed out"),
    ],
)
def test_the_connection_really_breaks(served, network, error, text) -> None:
    sandbox, client = served
    url = f"{sandbox.base_url}{ME}"
    sandbox.fault("users.me", network=network)
    with pytest.raises(error, match=text):
        client.get(url, timeout=0.2 if error is httpx.ReadTimeout else 2)
    assert sandbox.journal[-1].broken == network
    assert client.get(url).status_code == 401


@pytest.mark.socket
def test_a_truncated_answer_promises_more_than_it_sends(served) -> None:
    sandbox, _ = served
    port = int(sandbox.base_url.rpartition(":")[2])
    sandbox.fault("users.me", network="truncate")
    with socket.create_connection(("127.0.0.1", port), timeout=2) as raw:
        raw.sendall(f"GET {ME} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        received = b""
        while piece := raw.recv(4096):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    promised = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    assert 0 < len(body) < promised


@pytest.mark.socket
@pytest.mark.parametrize("network", ["reset", "close", "truncate", "read_timeout", "slow_body"])
def test_the_library_says_that_the_outcome_is_unknown(both, served, network) -> None:
    sandbox, _ = served
    made = signed_in(both, sandbox)
    me = made.communicate.with_options(retry=ONCE, timeout=QUICK).users.me
    sandbox.fault("users.me", network=network)
    with pytest.raises(errors.OutcomeUnknown):
        me()
    assert me().email == sandbox.practice.email


# --- in process -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 503}, errors.ServerError),
        ({"status": 429, "retry_after": 3600}, errors.RateLimited),
        ({"network": "connect"}, errors.NotDelivered),
        ({"network": "reset"}, errors.OutcomeUnknown),
        ({"network": "close"}, errors.OutcomeUnknown),
        ({"network": "truncate"}, errors.OutcomeUnknown),
        ({"network": "slow_body"}, errors.OutcomeUnknown),
        ({"network": "read_timeout"}, errors.OutcomeUnknown),
        ({"mangle": "html"}, errors.UnexpectedAnswer),
        ({"mangle": "not_json"}, errors.UnexpectedAnswer),
        ({"mangle": "wrong_types"}, errors.UnexpectedAnswer),
        ({"mangle": "missing_fields"}, errors.UnexpectedAnswer),
    ],
)
def test_each_kind_is_the_right_error(both, fault, error) -> None:
    sandbox = Sandbox()
    made = signed_in(both, sandbox)
    sandbox.fault("users.me", **fault)
    with pytest.raises(error):
        made.communicate.with_options(retry=ONCE).users.me()
    assert not sandbox.world.faults.unused()


def test_extra_fields_do_no_harm(both) -> None:
    sandbox = Sandbox()
    made = signed_in(both, sandbox)
    sandbox.fault("users.me", mangle="extra_fields")
    assert made.communicate.users.me().email == sandbox.practice.email


def test_what_is_mangled_was_carried_out(call) -> None:
    token = call.token()
    call.sandbox.fault("connections.request", mangle="html")
    reply = call.connect(token)
    assert reply.status == 200
    assert reply.text.startswith("<!doctype html>")
    assert len(call.world.connections()) == 1


def test_a_rate_hits_the_same_requests_for_the_same_seed(make) -> None:
    def hits(seed: int) -> list[int]:
        call = make()
        call.sandbox.fault("users.me", status=500, rate=0.4, seed=seed, times=None)
        return [call.get(ME).status for _ in range(50)]

    assert hits(1) == hits(1) != hits(2)
    assert 8 < hits(1).count(500) < 32


# --- how a fault is asked for ---------------------------------------------------------------


def test_by_request_header(call) -> None:
    def ask(fault: str) -> Any:
        return call.get(ME, headers={"X-Sandbox-Fault": fault})

    reply = ask("status=429, retry_after=7")
    assert reply.status == 429
    assert reply.header("retry-after") == "7"
    assert ask("network=reset").broken == "reset"
    assert call.get(ME).status == 401
    wrong = ask("status=lots")
    assert wrong.status == 400
    assert "status is a status code" in wrong.header("x-sandbox-explain")


def test_by_magic_address(both, call) -> None:
    token = call.token()
    assert call.user(token, "status-502@magic.example").status == 502
    assert call.user(token, "hang@magic.example").broken == "read_timeout"
    assert call.user(token, "nobody@magic.example").status == 400
    made = signed_in(both, call.sandbox)
    with pytest.raises(errors.OutcomeUnknown):
        made.communicate.with_options(retry=ONCE).users.get("reset@magic.example")
    body = {"username": "status-503@magic.example", "password": "x"}
    assert call.post("/ormcodigital/api/session", body=body).status == 503


@pytest.mark.parametrize(
    ("name", "shown"),
    [("approved", [True]), ("held", [False]), ("removed", [False])],
)
def test_magic_practices(call, name, shown) -> None:
    who = call.sandbox.practice_with(f"{name}@magic.example")
    token = call.token(who.email)
    call.connect(token, who.lab_email)
    rows = call.me(token)["Connections"]
    assert [bool(row["ConnectionAccepted"]) for row in rows] == shown
    call.sandbox.clock.advance(7200)
    token = call.token(who.email)
    assert len(call.me(token)["Connections"]) == (0 if name == "removed" else 1)


@pytest.mark.parametrize(
    "text",
    [
        "users.me:status=503,retry_after=2,times=3",
        "network=truncate",
        "profile.get:mangle=wrong_types,rate=0.5,seed=4,times=always",
    ],
)
def test_a_fault_in_words(text) -> None:
    fault = Fault.parse(text)
    operation, _, rest = text.rpartition(":")
    described = f"{operation or 'any operation'}: {rest}"
    for pair in rest.replace("always", "None").split(","):
        assert pair in fault.describe(), described


@pytest.mark.parametrize(
    "text",
    ["", "users.me", "status", "status=99", "network=gone", "colour=red", "rate=0,status=500",
     "status=500,mangle=html", "network=reset,mangle=html",
     "status=429,when=after", "network=connect,when=after"],
)  # fmt: skip
def test_nonsense_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fault.parse(text)


def test_a_day_passes_in_no_time(both) -> None:
    sandbox = Sandbox(approval=Approval.after(23 * 3600))
    before = sandbox.clock.time()
    made = signed_in(both, sandbox)
    made.run()
    assert sandbox.clock.time() - before >= 23 * 3600
