"""A refresh or an exchange that is cancelled or interrupted: what the server gave is saved."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import pytest
from pydantic import SecretStr
from tests.oauth.scripted import Scripted, reply
from tests.oauth.test_single_flight import Awaited, options

from ormco_trios import (
    AsyncCommunicateClient,
    AsyncOAuthClient,
    Environment,
    MemoryTokenStore,
    OAuthClient,
    Retry,
    Timeout,
    Token,
    errors,
)
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.transport import Answer, AsyncTransport, Request, Transport
from ormco_trios.sandbox import InProcessGateway, Sandbox

TURNS = 5
"""How long an answer takes on its way in each direction, in turns of the event loop."""


class Slow:
    """A sandbox that takes its time; `hold` keeps the answers of the token endpoint."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.inner = InProcessGateway(sandbox.world)
        self.hold: asyncio.Event | None = None
        self.asked = 0

    def open(self) -> Transport:
        raise NotImplementedError

    def open_async(self) -> AsyncTransport:
        return _Slow(self, self.inner.open_async())


class _Slow:
    def __init__(self, gateway: Slow, inner: AsyncTransport) -> None:
        self.gateway, self.inner, self.closed = gateway, inner, False

    async def send(self, request: Request) -> Answer:
        assert not self.closed
        for _ in range(TURNS):
            await asyncio.sleep(0)
        answer = await self.inner.send(request)
        if request.url.endswith("/token"):
            self.gateway.asked += 1
            if self.gateway.hold is not None:
                await self.gateway.hold.wait()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        assert not self.closed
        return answer

    async def aclose(self) -> None:
        self.closed = True


@asynccontextmanager
async def signing_in(
    store: Any = None, *, timeout: Timeout | None = None
) -> AsyncIterator[tuple[Sandbox, Slow, AsyncOAuthClient]]:
    with Sandbox() as sandbox:
        gateway = Slow(sandbox)
        environment = Environment.sandbox(
            sandbox.base_url, gateway=gateway, clock=sandbox.world.clock
        )
        oauth = AsyncOAuthClient(
            environment, **options(sandbox, store or Awaited()), timeout=timeout
        )
        yield sandbox, gateway, oauth


async def exchanged(sandbox: Sandbox, oauth: AsyncOAuthClient) -> Token:
    request = oauth.authorization_request()
    return await oauth.exchange(request.finish(sandbox.authorize(request.url)), request)


