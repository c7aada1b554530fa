"""One scenario, the guide from end to end, through every adapter; and how each adapter fails."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote, urlencode

import httpx
import pytest

from ormco_trios.core.environment import Environment
from ormco_trios.core.errors import NotDelivered, OutcomeUnknown, UntrustedHost
from ormco_trios.core.transport import Answer, Request, Timeout
from ormco_trios.sandbox import InProcessGateway, Sandbox
from ormco_trios.sandbox.serve._httpx import AsyncSandboxTransport, SandboxTransport
from ormco_trios.sandbox.serve.asgi import SandboxApp
from ormco_trios.sandbox.serve.server import SandboxServer
from ormco_trios.testing import respx_router

Send = Callable[..., Answer]


def request(method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes) -> Request:
    return Request(method, url, headers, body, Timeout())


def of_httpx(response: httpx.Response) -> Answer:
    return Answer(response.status_code, dict(response.headers), response.content)


@contextmanager
def core_sync() -> Iterator[tuple[Sandbox, Send]]:
    with Sandbox() as sandbox:
        gateway = sandbox.environment.gateway
        assert gateway is not None
        transport = gateway.open()
        yield sandbox, lambda *parts: transport.send(request(*parts))
        transport.close()


@contextmanager
def core_async() -> Iterator[tuple[Sandbox, Send]]:
    with Sandbox() as sandbox, asyncio.Runner() as runner:
        transport = InProcessGateway(sandbox.world).open_async()
        yield (
            sandbox,
            lambda *parts: runner.run(transport.send(request(*parts))),
        )
        runner.run(transport.aclose())


@contextmanager
def httpx_sync() -> Iterator[tuple[Sandbox, Send]]:
    with Sandbox() as sandbox, httpx.Client(transport=SandboxTransport(sandbox.world)) as client:
        yield (
            sandbox,
            lambda method, url, headers, body: of_httpx(
                client.request(method, url, headers=headers, content=body)
            ),
        )


@contextmanager
def over_async(sandbox: Sandbox, transport: httpx.AsyncBaseTransport) -> Iterator[Any]:
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(transport=transport)
        yield (
            sandbox,
            lambda method, url, headers, body: of_httpx(
                runner.run(client.request(method, url, headers=headers, content=body))
            ),
        )
        runner.run(client.aclose())


@contextmanager
def httpx_async() -> Iterator[tuple[Sandbox, Send]]:
    with Sandbox() as sandbox, over_async(sandbox, AsyncSandboxTransport(sandbox.world)) as both:
        yield both


@contextmanager
def asgi() -> Iterator[tuple[Sandbox, Send]]:
    with Sandbox() as sandbox:
        transport = httpx.ASGITransport(app=SandboxApp(sandbox.world))
        with over_async(sandbox, transport) as both:
            yield both


@contextmanager
def server() -> Iterator[tuple[Sandbox, Send]]:
    with Sandbox(server=True) as sandbox, httpx.Client(trust_env=False) as client:
        yield (
            sandbox,
            lambda method, url, headers, body: of_httpx(
                client.request(method, url, headers=headers, content=body)
            ),
        )


@contextmanager
def over_respx() -> Iterator[tuple[Sandbox, Send]]:
    """At the live addresses, with httpx as it is."""
    live = Environment.production(portal_api="https://api.ormcodigital.example")
    sandbox = Sandbox(posing_as=live)
    with respx_router(sandbox.world), httpx.Client(trust_env=False) as client:
        yield (
            sandbox,
            lambda method, url, headers, body: of_httpx(
                client.request(method, url, headers=headers, content=body)
            ),
        )


ADAPTERS = [
    core_sync,
    core_async,
    httpx_sync,
    httpx_async,
    over_respx,
    asgi,
    pytest.param(server, marks=pytest.mark.socket),
]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_guide_from_end_to_end(adapter) -> None:
    with adapter() as (sandbox, send):
        practice, environment = sandbox.practice, sandbox.environment

        def ask(method: str, url: str, token: str = "", *, status: int = 200, **more: Any) -> Any:
            headers = [("authorization", f"Bearer {token}")] if token else []
            headers += more.get("headers", [])
            body = b""
            if "json" in more:
                headers.append(("content-type", "application/json"))
                body = json.dumps(more["json"]).encode()
            if "form" in more:
                headers.append(("content-type", "application/x-www-form-urlencoded"))
                body = urlencode(more["form"]).encode()
            answer = send(method, url, tuple(headers), body)
            assert answer.status == status, answer.headers.get("x-sandbox-explain")
            assert answer.headers["x-request-id"]
            value = json.loads(answer.body) if answer.body else None
            return (value, answer.headers["etag"]) if "etag" in answer.headers else value

        # Communicate: sign in, find the lab, ask, wait until it is active.
        users = f"{environment.communicate}/api/users"
        token = ask(
            "POST",
            f"{environment.auth_classic}/oauth/token",
            form={
                "grant_type": "password",
                "username": practice.email,
                "password": practice.password,
                "client_id": sandbox.client_id,
                "client_secret": sandbox.client_secret,
            },
        )["access_token"]
        me = ask("GET", f"{users}/me", token)
        lab = ask("GET", f"{users}/{quote(practice.lab_email)}", token)
        assert lab["Email"].casefold() == practice.lab_email
        ask("POST", f"{users}/{me['Id']}/requestconnection/{lab['Id']}", token)
        seen = [
            ask("GET", f"{users}/me", token)["Connections"][0]["ConnectionAccepted"]
            for _ in range(3)
        ]
        assert seen == [False, False, True]

        # The portal: sign in, submission method, link, consent, code, Update.
        portal = f"{environment.ormcodigital}/api"
        session = ask(
            "POST",
            f"{portal}/session",
            json={"username": practice.portal_username, "password": practice.portal_password},
        )["token"]
        profile, etag = ask("GET", f"{portal}/profile", session)
        profile["submission_method"] = {"source": "IntraoralScanner", "scanner": "3Shape Trios"}
        profile, etag = ask(
            "PUT", f"{portal}/profile", session, json=profile, headers=[("if-match", etag)]
        )
        trios = f"{portal}/integrations/3shape"
        url = ask("POST", f"{trios}/authorization", session)["authorization_url"]
        address = sandbox.authorize(url)
        # The guide's hand-edit: what is before the code goes, and so does "25".
        pasted = address.removeprefix(f"{sandbox.world.landing_address}?code=").replace(
            "%2521", "%21"
        )
        assert unquote(pasted)[4:].startswith("!IAAAA")
        ask("POST", f"{trios}/code", session, json={"code": pasted}, status=202)
        assert ask("GET", trios, session)["state"] == "draft"
        ask("PUT", f"{portal}/profile", session, json=profile, headers=[("if-match", etag)])
        assert ask("GET", trios, session)["state"] == "connected"
        assert sandbox.journal.count(ok=False) == 0
        assert sandbox.journal.count("connections.request", ok=True) == 1


# --- failing --------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", [core_sync, core_async])
@pytest.mark.parametrize(
    ("network", "error"),
    [("connect", NotDelivered), ("reset", OutcomeUnknown), ("read_timeout", OutcomeUnknown)],
)
def test_network_faults_in_process(adapter, network, error) -> None:
    with adapter() as (sandbox, send):
        sandbox.fault("users.me", network=network)
        with pytest.raises(error):
            send("GET", f"{sandbox.environment.communicate}/api/users/me", (), b"")


@pytest.mark.parametrize("adapter", [httpx_sync, httpx_async])
@pytest.mark.parametrize(
    ("network", "error"),
    [
        ("connect", httpx.ConnectError),
        ("reset", httpx.ReadError),
        ("read_timeout", httpx.ReadTimeout),
    ],
)
def test_network_faults_with_httpx(adapter, network, error) -> None:
    with adapter() as (sandbox, send):
        sandbox.fault("users.me", network=network)
        with pytest.raises(error):
            send("GET", f"{sandbox.environment.communicate}/api/users/me", (), b"")


@pytest.mark.parametrize("adapter", [core_sync, httpx_sync])
@pytest.mark.parametrize(
    "url",
    [
        "https://users.3shapecommunicate.com/api/users/me",
        "http://sandbox.example/communicate/api/users/me",
        "https://sandbox.example:444/communicate/api/users/me",
        "https://sandbox.example.com/communicate/api/users/me",
    ],
)
def test_any_other_host_fails_closed(adapter, url) -> None:
    with adapter() as (sandbox, send):
        with pytest.raises(UntrustedHost):
            send("GET", url, (), b"")
        assert len(sandbox.journal) == 0


# --- the server -----------------------------------------------------------------------------


@pytest.mark.socket
def test_the_host_header_is_checked() -> None:
    with Sandbox(server=True) as sandbox, httpx.Client(trust_env=False) as client:
        url = f"{sandbox.base_url}/sandbox/state"
        assert client.get(url).status_code == 200
        reply = client.get(url, headers={"host": "rebound.example"})
        assert reply.status_code == 421
        assert "Host" in reply.headers["x-sandbox-explain"]


@pytest.mark.socket
def test_large_bodies_are_not_read() -> None:
    with Sandbox(server=True) as sandbox, httpx.Client(trust_env=False) as client:
        reply = client.post(f"{sandbox.base_url}/sandbox/reset", content=b" " * (1 << 20 | 1))
        assert reply.status_code == 413


@pytest.mark.socket
def test_starting_and_stopping_is_quick_and_complete() -> None:
    sandbox = Sandbox(server=True)
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.base_url
    start = time.perf_counter()
    with sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
        # Neither a connection that is kept alive nor one that hangs holds it up.
        idle = socket.create_connection(("127.0.0.1", port))
        hanging = socket.create_connection(("127.0.0.1", port))
        sandbox.fault(network="read_timeout")
        hanging.sendall(f"GET /ormco/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        while not len(sandbox.journal):
            pass
    sandbox.close()
    assert time.perf_counter() - start < 1
    idle.close()
    hanging.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.socket
def test_a_port_can_be_chosen_and_is_used_once() -> None:
    with Sandbox(server=True) as first:
        port = int(first.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), Sandbox(server=True, port=port):
            pass
    with Sandbox(server=True, port=port) as second:
        assert second.base_url == f"http://127.0.0.1:{port}"


def test_only_the_loopback_address_is_served() -> None:
    with pytest.raises(ValueError, match="loopback"):
        SandboxServer(Sandbox().world, host="0.0.0.0")


def test_importing_the_sandbox_is_light() -> None:
    code = (
        "import sys, ormco_trios.sandbox; "
        "print([m for m in ('uvicorn', 'httpx', 'jinja2', 'starlette', 'ormco_trios.oauth', "
        "'ormco_trios.communicate', 'ormco_trios.ormcodigital') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
