"""The web recipe of docs/web.md: two workers, one killed and restarted, one practice connected."""

from __future__ import annotations

import contextlib
import html
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import httpx
import pytest

from ormco_trios.sandbox import Approval, Sandbox

pytestmark = [pytest.mark.socket, pytest.mark.timeout(110)]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

SERVE = """
import socket, sys, uvicorn
sys.path.insert(0, {examples!r})
from web_app import make_app
listener = socket.socket(fileno={fd})
config = uvicorn.Config(make_app(), log_level="warning", lifespan="on")
uvicorn.Server(config).run(sockets=[listener])
"""


class Worker:
    """A process that serves the example on a socket which outlives it."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = environ
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, public_url: str) -> None:
        code = SERVE.format(examples=str(EXAMPLES), fd=self._socket.fileno())
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            pass_fds=[self._socket.fileno()],
            env={**os.environ, **self._environ, "PUBLIC_URL": public_url},
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def close(self) -> None:
        self.kill()
        self._socket.close()


class Browser:
    """A browser that knows no difference between the workers, like one behind a balancer."""

    def __init__(self, public_url: str) -> None:
        self.client = httpx.Client(timeout=20, follow_redirects=False)
        self.origin = public_url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def get(self, url: str) -> httpx.Response:
        return self.client.get(url)

    def post(self, url: str, **form: str) -> httpx.Response:
        return self.client.post(url, data=form, headers={"Origin": self.origin})

    def page(self, worker: Worker) -> str:
        return self.get(worker.url).text

    def link(self, worker: Worker) -> str:
        found = re.search(r'<a href="([^"]+)">', self.page(worker))
        assert found is not None, self.page(worker)
        return html.unescape(found[1])


def until(seen: Callable[[], bool]) -> None:
    for _ in range(300):
        if seen():
            return
        time.sleep(0.1)
    raise AssertionError("it never came to that")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(server=True, approval=Approval.held()) as made:
        yield made


@pytest.fixture
def workers(sandbox: Sandbox, tmp_path: Path) -> Iterator[tuple[Worker, Worker]]:
    environ = {
        "ORMCO_TRIOS_ENVIRONMENT": "sandbox",
        "ORMCO_TRIOS_SANDBOX_URL": sandbox.base_url,
        "ORMCO_TRIOS_CLIENT_ID": sandbox.account_client_id,
        "DATABASE": str(tmp_path / "practices.db"),
    }
    first, second = Worker(environ), Worker(environ)
    with contextlib.closing(first), contextlib.closing(second):
        # Whoever balances the load would give the public address; here it is the second's.
        first.start(second.url)
        second.start(second.url)
        yield first, second


def start(
    browser: Browser, worker: Worker, sandbox: Sandbox, *, password: str | None = None
) -> None:
    who = sandbox.practice
    done = browser.post(
        f"{worker.url}/start",
        username=who.portal_username,
        password=password or who.portal_password,
    )
    assert done.status_code == 303


def test_two_workers_and_a_restart(sandbox: Sandbox, workers: tuple[Worker, Worker]) -> None:
    a, b = workers
    with Browser(b.url) as browser:
        start(browser, a, sandbox)

        address = sandbox.authorize(browser.link(a))
        assert address.startswith(f"{b.url}/callback?")
        a.kill()
        assert browser.get(address).status_code == 303
        assert "Connection approved by Ormco" in browser.page(b)
        assert sandbox.journal.count("connections.request", ok=True) == 1

        # A reload sends the same code once more, and it goes nowhere.
        exchanges = sandbox.journal.count("oauth.token")
        assert browser.get(address).status_code == 303
        assert sandbox.journal.count("oauth.token") == exchanges
        assert "No authorization is under way" in browser.page(b)

        sandbox.approve()
        a.start(b.url)
        browser.post(f"{a.url}/look")
        until(lambda: "<a href=" in browser.page(b))

        # The second link is Ormco's own, and leads to Ormco's site: its address is pasted.
        pasted = sandbox.authorize(browser.link(a))
        assert not pasted.startswith((a.url, b.url))
        assert "Copy the address again" in paste(browser, a, pasted[:-20])
        assert "UTC: Connected" in paste(browser, a, pasted)
        assert "UTC: Connected" in browser.page(b)

        journal = sandbox.journal
        assert journal.count("connections.request") == 1
        assert journal.count("trios.submit_code") == 1
        assert [e.explain for e in journal if not e.ok and e.status != 401] == []


def paste(browser: Browser, worker: Worker, address: str) -> str:
    assert browser.post(f"{worker.url}/paste", address=address).status_code == 303
    return browser.page(worker)


def test_a_code_is_not_sent_again_after_a_worker_died_over_it(
    sandbox: Sandbox, workers: tuple[Worker, Worker], tmp_path: Path
) -> None:
    a, b = workers
    with Browser(b.url) as browser:
        start(browser, a, sandbox)
        address = sandbox.authorize(browser.link(a))
        # The code arrives and is used; its answer does not come.
        sandbox.fault("oauth.token", network="read_timeout", when="after")
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(browser.get, address)
            until(lambda: sandbox.journal.count("oauth.token") == 1)
            b.kill()
            assert isinstance(waiting.exception(20), httpx.TransportError)
        with contextlib.closing(sqlite3.connect(tmp_path / "practices.db")) as database:
            # As if its time with the practice were over.
            database.execute("UPDATE practice SET taken_until = 0")
            database.commit()

        again = address.replace(b.url, a.url)
        assert browser.get(again).status_code == 303
        assert "No authorization is under way" in browser.page(a)
        assert sandbox.journal.count("oauth.token") == 1
        assert sandbox.authorize(browser.link(a)) != address


def test_an_answer_that_belongs_to_somebody_else(
    sandbox: Sandbox, workers: tuple[Worker, Worker]
) -> None:
    a, b = workers
    with Browser(b.url) as victim, Browser(b.url) as attacker, Browser(b.url) as nobody:
        start(victim, a, sandbox)
        start(attacker, b, sandbox)
        address = sandbox.authorize(attacker.link(b), email=sandbox.practices(1)[0].email)

        assert victim.get(address).status_code == 303
        assert "Use the newest authorization link" in victim.page(a)
        assert nobody.get(address).status_code == 403
        forged = victim.client.post(
            f"{a.url}/paste", data={"address": address}, headers={"Origin": "https://evil.example"}
        )
        assert forged.status_code == 403
        # The attacker's code was sent nowhere, and the victim's own link still works.
        assert victim.get(sandbox.authorize(victim.link(a))).status_code == 303
        assert "Signed in to 3Shape Communicate</b></div>" in victim.page(b)


def test_a_known_user_name_opens_nothing(sandbox: Sandbox, workers: tuple[Worker, Worker]) -> None:
    a, b = workers
    with Browser(b.url) as practice, Browser(b.url) as stranger:
        start(practice, a, sandbox)
        assert practice.get(sandbox.authorize(practice.link(a))).status_code == 303
        start(stranger, b, sandbox, password="guessed")
        assert "Nobody has authorized this account yet" in stranger.page(b)
        assert "/connect/authorize" in stranger.link(a)