async def cancelled_after(turns: int, work: Any) -> bool:
    """Whether ``work`` was still under way after so many turns of the loop."""
    task = asyncio.create_task(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    over = task.done()
    task.cancel()
    before = asyncio.get_running_loop().time()
    await asyncio.gather(task, return_exceptions=True)
    assert asyncio.get_running_loop().time() - before < 1
    if not over:
        assert task.cancelled()
    return not over


# --- asynchronous --------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_refresh_that_is_cancelled_at_every_turn_loses_no_grant() -> None:
    """The server rotates: a token that it gave and nobody kept would be the end of the grant."""
    async with signing_in() as (sandbox, _, oauth):
        token = await exchanged(sandbox, oauth)
        turns = 0
        while await cancelled_after(turns, oauth.refresh(token)):
            turns += 1
            # Whatever has become of it: the grant lives, and the lock is free.
            token = await oauth.refresh((await oauth.token()) or token)
        assert turns > 3 * TURNS
        await oauth.aclose()


@pytest.mark.anyio
async def test_any_call_that_refreshes_may_be_cancelled() -> None:
    turns = 0
    async with signing_in() as (sandbox, _, oauth):
        communicate = AsyncCommunicateClient(oauth.environment, auth=oauth.auth)
        await exchanged(sandbox, oauth)
        turns = 0
        for turns in range(200):
            sandbox.clock.advance(3600)
            under_way = await cancelled_after(turns, communicate.users.me())
            assert (await communicate.users.me()).id
            if not under_way:
                break
        assert 3 * TURNS < turns < 199


@pytest.mark.anyio
async def test_an_exchange_that_is_cancelled_at_every_turn_loses_no_code() -> None:
    turns = 0
    for turns in range(200):
        async with signing_in() as (sandbox, gateway, oauth):
            request = oauth.authorization_request()
            code = request.finish(sandbox.authorize(request.url))
            under_way = await cancelled_after(turns, oauth.exchange(code, request))
            await oauth.aclose()
            token = await oauth.token()
            if turns:
                assert code.spent
                assert token is not None
                assert gateway.asked == 1
        if not under_way:
            break
    assert 2 * TURNS < turns < 199


@pytest.mark.anyio
async def test_the_lock_is_held_until_it_has_ended() -> None:
    store = Awaited()
    async with signing_in(store) as (sandbox, gateway, oauth):
        token = await exchanged(sandbox, oauth)
        gateway.hold = asyncio.Event()
        assert await cancelled_after(30, oauth.refresh(token))
        assert gateway.asked == 2
        assert not await store.try_lock("default")
        gateway.hold.set()
        await oauth.aclose()
        assert await store.try_lock("default")
        assert (await oauth.token()) != token


@pytest.mark.anyio
async def test_closing_waits_and_then_closes() -> None:
    before = asyncio.all_tasks()
    async with signing_in() as (sandbox, gateway, oauth):
        token = await exchanged(sandbox, oauth)
        gateway.hold = asyncio.Event()
        assert await cancelled_after(30, oauth.refresh(token))
        closing = asyncio.create_task(oauth.aclose())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not closing.done()
        gateway.hold.set()
        await closing
        assert (await oauth.token()) != token
        assert asyncio.all_tasks() == before


@pytest.mark.anyio
async def test_a_cancelled_task_group_of_anyio_loses_no_grant() -> None:
    """It cancels again and again, so the block ``async with`` is left with a cancelled `aclose`."""
    before = asyncio.all_tasks()
    for turns in range(40):
        store = Awaited()
        async with signing_in(store) as (sandbox, _, oauth):
            token = await exchanged(sandbox, oauth)
            with anyio.CancelScope() as scope:
                async with oauth:
                    refreshing = asyncio.create_task(oauth.refresh(token))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    refreshing.cancel()
                    scope.cancel()
            await asyncio.gather(*asyncio.all_tasks() - before, return_exceptions=True)
            async with AsyncOAuthClient(oauth.environment, **options(sandbox, store)) as next_one:
                assert (await next_one.refresh((await next_one.token()) or token)).refresh_token


@pytest.mark.anyio
async def test_closing_does_not_wait_for_ever() -> None:
    before = asyncio.all_tasks()
    limit = Timeout(total=0.05)
    async with signing_in(timeout=limit) as (sandbox, gateway, oauth):
        token = await exchanged(sandbox, oauth)
        gateway.hold = asyncio.Event()
        assert await cancelled_after(30, oauth.refresh(token))
        await asyncio.wait_for(oauth.aclose(), 5)
        assert asyncio.all_tasks() == before


@pytest.mark.anyio
async def test_who_still_waits_when_it_is_closed_is_told() -> None:
    async with signing_in(timeout=Timeout(total=0.05)) as (sandbox, gateway, oauth):
        token = await exchanged(sandbox, oauth)
        gateway.hold = asyncio.Event()
        waiting = asyncio.create_task(oauth.refresh(token))
        for _ in range(30):
            await asyncio.sleep(0)
        await oauth.aclose()
        with pytest.raises(errors.CodeOutcomeUnknown, match="closed"):
            await waiting


class Failing(Awaited):
    """Fails to save, when it is to."""

    fails = False

    async def save(self, account: str, token: Token) -> None:
        if self.fails:
            raise OSError("disk full")
        await super().save(account, token)


@pytest.mark.anyio
async def test_what_cannot_be_saved_is_told_to_who_closes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Failing()
    async with signing_in(store) as (sandbox, gateway, oauth):
        token = await exchanged(sandbox, oauth)
        gateway.hold = asyncio.Event()
        store.fails = True
        assert await cancelled_after(30, oauth.refresh(token))
        gateway.hold.set()
        with caplog.at_level(logging.WARNING), pytest.raises(errors.TokenNotSaved) as caught:
            await oauth.aclose()
        assert "TokenNotSaved" in caplog.text
        assert caught.value.token.access_token != token.access_token
        for text in (caplog.text, str(caught.value)):
            assert caught.value.token.access_token.get_secret_value() not in text
        # And the next one, from this process, saves it first.
        store.fails = False
        gateway.hold = None
        assert await oauth.refresh(token) == caught.value.token
        await oauth.aclose()


@pytest.mark.anyio
async def test_in_a_pause_nothing_is_under_way_so_it_ends() -> None:
    before = asyncio.all_tasks()
    clock = _Held()
    server = Scripted(*[errors.NotDelivered("no route")] * 3)
    oauth = AsyncOAuthClient(
        server.environment(clock), client_id="x", redirect_uri="https://a.example/"
    )
    task = asyncio.create_task(oauth.refresh(OLD))
    await clock.paused.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.wait_for(oauth.aclose(), 5)
    assert len(server.requests) == 1
    assert asyncio.all_tasks() == before


class _Held(ManualClock):
    """A clock in whose pauses one stays."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = asyncio.Event()

    async def sleep_async(self, seconds: float) -> None:
        self.paused.set()
        await asyncio.Event().wait()


# --- in threads ----------------------------------------------------------------------------------


class Pressing(Scripted):
    """Ctrl-C is pressed while a request is under way, or while there is a pause."""

    def __init__(self, *answers: Any, times: int = 1) -> None:
        super().__init__(*answers)
        self.times = times

    def answer(self, request: Request) -> Answer:
        for _ in range(self.times):
            os.kill(os.getpid(), signal.SIGINT)
        return super().answer(request)


@contextmanager
def handler(handle: Any) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        after = signal.signal(signal.SIGINT, before)
        assert after is handle, "the handler that was there is there again"


NEW = reply(access_token="new", refresh_token="next", expires_in=3600)
OLD = Token(SecretStr("a"), refresh_token=SecretStr("b"))


def sync_client(server: Scripted, store: Any, clock: ManualClock | None = None) -> OAuthClient:
    return OAuthClient(
        server.environment(clock),
        client_id="x",
        redirect_uri="https://a.example/",
        store=store,
        retry=Retry(initial=5.0),
    )


def test_ctrl_c_waits_until_the_token_is_saved() -> None:
    store = MemoryTokenStore()
    oauth = sync_client(Pressing(NEW), store)
    with handler(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        oauth.refresh(OLD)
    saved = store.load("default")
    assert saved is not None
    assert saved.access_token.get_secret_value() == "new"
    assert store.try_lock("default")


def test_a_second_one_does_not() -> None:
    store = MemoryTokenStore()
    oauth = sync_client(Pressing(NEW, times=2), store)
    with handler(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        oauth.refresh(OLD)
    assert store.load("default") is None
    assert store.try_lock("default")


def test_a_failure_does_not_swallow_it() -> None:
    oauth = sync_client(Pressing(reply(400, error="invalid_grant")), MemoryTokenStore())
    with handler(signal.default_int_handler), pytest.raises(KeyboardInterrupt) as caught:
        oauth.refresh(OLD)
    assert isinstance(caught.value.__context__, errors.GrantRevoked)


def test_no_further_attempt_is_made() -> None:
    server = Pressing(errors.NotDelivered("no route"), NEW)
    with handler(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        sync_client(server, MemoryTokenStore()).refresh(OLD)
    assert len(server.requests) == 1


def test_in_a_pause_it_comes_at_once() -> None:
    class Clock(ManualClock):
        def sleep(self, seconds: float) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            slept.append(seconds)

    slept: list[float] = []
    server = Scripted(errors.NotDelivered("no route"), NEW)
    with handler(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        sync_client(server, MemoryTokenStore(), Clock()).refresh(OLD)
    assert (len(server.requests), slept) == (1, [])


def test_a_handler_of_the_callers_own_is_called_afterwards() -> None:
    seen: list[object] = []
    store = MemoryTokenStore()

    def handle(number: int, _: object) -> None:
        seen.append((number, store.load("default") is not None))

    with handler(handle):
        token = sync_client(Pressing(NEW), store).refresh(OLD)
    assert token.access_token.get_secret_value() == "new"
    assert seen == [(signal.SIGINT, True)]


@pytest.mark.parametrize("handle", [signal.SIG_IGN, signal.default_int_handler])
def test_where_nothing_has_to_be_held_back_nothing_is_changed(handle: Any) -> None:
    seen: list[object] = []

    class Looking(Scripted):
        def answer(self, request: Request) -> Answer:
            seen.append(signal.getsignal(signal.SIGINT))
            return super().answer(request)

    def refresh() -> None:
        sync_client(Looking(NEW), MemoryTokenStore()).refresh(OLD)

    with handler(handle):
        if handle is signal.SIG_IGN:
            refresh()
        else:
            in_thread(refresh)
    assert seen == [handle]


def in_thread(function: Callable[[], None]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
