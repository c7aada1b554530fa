"""A portal's address behind which there is anything at all, over real sockets."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import replace
from typing import Any

import pytest
from tests.trust.servers import Server, Speak

from ormco_trios import Retry, StepName, StepState, Timeout, errors
from ormco_trios.sandbox import Approval, Sandbox


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def silence(connection: socket.socket) -> None:
    connection.recv(1)


def saying(text: bytes) -> Speak:
    return lambda connection: connection.sendall(text)


BEHIND: dict[str, Speak] = {
    "a reset": reset,
    "silence": silence,
    "nothing": saying(b""),
    "no HTTP": saying(b"220 mail.praxis.example ESMTP ready\r\n"),
    "half of an answer": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "a page": saying(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<h1>Portal</h1>"
    ),
    "a page for 401": saying(
        b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="Portal"\r\n'
        b"Content-Length: 0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("name", BEHIND)
def test_communicates_half_goes_on_and_no_password_leaves(both: Any, name: str) -> None:
    with (
        Sandbox(server=True, approval=Approval.immediately()) as sandbox,
        Server(BEHIND[name]) as behind,
    ):
        environment = replace(sandbox.environment, ormcodigital=behind.url)
        oauth = both.oauth(
            environment=environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
        )
        communicate = both.communicate(environment=environment, auth=oauth.auth)
        ormco = both.ormcodigital(
            environment=environment,
            username=sandbox.practice.portal_username,
            password=sandbox.practice.portal_password,
            timeout=Timeout(read=0.2),
            retry=Retry.never(),
        )
        onboarding = both.onboarding(communicate=communicate, ormco=ormco, oauth=oauth)
        oauth.sign_in_with_password(sandbox.practice.email, sandbox.practice.password)

        began = time.perf_counter()
        checklist = onboarding.check()
        assert checklist[StepName.SIGN_IN].state is StepState.DONE
        assert checklist[StepName.PORTAL_SIGN_IN].state is StepState.UNKNOWN
        with pytest.raises((errors.PortalDiffers, errors.OutcomeUnknown)):
            onboarding.advance()
        (connection,) = sandbox.world.connections()
        assert connection.accepted
        assert not onboarding.doctor().healthy
        assert [place.state.value for place in onboarding.disconnect().places] == [
            "was not there",
            "failed",
            "removed",
        ]
        assert time.perf_counter() - began < 5
        assert behind.heads
        assert not any(head.startswith(b"POST") for head in behind.heads)
        for client in (ormco, communicate, oauth):
            client.close()
