"""How many requests it takes, and how many of them wait for one another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from tests.conftest import SyncOrAsync
from tests.practices import Hands, clients, signed_in

from ormco_trios import Connected, Progress
from ormco_trios.core.transport import Answer, AsyncTransport, Request, Transport
from ormco_trios.onboarding.checklist import OverallState
from ormco_trios.sandbox import Approval, InProcessGateway, Sandbox

OURS = ("users.", "connections.", "applications.", "cases.", "profile.", "trios.", "session.")


def requests(sandbox: Sandbox) -> list[str]:
    """What the library sent, without what a person's browser did."""
    return [e.operation for e in sandbox.journal if e.operation.startswith((*OURS, "oauth.token"))]


def test_a_whole_run(both: SyncOrAsync) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        clients(both, sandbox).run()
        sent = requests(sandbox)
        assert len(sent) <= 17, sent
        # Each of these is asked at most as often as there is something new to learn.
        assert sent.count("users.me") <= 4
        assert sent.count("profile.get") <= 2
        assert sent.count("profile.update") == 1


def test_a_whole_run_by_hand(both: SyncOrAsync) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = clients(both, sandbox, by_hand=True)
        hands = Hands(sandbox)
        practice.run(person=both.callback(hands.do))
        by_hands = ("session.", "trios.", "profile.")
        sent = [each for each in requests(sandbox) if not each.startswith(by_hands)]
        assert len(sent) <= 9, sent


@dataclass
class Waves:
    """Answers everything that is under way at once, and then what that led to."""

    inner: InProcessGateway
    waiting: list[asyncio.Event] = field(default_factory=list)
    count: int = 0

    def open(self) -> Transport:
        return self.inner.open()

    def open_async(self) -> AsyncTransport:
        return _Waiting(self, self.inner.open_async())

    async def break_while(self, task: asyncio.Task[object]) -> None:
        while not task.done():
            for _ in range(50):  # whatever can go on without an answer does
                await asyncio.sleep(0)
            if self.waiting:
                self.count += 1
                for each in self.waiting:
                    each.set()
                self.waiting.clear()


@dataclass
class _Waiting:
    waves: Waves
    inner: AsyncTransport

    async def send(self, request: Request) -> Answer:
        turn = asyncio.Event()
        self.waves.waiting.append(turn)
        await turn.wait()
        return await self.inner.send(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_check_waits_twice(by_hand: bool) -> None:
    both = SyncOrAsync("async")
    with Sandbox(approval=Approval.immediately()) as sandbox:
        done = signed_in(both, sandbox, by_hand=by_hand)
        hands = Hands(sandbox)
        connected = done.run(person=both.callback(hands.do))
        assert isinstance(connected, Connected)
        progress = Progress.from_json(done.onboarding.progress.to_json())

        waves = Waves(InProcessGateway(sandbox.world))
        practice = clients(both, sandbox, gateway=waves, by_hand=by_hand, progress=progress)
        who = sandbox.practice

        async def counted(begin: object) -> int:
            before = waves.count
            task = asyncio.ensure_future(begin())  # type: ignore[operator]
            await waves.break_while(task)
            await task
            return waves.count - before

        target = practice.onboarding._target
        sign_in = practice.oauth._target.sign_in_with_password
        both.run(counted, lambda: sign_in(who.email, who.password))
        both.run(counted, target.check)
        # Signed in everywhere, as a program that looks now and then is.
        assert both.run(counted, target.check) == 2
        checklists: list[object] = []

        async def keep() -> None:
            checklists.append(await target.check())

        both.run(counted, keep)
        assert checklists[0].state is OverallState.CONNECTED  # type: ignore[attr-defined]
    both.close()
