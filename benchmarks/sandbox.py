"""The sandbox's server: how long it takes to start and to answer, beside a bare ASGI application.

Wall time, since that is what a test suite waits for.  Both servers are uvicorn in a thread of the
client's process and with the same parser, as `Sandbox(server=True)` is; the client is
`http.client` over one connection.  Times depend on the machine, the ratios hardly.
"""

from __future__ import annotations

import contextlib
import gc
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection

import uvicorn
from harness import table, versions

from ormco_trios import CommunicateClient, OAuthClient
from ormco_trios.sandbox import Sandbox

BARE = "a bare ASGI application that says *hello*"


async def hello(scope, receive, send) -> None:
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextlib.contextmanager
def bare() -> Iterator[int]:
    """Serve `hello`; gives the port."""
    # With the protocol named, asyncio switches off Nagle's delay.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    options = {"http": "h11", "ws": "none", "loop": "asyncio", "lifespan": "off"}
    server = _Announcing(uvicorn.Config(hello, log_config=None, access_log=False, **options))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    server.ready.wait(10)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(5)
    listener.close()


@contextlib.contextmanager
def ours() -> Iterator[int]:
    """Serve the sandbox; gives the port."""
    with Sandbox(server=True) as sandbox:
        yield port_of(sandbox)


def port_of(sandbox: Sandbox) -> int:
    return int(sandbox.base_url.rpartition(":")[2])


def wall(work: Callable[[], object], calls: int) -> float:
    """Median milliseconds of one call."""
    spent = []
    gc.collect()
    for _ in range(calls):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1000


def start(serving: Callable[[], contextlib.AbstractContextManager[int]]) -> float:
    """Milliseconds until it is ready."""
    gc.collect()
    server = serving()
    began = time.perf_counter()
    with server:
        return (time.perf_counter() - began) * 1000


@contextlib.contextmanager
def requests() -> Iterator[Mapping[str, Callable[[], object]]]:
    """What is asked, by its name in the table."""
    with contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(server=True))
        there = HTTPConnection("127.0.0.1", port_of(sandbox))
        plain = HTTPConnection("127.0.0.1", stack.enter_context(bare()))
        for connection in (there, plain):
            stack.callback(connection.close)
        oauth = OAuthClient(
            sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
        )
        who = sandbox.practice
        token = oauth.sign_in_with_password(who.email, who.password)
        bearer = {"Authorization": f"Bearer {token.access_token.get_secret_value()}"}

        def ask(
            connection: HTTPConnection, path: str, headers: Mapping[str, str]
        ) -> Callable[[], object]:
            def work() -> None:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, answer.status

            return work

        client = stack.enter_context(CommunicateClient(sandbox.environment, auth=oauth.auth))
        yield {
            BARE: ask(plain, "/", bearer),
            "the sandbox, `users/me`": ask(there, "/communicate/api/users/me", bearer),
            "the sandbox, a page": ask(there, "/communicate/User/SignIn", {}),
            "the sandbox, `CommunicateClient.users.me()`": client.users.me,
        }


def measure(rounds: int = 9, calls: int = 50) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    begun: dict[str, list[float]] = {}
    servers = {f"{BARE}, until it serves": bare, "the sandbox, until it serves": ours}
    for number in range(rounds + 1):
        for name, serving in servers.items():
            took = start(serving)
            if number:  # the first round imports
                begun.setdefault(name, []).append(took)
    asked: dict[str, list[float]] = {}
    with requests() as works:
        for number in range(rounds + 1):
            for name, work in works.items() if number % 2 else reversed(works.items()):
                took = wall(work, calls)
                if number:
                    asked.setdefault(name, []).append(took)
    asked = {name: asked[name] for name in works}
    for group in (begun, asked):
        base = next(iter(group.values()))
        rows += [
            (
                name,
                statistics.median(times),
                statistics.median(mine / its for mine, its in zip(times, base, strict=True)),
            )
            for name, times in group.items()
        ]
    return rows


HEAD = ["over a socket", "ms", "relative"]

if __name__ == "__main__":
    print(versions("uvicorn", "h11"))
    print(table(HEAD, measure()))
