"""One event for each request: safe to log, or asked for with identifiers; never in the way."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import pytest
from tests.practices import clients

from ormco_trios import AuditEvent, CallEvent, Environment, Retry, errors
from ormco_trios.sandbox import Sandbox


def test_an_event_for_each_request(both: Any) -> None:
    events: list[CallEvent] = []
    with Sandbox() as sandbox:
        sandbox.fault("users.me", status=503)
        sandbox.fault("users.me", network="connect")
        oauth = clients(both, sandbox).oauth
        oauth.sign_in_with_password(sandbox.practice.email, sandbox.practice.password)
        client = both.communicate(
            environment=sandbox.environment,
            auth=oauth.auth,
            retry=Retry(attempts=3),
            on_event=events.append,
        )
        client.users.me()
        with pytest.raises(errors.NotFound):
            client.with_options(retry=Retry.never()).users.get("nobody@clinic.example")
        known = {entry.request_id for entry in sandbox.journal}
    assert [(e.operation, e.attempt, e.status, e.error) for e in events] == [
        ("users.me", 1, 503, None),
        ("users.me", 2, None, "NotDelivered"),
        ("users.me", 3, 200, None),
        ("users.get", 1, 400, None),
    ]
    assert {e.service for e in events} == {"communicate"}
    assert events[3].route == "/api/users/{user}"
    assert events[3].method == "GET"
    assert all(e.duration >= 0 for e in events)
    assert {e.request_id for e in events} - {None} <= known
    assert "nobody" not in repr(events)


def test_identifiers_only_for_who_asks(both: Any) -> None:
    audits: list[AuditEvent] = []
    with Sandbox() as sandbox:
        made = clients(both, sandbox)
        made.oauth.sign_in_with_password(sandbox.practice.email, sandbox.practice.password)
        client = both.communicate(
            environment=sandbox.environment, auth=made.oauth.auth, on_audit=audits.append
        )
        client.users.get(sandbox.practice.lab_email)
    assert [dict(e.identifiers) for e in audits] == [{"user": sandbox.practice.lab_email}]
    assert sandbox.practice.lab_email not in repr(audits) + str(audits)
    assert "identifiers" not in {field.name for field in dataclasses.fields(CallEvent)}


def test_onboarding_takes_them_from_its_clients(both: Any) -> None:
    events: list[CallEvent] = []
    with Sandbox() as sandbox:
        made = clients(both, sandbox)
        options = {"environment": sandbox.environment, "on_event": events.append}
        both.onboarding(
            communicate=both.communicate(auth=made.oauth.auth, **options),
            ormco=both.ormcodigital(
                username=sandbox.practice.portal_username,
                password=sandbox.practice.portal_password,
                **options,
            ),
            oauth=made.oauth,
        ).run(authorize=made.authorize)
        seen = {e.operation for e in events}
        assert {"users.me", "connections.request", "trios.submit_code", "session.create"} <= seen
        assert len(events) == len([e for e in sandbox.journal if e.operation in seen])


@pytest.mark.parametrize("hook", ["on_event", "on_audit"])
def test_a_hook_that_raises_breaks_nothing(
    both: Any, hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: object) -> None:
        raise RuntimeError("s3ntinel")

    with Sandbox() as sandbox, caplog.at_level(logging.WARNING, "ormco_trios"):
        made = clients(both, sandbox)
        made.oauth.sign_in_with_password(sandbox.practice.email, sandbox.practice.password)
        client = both.communicate(
            environment=sandbox.environment, auth=made.oauth.auth, **{hook: broken}
        )
        for _ in range(3):
            assert client.users.me().id
    (record,) = caplog.records
    assert "RuntimeError" in record.getMessage()
    assert "s3ntinel" not in caplog.text


def test_a_hook_is_a_plain_function(both: Any) -> None:
    async def awaited(event: object) -> None: ...

    for hook in ("on_event", "on_audit"):
        with pytest.raises(TypeError, match="plain function"):
            both.communicate(environment=Environment.production(), token="t", **{hook: awaited})


def test_the_log_line_is_the_event(both: Any, caplog: pytest.LogCaptureFixture) -> None:
    with Sandbox() as sandbox, caplog.at_level(logging.DEBUG, "ormco_trios"):
        clients(both, sandbox).oauth.sign_in_with_password(
            sandbox.practice.email, sandbox.practice.password
        )
    (record,) = caplog.records
    assert record.getMessage().startswith("POST /oauth/token: 200 in 0.000 s (attempt 1, request ")
