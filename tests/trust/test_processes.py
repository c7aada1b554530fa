"""Forked processes, other event loops, interrupted threads: each has connections of its own."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import selectors
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

import httpx
import pytest

from ormco_trios import (
    AsyncCommunicateClient,
    CommunicateClient,
    Environment,
    FileTokenStore,
    MemoryTokenStore,
    Timeout,
    TokenBucket,
    errors,
)
from ormco_trios.core._http import pool as pools
from ormco_trios.core._http.pool import AsyncHttpxPool, AsyncHttpxPools, HttpxPool
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.transport import Request

pytestmark = pytest.mark.socket

LIMITS = Timeout(connect=5, read=5, total=5)


class _Echo(BaseHTTPRequestHandler):
    """Answers a question for a user with that user, and keeps the connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Counting)
        id = self.path.rpartition("/")[2]
        server.asked.append((id, self.client_address))
        body = b'{"Id": "%s"}' % id.encode()
        # In two pieces: a process that reads what is another's is likely to get a part of it.
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        self.wfile.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


class Counting(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.asked: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def over(self, ids: Sequence[str]) -> set[Any]:
        """The connections that these were asked for over."""
        return {address for id, address in list(self.asked) if id in ids}


@pytest.fixture
def server() -> Iterator[Counting]:
    running = Counting()
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


class Child:
    """A process that is forked from this one, and calls ``function`` once it may."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._told, telling = os.pipe()
        waiting, self._go = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of forking with threads, which is what is tried here.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._id = os.fork()
        if self._id == 0:
            select.select([waiting], [], [], 30)  # and not for ever, should the parent be gone
            try:
                said = str(function())
            except BaseException as error:  # noqa: BLE001 - the parent looks at it
                said = f"{type(error).__name__}: {error}"
            os.write(telling, said.encode())
            os._exit(0)
        os.close(telling)
        os.close(waiting)

    def go(self) -> None:
        os.write(self._go, b"x")  # others that are forked later have this end as well
        os.close(self._go)

    def said(self) -> str:
        """What the function returned or raised, as text."""
        with os.fdopen(self._told) as pipe:
            text = pipe.read()
        os.waitpid(self._id, 0)
        return text


def in_child(function: Callable[[], object]) -> str:
    """What ``function`` returns, or raises, in a process that is forked from this one."""
    child = Child(function)
    child.go()
    return child.said()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")

IDS = [str(UUID(int=number)) for number in range(1, 41)]


# --- forked --------------------------------------------------------------------------------------


@needs_fork
def test_children_and_parent_each_get_their_own_answers(server: Counting) -> None:
    """gunicorn --preload, multiprocessing: the client is used, and then there are more of it."""
    client = CommunicateClient(Environment.sandbox(server.url), token="t", timeout=LIMITS)
    with client:
        client.users.get(IDS[0])
        parts = [IDS[n::5] for n in range(5)]

        def wrong(ids: list[str]) -> int:
            return sum(client.users.get(id).id != id for id in ids * 4)

        children = [Child(partial(wrong, ids)) for ids in parts[1:]]
        for child in children:
            child.go()
        assert wrong(parts[0]) == 0
        assert [child.said() for child in children] == ["0"] * 4
    used = [server.over(ids) for ids in parts]
    assert sum(map(len, used)) == len(set.union(*used)), "two processes shared a connection"


@needs_fork
def test_children_of_an_asynchronous_parent(server: Counting) -> None:
    """The event loop of the parent may be the child's as well, if it does not run."""
    client = AsyncCommunicateClient(Environment.sandbox(server.url), token="t", timeout=LIMITS)
    # Linux' usual selector is shared with the parent, and so no loop of a child's.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    before, after, again, own, inherited = (IDS[n::5] for n in range(5))

    async def wrong(ids: list[str]) -> int:
        users = await asyncio.gather(*(client.users.get(id) for id in ids))
        return sum(user.id != id for user, id in zip(users, ids, strict=True))

    assert loop.run_until_complete(wrong(before)) == 0
    assert in_child(lambda: asyncio.run(wrong(own))) == "0"
    assert in_child(lambda: loop.run_until_complete(wrong(inherited))) == "0"
    assert loop.run_until_complete(wrong(after)) == 0
    assert loop.run_until_complete(wrong(again)) == 0
    parents = server.over(before)
    assert server.over(after) == server.over(again) == parents, "they were closed"
    assert not parents & server.over([*own, *inherited]), "two processes shared a connection"
    loop.run_until_complete(client.aclose())
    loop.close()


@needs_fork
def test_a_child_does_not_wait_for_threads_that_it_does_not_have(server: Counting) -> None:
    """32 threads were in the middle of a call when the process was forked."""
    pool = HttpxPool()
    for _ in range(32):
        pool._free.get()
    request = Request("GET", f"{server.url}/1", (), b"", Timeout(connect=0.2, read=5, total=5))
    with pytest.raises(errors.NotDelivered, match="No connection became free"):
        pool.send(request)
    assert in_child(lambda: pool.send(request).status) == "200"


@needs_fork
def test_a_child_does_not_wait_for_a_client_that_was_being_made(server: Counting) -> None:
    pool = HttpxPool()
    request = Request("GET", f"{server.url}/1", (), b"", LIMITS)

    def send() -> int:
        signal.alarm(10)  # which ends it
        return pool.send(request).status

    with pools._beginning[0]:
        assert in_child(send) == "200"


@needs_fork
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_child_may_lock_what_a_thread_of_its_parent_had_locked(kind: str, tmp_path: Path) -> None:
    store = MemoryTokenStore() if kind == "memory" else FileTokenStore(tmp_path)
    assert store.try_lock("other")
    with store._guard:
        assert in_child(lambda: store.try_lock("mine")) == "True"
    # Of a file, what the parent holds stays locked, and only the parent gives it back.
    assert in_child(lambda: store.try_lock("other")) == str(kind == "memory")
    assert in_child(lambda: FileTokenStore(tmp_path).try_lock("other")) == str(kind == "memory")
    store.unlock("other")
    assert in_child(lambda: store.try_lock("other")) == "True"


@needs_fork
def test_a_child_takes_turns_that_a_thread_of_its_parent_was_taking() -> None:
    bucket = TokenBucket(10.0)
    with bucket._lock:
        assert in_child(lambda: bucket.reserve("host", ManualClock())) == "0.0"


@needs_fork
@pytest.mark.parametrize("used", [True, False])
def test_a_client_of_the_callers(server: Counting, used: bool) -> None:
    with httpx.Client() as own:
        client = CommunicateClient(
            Environment.sandbox(server.url), token="t", http_client=own, timeout=LIMITS
        )
        if used:
            client.users.get(IDS[0])
        said = in_child(lambda: client.users.get(IDS[1]).id == IDS[1])
    if used:
        assert said.startswith("ConfigurationError: Make an httpx client")
        assert "another process" in said
    else:
        assert said == "True"


# --- another event loop --------------------------------------------------------------------------


def test_one_loop_after_another(server: Counting) -> None:
    client = AsyncCommunicateClient(Environment.sandbox(server.url), token="t", timeout=LIMITS)

    async def use(id: str) -> str:
        async with client:
            users = await asyncio.gather(*(client.users.get(id) for _ in range(40)))
        return str({user.id for user in users})

    for id in IDS[:5]:
        assert asyncio.run(use(id)) == str({id})


def test_several_loops_at_once(server: Counting) -> None:
    client = AsyncCommunicateClient(Environment.sandbox(server.url), token="t", timeout=LIMITS)

    async def use(id: str) -> set[str]:
        users = await asyncio.gather(*(client.users.get(id) for _ in range(10)))
        await client.aclose()
        return {user.id for user in users}

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda id: asyncio.run(use(id)), IDS))
    assert found == [{id} for id in IDS]


