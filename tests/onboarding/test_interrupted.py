"""Interrupted anywhere and run again: it finishes, with one connection request in all."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

import pytest
from tests.practices import clients

from ormco_trios import errors
from ormco_trios.core.transport import Answer, AsyncTransport, Request, Transport
from ormco_trios.sandbox import Approval, InProcessGateway, Sandbox

When = Literal["before", "after"]

ASKED_WITHOUT_SIGN_IN = "There is no portal session in the Authorization header."


class Interrupted(BaseException):
    """Plays Ctrl-C, a cancelled task, or a process that ends."""


class InterruptingGateway:
    """Lets requests pass until the nth, which is interrupted before or after it has its effect."""

    def __init__(self, inner: InProcessGateway, nth: int, when: When) -> None:
        self.left = nth
        self.when = when
        self.inner = inner

    def open(self) -> Transport:
        return Interrupting(self, self.inner.open())

    def open_async(self) -> AsyncTransport:
        return AsyncInterrupting(self, self.inner.open_async())

    def strike(self, when: When) -> None:
        if when == "before":
            self.left -= 1
        if self.left == 0 and self.when == when:
            self.left = -1
            raise Interrupted


class Interrupting:
    def __init__(self, gateway: InterruptingGateway, inner: Transport) -> None:
        self.gateway, self.inner = gateway, inner

    def send(self, request: Request) -> Answer:
        self.gateway.strike("before")
        answer = self.inner.send(request)
        self.gateway.strike("after")
        return answer

    def close(self) -> None:
        self.inner.close()


class AsyncInterrupting:
    def __init__(self, gateway: InterruptingGateway, inner: AsyncTransport) -> None:
        self.gateway, self.inner = gateway, inner

    async def send(self, request: Request) -> Answer:
        self.gateway.strike("before")
        answer = await self.inner.send(request)
        self.gateway.strike("after")
        return answer

    async def aclose(self) -> None:
        await self.inner.aclose()


def interrupted_run(both: Any, nth: int, when: When) -> tuple[bool, Sandbox]:
    """Run, interrupted at the nth request, and then again with nothing remembered."""
    sandbox = Sandbox(approval=Approval.after(3600))
    gateway = InterruptingGateway(InProcessGateway(sandbox.world), nth, when)
    interrupted = False
    try:
        clients(both, sandbox, gateway=gateway).run()
    except Interrupted:
        interrupted = True
    connected = clients(both, sandbox).run()
    assert connected.checklist.state.value == "connected"
    return interrupted, sandbox


@pytest.mark.parametrize("when", ["before", "after"])
def test_every_request_can_be_the_last(both: Any, when: When) -> None:
    requests = 0
    for nth in range(1, 200):
        interrupted, sandbox = interrupted_run(both, nth, when)
        if not interrupted:
            break
        requests += 1
        journal = sandbox.journal
        assert journal.count("connections.request") == 1, f"{when} request {nth}"
        assert len(sandbox.world.connections()) == 1
        # The portal is asked without a sign-in first, and refuses that in its own words.
        refused = [
            e.operation for e in journal if e.status >= 400 and e.explain != ASKED_WITHOUT_SIGN_IN
        ]
        # Nothing was sent that the services had to turn down, but for a draft that was saved
        # already when the interruption came.
        assert not refused, f"{when} request {nth}: {refused}"
    assert requests >= 16


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "operation",
    [
        "users.me",
        "users.get",
        "connections.request",
        "session.create",
        "profile.get",
        "profile.update",
        "trios.authorization",
        "trios.submit_code",
        "trios.status",
        "oauth.token",
    ],
)
def test_an_answer_that_is_lost_doubles_nothing(both: Any, operation: str, when: When) -> None:
    with Sandbox() as sandbox:
        fault = sandbox.fault(operation, network="reset", when=when)
        for _ in range(3):
            with contextlib.suppress(errors.OrmcoTriosError):
                clients(both, sandbox).run()
                break
        assert fault not in sandbox.world.faults.unused()
        assert clients(both, sandbox).run().checklist.state.value == "connected"
        assert len(sandbox.world.connections()) == 1
        assert sandbox.journal.count("connections.request", wrote=True) == 1
