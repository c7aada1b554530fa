"""However many need a refresh at once, there is one.

The server rotates refresh tokens: a second request with the same one would be refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.practices import clients

from ormco_trios import (
    AsyncCommunicateClient,
    AsyncOAuthClient,
    AuthorizationServer,
    Clock,
    CommunicateClient,
    FileTokenStore,
    MemoryTokenStore,
    OAuthClient,
    Token,
    errors,
)
from ormco_trios.oauth.application import LOCK_LOOKS
from ormco_trios.sandbox import Sandbox


class Awaited:
    """An `AsyncTokenStore`: as if over a database whose driver is awaited."""

    def __init__(self) -> None:
        self._store = MemoryTokenStore()

    async def load(self, account: str) -> Token | None:
        await asyncio.sleep(0)
        return self._store.load(account)

    async def save(self, account: str, token: Token) -> None:
        await asyncio.sleep(0)
        self._store.save(account, token)

    async def delete(self, account: str) -> None:
        await asyncio.sleep(0)
        self._store.delete(account)

    async def try_lock(self, account: str) -> bool:
        await asyncio.sleep(0)
        return self._store.try_lock(account)

    async def unlock(self, account: str) -> None:
        await asyncio.sleep(0)
        self._store.unlock(account)


def options(sandbox: Sandbox, store: Any) -> dict[str, Any]:
    return {
        "client_id": sandbox.account_client_id,
        "server": AuthorizationServer.account(),
        "redirect_uri": sandbox.redirect_uri,
        "store": store,
    }


@contextlib.contextmanager
def needing_a_refresh(store: MemoryTokenStore | FileTokenStore) -> Iterator[Sandbox]:
    """A served sandbox in real time, and in ``store`` a token that has ended."""
    with Sandbox(server=True, clock=Clock()) as sandbox:
        with OAuthClient(sandbox.environment, **options(sandbox, store)) as oauth:
            request = oauth.authorization_request()
            token = oauth.exchange(request.finish(sandbox.authorize(request.url)), request)
        assert token.expires_at is not None
        store.save("default", replace(token, expires_at=token.expires_at - timedelta(days=1)))
        sandbox.journal.clear()
        yield sandbox


def check(sandbox: Sandbox, users: int) -> None:
    assert sandbox.journal.count("oauth.token") == 1
    assert sandbox.journal.count("users.me") == users
    assert sandbox.journal.count("users.me", ok=False) == 0


@pytest.mark.socket
@pytest.mark.parametrize("shared", ["client", "store", "folder"])
def test_ten_threads(tmp_path: Path, shared: str) -> None:
    store = FileTokenStore(tmp_path)
    with needing_a_refresh(store) as sandbox, contextlib.ExitStack() as stack:

        def client() -> OAuthClient:
            own = store if shared == "store" else FileTokenStore(tmp_path)
            return stack.enter_context(OAuthClient(sandbox.environment, **options(sandbox, own)))

        oauths = [client()] * 10 if shared == "client" else [client() for _ in range(10)]
        start = threading.Barrier(10)

        def use(oauth: OAuthClient) -> None:
            with CommunicateClient(sandbox.environment, auth=oauth.auth) as communicate:
                start.wait()
                communicate.users.me()

        with ThreadPoolExecutor(10) as pool:
            list(pool.map(use, oauths))
        check(sandbox, 10)


@pytest.mark.socket
@pytest.mark.parametrize("shared", ["client", "store"])
@pytest.mark.parametrize("kind", [Awaited, MemoryTokenStore])
@pytest.mark.anyio
async def test_ten_tasks(shared: str, kind: Any) -> None:
    memory = MemoryTokenStore()
    with needing_a_refresh(memory) as sandbox:
        store = kind()
        token = memory.load("default")
        assert token is not None
        if isinstance(store, Awaited):
            await store.save("default", token)
        else:
            store.save("default", token)
        async with contextlib.AsyncExitStack() as stack:

            async def client() -> AsyncOAuthClient:
                return await stack.enter_async_context(
                    AsyncOAuthClient(sandbox.environment, **options(sandbox, store))
                )

            first = await client()
            oauths = [first if shared == "client" else await client() for _ in range(10)]

            async def use(oauth: AsyncOAuthClient) -> None:
                async with AsyncCommunicateClient(
                    sandbox.environment, auth=oauth.auth
                ) as communicate:
                    await communicate.users.me()

            await asyncio.gather(*map(use, oauths))
        check(sandbox, 10)


PROCESS = """
import sys
from ormco_trios import (
    AuthorizationServer, CommunicateClient, Environment, FileTokenStore, OAuthClient
)
url, folder, client_id, redirect_uri = sys.argv[1:]
environment = Environment.sandbox(url)
with OAuthClient(
    environment,
    client_id=client_id,
    redirect_uri=redirect_uri,
    server=AuthorizationServer.account(),
    store=FileTokenStore(folder),
) as oauth, CommunicateClient(environment, auth=oauth.auth) as communicate:
    print("ready", flush=True)
    sys.stdin.readline()
    print(communicate.users.me().email, flush=True)