def test_another_thread_forgets_ended_loops_at_the_same_time(server: Counting) -> None:
    transport = AsyncHttpxPools()

    class Ended:
        def is_closed(self) -> bool:
            """Here the other thread is a little faster, and others have new loops."""
            transport._pools.pop(self, None)  # type: ignore[call-overload]
            for _ in range(2):
                transport._pools[asyncio.new_event_loop()] = AsyncHttpxPool()
            return True

    async def use() -> int:
        request = Request("GET", f"{server.url}/{IDS[0]}", (), b"", LIMITS)
        answer = await transport.send(request)
        await transport.aclose()
        return answer.status

    for _ in range(3):
        transport._pools[Ended()] = AsyncHttpxPool()  # type: ignore[index]
    assert asyncio.run(use()) == 200
    for loop in transport._pools:
        loop.close()


def test_a_client_of_the_callers_has_one_loop(server: Counting) -> None:
    own = httpx.AsyncClient()
    client = AsyncCommunicateClient(
        Environment.sandbox(server.url), token="t", http_client=own, timeout=LIMITS
    )

    async def use() -> str:
        return (await client.users.get(IDS[1])).id

    async def begin() -> None:
        await use()
        await own.aclose()

    asyncio.run(begin())
    with pytest.raises(errors.ConfigurationError, match="another event loop"):
        asyncio.run(use())


# --- interrupted ---------------------------------------------------------------------------------


class Interrupt(BaseException):
    """Ctrl-C, or what a task queue raises in a job that takes too long."""


def test_a_thread_that_is_interrupted_anywhere(server: Counting) -> None:
    """On entering any function of httpx and below it: the next call gets its own answer."""
    client = CommunicateClient(Environment.sandbox(server.url), token="t", timeout=LIMITS)
    left = 0

    def interrupt(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if event == "call" and package in {"httpcore", "httpx", "h11"}:
            left -= 1
            if left == 0:
                sys.setprofile(None)
                raise Interrupt

    place = 0
    for place in range(1, 2000):
        left = place
        sys.setprofile(interrupt)
        try:
            client.users.get(IDS[0])
        except Interrupt:
            pass
        else:
            break
        finally:
            sys.setprofile(None)
        assert client.users.get(IDS[1]).id == IDS[1]
        if place % 30 == 1:
            client.close()
    assert 100 < place < 1900
    assert len(client.channel.transport._all) <= 2  # type: ignore[attr-defined]
    client.close()
    gc.collect()
