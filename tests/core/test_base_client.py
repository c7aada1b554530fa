"""Every client passes on what it is given."""

from __future__ import annotations

import inspect
from typing import Any
from unittest.mock import create_autospec

import httpx
import pytest

from ormco_trios import (
    AuditEvent,
    CallEvent,
    CommunicateClient,
    Environment,
    OrmcoDigitalClient,
    Retry,
    Timeout,
    errors,
)
from ormco_trios.core.clock import ManualClock

KINDS: dict[str, tuple[dict[str, Any], Any]] = {
    "CommunicateClient": ({"token": "t"}, lambda client: client.users.me()),
    "OrmcoDigitalClient": ({"token": "t"}, lambda client: client.trios.status()),
    "OAuthClient": (
        {"client_id": "id", "redirect_uri": "https://practice.example/back"},
        lambda client: client.sign_in_with_password("who@clinic.example", "p"),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_passed_on(both: Any, kind: str) -> None:
    needed, use = KINDS[kind]
    reached: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        reached.append(request)
        return httpx.Response(404)

    environment = Environment.sandbox("http://127.0.0.1:9")
    clock, retry = ManualClock(), Retry(attempts=1)
    timeout = Timeout(connect=1.0, read=2.0, total=3.0)
    events: list[CallEvent] = []
    audited: list[AuditEvent] = []
    transport = httpx.MockTransport(answer)
    http: Any = (httpx.AsyncClient if both.is_async else httpx.Client)(transport=transport)
    client = both.make(
        kind,
        environment,
        **needed,
        timeout=timeout,
        retry=retry,
        clock=clock,
        on_event=events.append,
        on_audit=audited.append,
        http_client=http,
    )
    assert client.environment is environment
    assert client.channel.clock is clock
    assert client.channel.options.timeout is timeout
    assert client.channel.options.retry is retry
    with pytest.raises(errors.OrmcoTriosError):
        use(client)
    (request,) = reached
    sent = request.extensions["timeout"]
    assert (sent["connect"], sent["read"]) == (1.0, 2.0)
    assert [event.status for event in events] == [404]
    assert [event.status for event in audited] == [404]
    both.run(http.aclose if both.is_async else http.close)


@pytest.mark.parametrize("kind", KINDS)
def test_the_clock_is_the_environments_unless_another_is_given(both: Any, kind: str) -> None:
    clock = ManualClock()
    environment = Environment.sandbox("http://127.0.0.1:9", clock=clock)
    assert both.make(kind, environment, **KINDS[kind][0]).channel.clock is clock


@pytest.mark.parametrize(
    ("client", "namespaces"),
    [
        (CommunicateClient, "applications cases connections labs users"),
        (OrmcoDigitalClient, "profile submission_method trios"),
    ],
)
def test_the_namespaces_are_part_of_the_class(client: type, namespaces: str) -> None:
    """So mocks made from the class have them, and ``help`` says what each is for."""
    double = create_autospec(client)
    for name in namespaces.split():
        assert hasattr(double, name)
        assert inspect.getdoc(getattr(client, name))
