"""Many threads, many tasks, cancelled anywhere: nothing leaks, nothing is doubled or left open."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.conftest import SyncOrAsync
from tests.practices import clients
from tests.trust.servers import Server

from ormco_trios import AsyncCommunicateClient, CommunicateClient, Environment, Retry, Timeout
from ormco_trios.communicate.operations import ME
from ormco_trios.core.effects import Call
from ormco_trios.core.transport import Answer, AsyncTransport, Request, Transport
from ormco_trios.oauth.stores import MemoryTokenStore
from ormco_trios.sandbox import Approval, InProcessGateway, Sandbox

pytestmark = pytest.mark.socket


def signed_in_token(sandbox: Sandbox) -> str:
    both = SyncOrAsync("sync")
    made = clients(both, sandbox)
    who = sandbox.practice
    token = made.oauth.sign_in_with_password(who.email, who.password)
    both.close()
    return str(token.access_token.get_secret_value())


def test_one_client_many_threads() -> None:
    with (
        Sandbox(server=True) as sandbox,
        ThreadPoolExecutor(16) as threads,
        CommunicateClient(sandbox.environment, token=signed_in_token(sandbox)) as client,
    ):
        ids = {user.id for user in threads.map(lambda _: client.users.me(), range(200))}
    assert ids == {sandbox.practice.user_id}


def test_one_client_many_tasks() -> None:
    async def run(sandbox: Sandbox, token: str) -> set[str]:
        async with AsyncCommunicateClient(sandbox.environment, token=token) as client:
            users = await asyncio.gather(*(client.users.me() for _ in range(200)))
        return {user.id for user in users}

    with Sandbox(server=True) as sandbox:
        assert asyncio.run(run(sandbox, signed_in_token(sandbox))) == {sandbox.practice.user_id}


def test_many_onboardings_of_one_practice_at_once() -> None:
    """The second one finds that it is done: one request, one connection."""
    with Sandbox(approval=Approval.after_polls(0)) as sandbox, ThreadPoolExecutor(8) as threads:
        store = MemoryTokenStore()
        who = sandbox.practice

        def onboard(_: int) -> str:
            both = SyncOrAsync("sync")
            made = clients(both, sandbox, store=store)
            made.oauth.sign_in_with_password(who.email, who.password)
            try:
                return str(made.run().checklist.state.value)
            finally:
                both.close()

        onboard(0)
        assert set(threads.map(onboard, range(16))) == {"connected"}
        assert len(sandbox.world.connections()) == 1


# --- cancellation --------------------------------------------------------------------------------


class Stalling:
    """Lets requests pass until the nth, which comes back when it is let go."""

    def __init__(self, world: Any, nth: int) -> None:
        self.inner = InProcessGateway(world).open_async()
        self.world, self.left = world, nth
        self.reached = asyncio.Event()
        self.let_go = asyncio.Event()

    def open(self) -> Transport:
        raise NotImplementedError

    def open_async(self) -> AsyncTransport:
        return self

    async def send(self, request: Request) -> Answer:
        self.left -= 1
        if self.left == 0:
            self.reached.set()
            await self.let_go.wait()
        return await self.inner.send(request)

    async def aclose(self) -> None:
        return


async def _cancelled_at(nth: int, sandbox: Sandbox) -> bool:
    """Onboard, cancelled at the nth request; whether there was one."""
    gateway = Stalling(sandbox.world, nth)

    class Async(SyncOrAsync):
        """The async mode, on the loop that runs."""

        def __init__(self) -> None:
            super().__init__("sync")

        def get(self, name: str) -> Any:
            import ormco_trios

            return getattr(ormco_trios, f"Async{name}")

        def callback(self, function: Callable[..., Any]) -> Callable[..., Any]:
            async def answered(*args: Any) -> Any:
                return function(*args)

            return answered

    made = clients(Async(), sandbox, gateway=gateway)
    task = asyncio.create_task(made.run())
    waiting = asyncio.create_task(gateway.reached.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        task.result()
        return False
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # No lock is held, no task is left, and it goes on from what is done.
    gateway.left = -1
    gateway.let_go.set()
    await asyncio.wait_for(made.run(), 5)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return True


def test_cancelled_at_every_request() -> None:
    nth = 0
    for nth in range(1, 100):
        with Sandbox(approval=Approval.after_polls(1)) as sandbox:
            if not asyncio.run(_cancelled_at(nth, sandbox)):
                break
            assert len(sandbox.world.connections()) == 1
            assert sandbox.journal.count("connections.request", wrote=True) == 1
    assert nth > 10


def test_a_cancelled_request_gives_its_connection_back() -> None:
    """More cancelled calls than the pool has places, and then one that succeeds."""
    asked = 0

    def speak(connection: Any) -> None:
        nonlocal asked
        asked += 1
        if asked <= 80:
            connection.recv(1)  # until the client goes away
        else:
            body = b'{"Id": "1"}'
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )

    async def run(url: str) -> None:
        environment = Environment.sandbox(url)
        async with AsyncCommunicateClient(
            environment,
            token="t",
            retry=Retry.never(),
            timeout=Timeout(connect=5, read=30, total=30),
        ) as client:
            for _ in range(4):
                tasks = [asyncio.create_task(client.users.me()) for _ in range(20)]
                before = asked
                while asked < before + 20:  # noqa: ASYNC110 - another thread counts
                    await asyncio.sleep(0.001)
                for task in tasks:
                    task.cancel()
                done = await asyncio.gather(*tasks, return_exceptions=True)
                assert {type(result) for result in done} == {asyncio.CancelledError}
            assert (await asyncio.wait_for(client.users.me(), 10)).id == "1"

    with Server(speak) as server:
        asyncio.run(run(server.url))


def test_nothing_is_left_open(both: Any) -> None:
    """Warnings are errors in this suite; those of finalisers have to be looked for."""
    with Sandbox(server=True) as sandbox, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        mode = SyncOrAsync(both.name)
        clients(mode, sandbox).run()
        mode.close()
        del mode
        gc.collect()
    assert [str(w.message) for w in warned] == []


def test_a_flow_that_is_given_up_is_closed(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        made = clients(both, sandbox)
        who = sandbox.practice
        made.oauth.sign_in_with_password(who.email, who.password)
        lab = made.communicate.labs.find(_region())
        watch = made.communicate.connections.watch(made.communicate.connections.request(lab))
        assert next(watch).polls == 1
        watch.close()
        gc.collect()
    assert [str(w.message) for w in seen] == []


def _region() -> Any:
    from ormco_trios import Region

    return Region.EUROPE


def test_who_gets_the_lock_looks_at_the_store_again(both: Any) -> None:
    """Another process may have refreshed between the first look and the lock."""
    with Sandbox() as sandbox:

        class Busy(MemoryTokenStore):
            def try_lock(self, account: str) -> bool:
                if other is not None:
                    self.save(account, other)
                return super().try_lock(account)

        other = None
        made = clients(both, sandbox, store=Busy(), account_dialect=True)
        request = made.oauth.authorization_request()
        made.oauth.exchange(request.finish(sandbox.authorize(request.url)), request)
        sandbox.clock.advance(3600)
        elsewhere = clients(both, sandbox, store=MemoryTokenStore(), account_dialect=True)
        request = elsewhere.oauth.authorization_request()
        other = elsewhere.oauth.exchange(request.finish(sandbox.authorize(request.url)), request)
        sandbox.journal.clear()
        assert made.communicate.users.me().id
        assert sandbox.journal.operations() == ["users.me"]


# --- pickling ------------------------------------------------------------------------------------


def test_a_client_says_why_it_is_not_pickled(both: Any) -> None:
    with Sandbox() as sandbox:
        made = clients(both, sandbox)
        for held in (made.communicate, made.oauth, made.ormco, made.onboarding):
            target = getattr(held, "_target", held)
            for way in (pickle.dumps, copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match="holds connections and secrets"):
                    way(target)
        with pytest.raises(TypeError, match=r"Users cannot be copied or pickled"):
            pickle.dumps(getattr(made.communicate, "_target", made.communicate).users)


def test_a_view_shares_what_it_views(both: Any) -> None:
    with Sandbox() as sandbox:
        client = clients(both, sandbox).communicate
        view = client.with_options(retry=Retry.never())
        assert view.channel.transport is client.channel.transport
        assert view.channel.listeners is client.channel.listeners
        assert view.channel.options.retry == Retry.never()
        assert client.channel.options.retry == Retry()
        assert Call(ME).operation.name == "users.me"