"""


@pytest.mark.slow
@pytest.mark.socket
def test_four_processes(tmp_path: Path) -> None:
    with needing_a_refresh(FileTokenStore(tmp_path)) as sandbox:
        command = [
            *(sys.executable, "-c", PROCESS, sandbox.base_url, str(tmp_path)),
            *(sandbox.account_client_id, sandbox.redirect_uri),
        ]
        with contextlib.ExitStack() as stack:
            processes = [
                stack.enter_context(
                    subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                    )
                )
                for _ in range(4)
            ]
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            said = [process.communicate(timeout=30)[0] for process in processes]
        assert said == [f"{sandbox.practice.email}\n"] * 4
        check(sandbox, 4)


def test_by_hand_is_the_same(both: Any) -> None:
    """A token that another process renewed meanwhile is not sent again: theirs is the answer."""
    store = MemoryTokenStore()
    with Sandbox() as sandbox:
        first, second = (
            clients(both, sandbox, account_dialect=True, store=store).oauth for _ in range(2)
        )
        request = first.authorization_request()
        old = first.exchange(request.finish(sandbox.authorize(request.url)), request)
        renewed = first.refresh(old)
        assert second.refresh(old) == renewed
        assert sandbox.journal.count("oauth.token") == 2
        assert second.refresh(renewed) != renewed


def test_a_lock_that_is_never_given_back_is_an_error(both: Any) -> None:
    store = MemoryTokenStore()
    with Sandbox() as sandbox:
        practice = clients(both, sandbox, store=store)
        store.try_lock("default")
        with pytest.raises(errors.TransportError, match="holds the lock"):
            practice.communicate.users.me()
        store.unlock("default")
        assert LOCK_LOOKS > 100
        with pytest.raises(errors.AuthorizationNeeded):
            practice.communicate.users.me()


@pytest.mark.parametrize("failure", ["refused", "lost"])
def test_the_lock_is_given_back_after_a_failure(both: Any, failure: str) -> None:
    store = MemoryTokenStore()
    with Sandbox() as sandbox:
        oauth = clients(both, sandbox, account_dialect=True, store=store).oauth
        request = oauth.authorization_request()
        token = oauth.exchange(request.finish(sandbox.authorize(request.url)), request)
        if failure == "lost":
            sandbox.fault("oauth.token", network="reset", when="before")
        else:
            sandbox.fault("oauth.token", status=400, body={"error": "invalid_grant"})
        with pytest.raises((errors.CodeOutcomeUnknown, errors.GrantRevoked)):
            oauth.refresh(token)
        assert sandbox.journal.count("oauth.token") == 2
        assert oauth.refresh(token).access_token != token.access_token
